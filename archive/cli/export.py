"""`filmroom export`: write instances as they were stored to a folder, Study/Series/Instance.dcm.

Every file is checked against its SHA-256 on the way and appears under its name only when it is whole, so an
export that was stopped goes on when it is run again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path

import click

from archive.bootstrap import Services, build
from archive.cli.common import read_settings
from archive.cli.progress import Meter
from archive.cli.tables import prepare
from archive.errors import FilmroomError, Gone, NotFound
from archive.model.instance import StoredInstance
from archive.model.level import Level, Place
from archive.model.principal import ANYONE
from archive.model.query import AnyOf, Key, Query
from archive.model.uid import is_uid
from storage.errors import ObjectDamaged, StorageError

_AHEAD = 2  # files under way for each thread


@click.command()
@click.option("--study", "studies", multiple=True, metavar="UID", help="A study; may be given several times.")
@click.option("--series", metavar="UID", help="One series of the study.")
@click.option("--instance", metavar="UID", help="One instance of the series.")
@click.option("--patient", "patients", multiple=True, metavar="ID", help="All studies of a Patient ID.")
@click.option("--all", "everything", is_flag=True, help="The whole archive.")
@click.option("--to", "folder", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--threads", type=click.IntRange(1, 64), default=8, show_default=True)
def export(
    studies: tuple[str, ...],
    series: str | None,
    instance: str | None,
    patients: tuple[str, ...],
    folder: Path,
    threads: int,
    *,
    everything: bool,
) -> None:
    """Write instances, byte for byte as they were stored, to a folder.

    A file that is there already with the right content is left alone; one with other content is written
    again. The exit status is 1 when anything could not be written, or nothing was found.
    """
    settings = read_settings()
    prepare(settings)
    places = _places(studies, series, instance, everything=everything)
    if not places and not patients:
        raise click.UsageError("say what: --study, --patient or --all")
    services = build(settings)
    try:
        wanted = chain(places, _of_patients(services, patients))
        failed = _export(services, wanted, folder, threads)
    finally:
        services.close()
    raise SystemExit(1 if failed else 0)


def _places(
    studies: tuple[str, ...], series: str | None, instance: str | None, *, everything: bool
) -> list[Place]:
    for uid in (*studies, series, instance):
        if uid is not None and not is_uid(uid):
            raise click.UsageError(f"{uid!r} is not a UID")
    if everything:
        if studies or series or instance:
            raise click.UsageError("--all takes everything, without --study, --series or --instance")
        return [Place()]
    if series is None and instance is None:
        return [Place(study) for study in studies]
    if len(studies) != 1 or series is None:
        raise click.UsageError("--series needs the one --study it is in, and --instance its --series")
    return [Place(studies[0], series, instance)]


def _of_patients(services: Services, patients: Iterable[str]) -> Iterator[Place | str]:
    """Find the studies of patients, page by page; say of which there is none."""
    for patient in patients:
        query = Query(Level.STUDY, keys=(Key(("00100020",), "LO", AnyOf((patient,))),))
        found = 0
        while True:
            page = services.search.search(ANYONE, query)
            found += len(page.results)
            yield from (Place(result.study_uid) for result in page.results)
            if page.next_cursor is None:
                break
            query = replace(query, cursor=page.next_cursor)
        if not found:
            yield f"there is no study of the patient {patient!r}"


def _export(services: Services, places: Iterable[Place | str], folder: Path, threads: int) -> int:
    """Write everything asked for; print what failed and the numbers; return how many failed."""
    written = present = failed = 0
    with ThreadPoolExecutor(threads) as pool, Meter("written") as meter:
        for place in places:
            for stored, outcome in _write_place(place, services, folder, pool, ahead=threads * _AHEAD):
                if isinstance(outcome, str):
                    failed += 1
                    click.echo(f"failed: {outcome}")
                elif outcome:
                    written += 1
                else:
                    present += 1
                meter.done(1, stored.size if stored else 0)
        line = meter.line()
    click.echo(f"{written} written, {present} already there, {failed} failed; {line}")
    return failed


def _write_place(
    place: Place | str, services: Services, folder: Path, pool: ThreadPoolExecutor, *, ahead: int
) -> Iterator[tuple[StoredInstance | None, bool | str]]:
    """Write what is at a place; for each instance True (written), False (was there) or why it failed."""
    if isinstance(place, str):
        yield None, place
        return
    try:
        instances = services.retrieve.instances(ANYONE, place)
    except (NotFound, Gone) as error:
        yield None, str(error)
        return
    under_way: dict[Future[bool | str], StoredInstance] = {}
    for stored in instances:
        under_way[pool.submit(_write, services, stored, folder)] = stored
        if len(under_way) >= ahead:
            yield from _ended(under_way)
    while under_way:
        yield from _ended(under_way)


def _ended(
    under_way: dict[Future[bool | str], StoredInstance],
) -> Iterator[tuple[StoredInstance, bool | str]]:
    ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
    for future in ended:
        yield under_way.pop(future), future.result()


def _write(services: Services, stored: StoredInstance, folder: Path) -> bool | str:
    identity = stored.identity
    target = folder / identity.study_uid / identity.series_uid / f"{identity.sop_uid}.dcm"
    partial = target.with_name(f".{identity.sop_uid}.{os.getpid()}.part")
    try:
        if _is_there(target, stored):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(services, stored, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        return f"{target}: {(error.strerror or type(error).__name__).lower()}"
    except (FilmroomError, StorageError) as error:
        return f"instance {identity.sop_uid} of study {identity.study_uid}: {error}"
    return True


def _copy(services: Services, stored: StoredInstance, target: Path) -> None:
    digest = hashlib.sha256()
    with closing(services.retrieve.stored(stored)) as blocks, target.open("wb") as file:
        for block in blocks:
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != stored.sha256:
        raise ObjectDamaged("the stored bytes are not those that were received: their SHA-256 differs")


def _is_there(target: Path, stored: StoredInstance) -> bool:
    try:
        if target.stat().st_size != stored.size:
            return False
        with target.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == stored.sha256
    except FileNotFoundError:
        return False
