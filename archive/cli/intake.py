"""A process of `filmroom import`: takes a batch of sources into the archive and says how each one went.

A batch is one store session, so that its rows are one transaction. What is no DICOM is told apart here, by
looking at the first bytes, so that nothing else is staged or inflated.
"""

from __future__ import annotations

import logging
import os
import time
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from archive import log
from archive.bootstrap import Services, build
from archive.cli.sources import Source, is_dicomdir_name, reason_of
from archive.errors import FilmroomError, TooLarge, Unavailable
from archive.model.principal import ANYONE
from archive.model.store import Failed, FailureReason, Outcome, Stored
from archive.services.staging import Staged
from archive.services.store_session import StoreSession
from archive.settings import Settings
from storage.errors import StorageError

_log = logging.getLogger(__name__)
_HEAD = 512
_BLOCK = 2**20
_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before a batch is tried again while a server is away
_MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"

Status = Literal["stored", "already", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Result:
    """How one source went. `reason` says why it was not stored, or what was noticed of it."""

    name: str
    status: Status
    size: int = 0
    reason: str = ""
    study_uid: str | None = None
    sop_uid: str | None = None
    duplicate: bool = False  # failed because its SOP Instance UID has other content


class _NotTakenError(Exception):
    """A source that is not given to the store."""

    def __init__(self, reason: str, *, harmless: bool) -> None:
        super().__init__(reason)
        self.harmless = harmless


class _Process:
    """What one process keeps between batches: its services and the zip archive it read last."""

    services: Services
    zip_path: str = ""
    zip_archive: zipfile.ZipFile | None = None


def begin(settings: Settings) -> None:
    """Prepare a process."""
    log.install(settings.log_level)
    _Process.services = build(settings)


def take(batch: Sequence[Source]) -> list[Result]:
    """Store a batch; return a result for each source, in order. A server that is away is waited for."""
    for wait in (*_WAITS, None):
        try:
            return [_alone(source, result, batch) for source, result in zip(batch, _take(batch), strict=True)]
        except (Unavailable, StorageError) as error:
            if wait is None:
                return [Result(each.name, "failed", each.size, str(error)) for each in batch]
            time.sleep(wait)
        except FilmroomError as error:
            return [Result(each.name, "failed", each.size, str(error)) for each in batch]
        except Exception:  # noqa: BLE001 a bug that one file meets must not end the import of the others
            _log.exception("a batch of the import broke")
            break
    if len(batch) == 1:
        return [Result(batch[0].name, "failed", batch[0].size, "internal error; the log has more")]
    return [result for each in batch for result in take([each])]


def _alone(source: Source, result: Result, batch: Sequence[Source]) -> Result:
    """Try a duplicate again by itself: its rival in the batch may have been refused too."""
    return _take([source])[0] if result.duplicate and len(batch) > 1 else result


def _take(batch: Sequence[Source]) -> list[Result]:
    results: dict[int, Result] = {}
    added: list[int] = []
    with _Process.services.store.begin(ANYONE) as session:
        for position, source in enumerate(batch):
            try:
                session.add(_stage(source, session))
                added.append(position)
            except _NotTakenError as refusal:
                status: Status = "skipped" if refusal.harmless and not source.expected else "failed"
                results[position] = Result(source.name, status, source.size, str(refusal))
        outcomes = session.finish()
    for position, outcome in zip(added, outcomes, strict=True):
        results[position] = _result(batch[position], outcome)
    return [results[position] for position in range(len(batch))]


def _result(source: Source, outcome: Outcome) -> Result:
    match outcome:
        case Stored():
            return Result(
                source.name,
                "already" if outcome.already else "stored",
                source.size,
                "; ".join(outcome.notes),
                outcome.study_uid,
                outcome.sop_uid,
            )
        case Failed():
            return Result(
                source.name,
                "failed",
                source.size,
                f"{outcome.message} ({outcome.reason:04X})",
                sop_uid=outcome.sop_uid,
                duplicate=outcome.reason == FailureReason.DUPLICATE_SOP_INSTANCE,
            )


def _stage(source: Source, session: StoreSession) -> Staged:
    """Return the bytes of a source; raise _NotTakenError for what is no instance or cannot be read."""
    try:
        if source.member is None:
            with Path(source.path).open("rb") as file:
                _look(source, file.read(_HEAD))
            return Staged.of_file(Path(source.path))
        with _zip(source.path).open(source.member) as member:
            head = member.read(_HEAD)
            _look(source, head)
            return _copy(member, head, session.stage())
    except TooLarge as error:
        raise _NotTakenError(str(error), harmless=False) from error
    except RuntimeError as error:  # what zipfile raises for a password that it lacks
        raise _NotTakenError("encrypted", harmless=False) from error
    except (
        OSError,
        EOFError,
        KeyError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise _NotTakenError(reason_of(error), harmless=False) from error


def _look(source: Source, head: bytes) -> None:
    """Raise _NotTakenError where the first bytes are not those of an instance."""
    if is_dicomdir_name(os.path.basename(source.member or source.path)) or _MEDIA_STORAGE_DIRECTORY in head:  # noqa: PTH119
        raise _NotTakenError("DICOMDIR, the index of a medium", harmless=True)
    if not head:
        raise _NotTakenError("empty", harmless=True)
    # A data set without the preamble of PS3.10 7.1 begins with group 0002 or 0008; the store judges it.
    if head[128:132] != b"DICM" and head[:2] not in (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08"):
        raise _NotTakenError("not DICOM", harmless=True)


def _copy(member: IO[bytes], head: bytes, staged: Staged) -> Staged:
    try:
        staged.write(head)
        while block := member.read(_BLOCK):
            staged.write(block)
    except BaseException:
        staged.close()
        raise
    return staged


def _zip(path: str) -> zipfile.ZipFile:
    """Open an archive, or give the one that is open; its directory is read once for many batches."""
    if _Process.zip_archive is None or _Process.zip_path != path:
        if _Process.zip_archive is not None:
            _Process.zip_archive.close()
        _Process.zip_archive = None
        _Process.zip_archive = zipfile.ZipFile(path)
        _Process.zip_path = path
    return _Process.zip_archive
