"""One store request: stage, read, write the objects, then the rows of the whole request in one transaction.

An object is durable before its row is written, and both before `finish` returns: an answer of success is a
promise. Leaving a session without finishing takes its objects back. Each instance succeeds or fails alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import timedelta
from threading import Lock
from types import TracebackType

from sqlalchemy.engine import Connection

from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource
from archive.errors import CommitUnknown, NotDicom, TooLarge
from archive.index import store as index
from archive.index import store_reports
from archive.index.engine import Database
from archive.index.store import Written
from archive.index.store_rows import NewInstance
from archive.model.instance import StoredInstance
from archive.model.keys import instance_stem
from archive.model.principal import Principal
from archive.model.store import Failed, FailureReason, Outcome, Stored
from archive.services import store_outcomes as outcome_of
from archive.services.staging import Staged
from archive.services.store_duplicates import Kept, is_same, is_whole
from archive.services.store_objects import Incoming, ObjectWriter
from archive.services.store_records import PendingRecords
from archive.services.store_tidy import Tidying
from archive.settings import Settings
from storage.contract import Draft, ObjectStore
from storage.errors import StorageError, StoreUnavailable

_log = logging.getLogger(__name__)

_WINDOW = 16  # instances looked up in the index in one statement, and written as one group
_WINDOW_MEMORY = 2**23


class Sessions:
    """How many requests of this process are storing."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = Lock()

    def begun(self) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1

    def ended(self) -> None:
        """Count one fewer."""
        with self._lock:
            self._count -= 1

    def are_one(self) -> bool:
        """Tell whether it is one only."""
        return self._count == 1


class StoreSession:
    """One store request. Use it as a context manager: leaving it without `finish` undoes it."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        settings: Settings,
        executor: Executor,
        sessions: Sessions,
        principal: Principal,
        study_uid: str | None,
        request_id: str,
    ) -> None:
        self._database = database
        self._objects = objects
        self._settings = settings
        self._executor = executor
        self._sessions = sessions
        self._principal = principal
        self._study_uid = study_uid
        self._request_id = request_id
        self._writer = ObjectWriter(objects, executor)
        self._window: list[Incoming] = []
        self._records = PendingRecords()
        self._outcomes: list[Outcome | None] = []
        self._first: dict[str, int] = {}  # SOP Instance UID: position of the one that was taken
        self._repeats: dict[int, int] = {}  # position: position of the same instance before it
        self._trouble: StorageError | None = None
        self._keep_objects = False
        self._looked = False

    def __enter__(self) -> StoreSession:
        self._sessions.begun()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sessions.ended()
        for incoming in self._window:
            incoming.close()
        if not self._keep_objects:
            self._writer.abandon()
        self._records.close()

    def stage(self) -> Staged:
        """Return an empty place for the bytes of one instance; give it to `add` when it is full."""
        # Where others are at work too, another thread would only take turns with theirs.
        executor = self._executor if self._sessions.are_one() else None
        return Staged(self._begin_draft, largest=self._settings.max_instance, executor=executor)

    def add(self, staged: Staged) -> None:
        """Take an instance, whole; what is wrong with it is told by `finish`."""
        position = self._next_position()
        staged.end()
        try:
            incoming = self._read(position, staged)
        except NotDicom as error:
            staged.close()
            self._outcomes[position] = _refused(error, staged.trouble)
            self._trouble = staged.trouble or self._trouble
            return
        if self._is_repeat(incoming):
            incoming.close()
            return
        self._first[incoming.reading.identity.sop_uid] = position
        self._window.append(incoming)
        memory = sum(each.staged.memory for each in self._window)
        if len(self._window) >= _WINDOW or memory >= _WINDOW_MEMORY:
            self._flush()

    def refuse(self, failed: Failed) -> None:
        """Take note of an instance that could not even be staged."""
        self._outcomes[self._next_position()] = failed

    def finish(self) -> list[Outcome]:
        """Make all of it durable and return the outcome of each `add` and `refuse`, in order.

        Raise Unavailable (CommitUnknown among it) or StoreFull when nothing was stored though something could
        have been: the same request may succeed later.
        """
        self._flush(last=True)
        self._note(self._writer.settle())
        if self._trouble is not None and not self._records and not self._any_stored():
            raise self._trouble
        self._looked = True
        self._keep_objects = True  # until it is sure that no row names them
        try:
            outcomes, verdicts = self._database.write(self._write_rows)
        except CommitUnknown:
            raise
        except Exception:
            self._keep_objects = False
            raise
        Tidying(self._database, self._objects, self._principal).tidy(self._records, verdicts, self._writer)
        return outcomes

    def _begin_draft(self) -> Draft:
        return self._objects.begin(self._settings.stage_memory)

    def _next_position(self) -> int:
        if len(self._outcomes) >= self._settings.max_parts:
            raise TooLarge(f"a request has more than {self._settings.max_parts} parts (FILMROOM_MAX_PARTS)")
        self._outcomes.append(None)
        return len(self._outcomes) - 1

    def _read(self, position: int, staged: Staged) -> Incoming:
        settings = self._settings
        limits = {"bulk_threshold": settings.bulk_threshold, "max_inflated": settings.max_inflated}
        try:
            result = read_instance(staged, **limits)
        except StorageError:  # the head may name the instance that cannot be stored
            result = read_instance(BytesSource(staged.head()), **limits)
        incoming = Incoming(position, staged, result.reading, result.inflated)
        identity = result.reading.identity
        if self._study_uid is not None and identity.study_uid != self._study_uid:
            incoming.close()
            raise NotDicom(
                "StudyInstanceUID is not that of the request's path",
                reason=FailureReason.DOES_NOT_MATCH_SOP_CLASS,
                attribute="0020000D",
                sop_class_uid=identity.sop_class_uid,
                sop_instance_uid=identity.sop_uid,
            )
        return incoming

    def _is_repeat(self, incoming: Incoming) -> bool:
        """Settle an instance whose UID was taken in this request before; one that failed took nothing."""
        identity = incoming.reading.identity
        first = self._first.get(identity.sop_uid)
        if first is None:
            return False
        self._flush()
        self._note(self._writer.settle())
        if isinstance(self._outcomes[first], Failed):
            return False
        try:
            same = self._is_taken(incoming)
        except StorageError as error:
            self._fail(incoming, error)
            return True
        if same:
            self._repeats[incoming.position] = first
        else:
            self._outcomes[incoming.position] = outcome_of.twice(identity)
        return True

    def _is_taken(self, incoming: Incoming) -> bool:
        """Compare with the instance of this UID that was written just now, or was found in the index."""
        identity = incoming.reading.identity
        kept: Kept | None = self._records.find(identity)
        if kept is None:
            stored = index.find(self._database, self._principal, [identity.sop_uid]).get(identity.sop_uid)
            if stored is not None and outcome_of.same_place(stored.identity, identity):
                kept = stored
        return kept is not None and is_same(self._objects, kept, incoming)

    def _flush(self, *, last: bool = False) -> None:
        """Look up the window's UIDs in the index, then begin to write what is new."""
        window, self._window = self._window, []
        if not window:
            return
        try:
            known = index.find(
                self._database, self._principal, [each.reading.identity.sop_uid for each in window]
            )
        except BaseException:
            for incoming in window:
                incoming.close()
            raise
        group = [each for each in window if self._is_new(each, known.get(each.reading.identity.sop_uid))]
        if group:
            self._note(self._writer.write(group, last=last))

    def _is_new(self, incoming: Incoming, stored: StoredInstance | None) -> bool:
        """Tell whether an instance is to be written, under a key of its own; settle it where not."""
        identity = incoming.reading.identity
        try:
            if incoming.staged.trouble is not None:
                raise incoming.staged.trouble
            outcome = None if stored is None else self._meet(stored, incoming)
        except StorageError as error:
            self._fail(incoming, error)
            incoming.close()
            return False
        if outcome is not None:
            self._outcomes[incoming.position] = outcome
            incoming.close()
            return False
        stem = instance_stem(self._principal.organisation, identity, incoming.staged.sha256)
        incoming.object_key = f"{stem}.dcm"
        return True

    def _meet(self, stored: StoredInstance, incoming: Incoming) -> Outcome | None:
        """Decide about an instance whose UID is stored already; None: write it and replace the other."""
        identity = incoming.reading.identity
        if not outcome_of.same_place(stored.identity, identity):
            return outcome_of.elsewhere(identity)
        whole = is_whole(self._objects, stored, incoming)
        same = stored.sha256 == incoming.staged.sha256 or (whole and is_same(self._objects, stored, incoming))
        if same and whole:
            return outcome_of.stored(identity, incoming.reading.warnings, already=True)
        if not same and self._settings.on_duplicate == "reject":
            return outcome_of.duplicate(identity)
        if not whole:
            incoming.lost_key = stored.object_key
        return None

    def _note(self, settled: Iterable[tuple[Incoming, StorageError | None]]) -> None:
        for incoming, error in settled:
            if error is not None:
                self._fail(incoming, error)
                continue
            self._records.add(
                NewInstance(
                    reading=replace(incoming.reading, metadata=b""),
                    object_key=incoming.object_key,
                    size=incoming.staged.size,
                    sha256=incoming.staged.sha256,
                    inflated=incoming.inflated is not None,
                    metadata=incoming.reading.metadata,
                    metadata_apart=incoming.metadata_apart,
                    replace=self._settings.on_duplicate == "replace",
                    lost_key=incoming.lost_key,
                )
            )

    def _fail(self, incoming: Incoming, error: StorageError) -> None:
        identity = incoming.reading.identity
        _log.error("could not store instance %s of study %s: %s", identity.sop_uid, identity.study_uid, error)
        self._trouble = error
        if incoming.object_key and not isinstance(error, StoreUnavailable):
            self._writer.remove(incoming.object_key)  # a store that is silent is not asked once more
        self._outcomes[incoming.position] = outcome_of.not_written(identity, error)

    def _any_stored(self) -> bool:
        return any(isinstance(outcome, Stored) for outcome in self._outcomes)

    def _write_rows(self, connection: Connection) -> tuple[list[Outcome], dict[str, Written]]:
        """Write everything that the request adds to the index; may run more than once."""
        keep = timedelta(days=self._settings.keep_deleted_days)
        looked, self._looked = self._looked, False  # what was looked up is believed once
        verdicts = index.write(connection, self._principal, self._records, keep=keep, looked=looked)
        outcomes = self._final(verdicts)
        store_reports.insert(connection, self._principal, self._request_id, outcome_of.report(outcomes))
        return outcomes, verdicts

    def _final(self, verdicts: dict[str, Written]) -> list[Outcome]:
        final = list(self._outcomes)
        for record in self._records:
            identity = record.reading.identity
            final[self._first[identity.sop_uid]] = outcome_of.written(
                identity, record.reading.warnings, verdicts[identity.sop_uid]
            )
        for position, first in self._repeats.items():
            final[position] = outcome_of.repeated(final[first])
        return [outcome for outcome in final if outcome is not None]


def _refused(error: NotDicom, trouble: StorageError | None) -> Failed:
    """Return what became of an instance that cannot be read: at all, or as far as the store has it."""
    uids = error.sop_instance_uid, error.sop_class_uid
    if trouble is None:
        return Failed(error.reason, str(error), *uids, error.attribute)
    reason, message = outcome_of.reason_of(trouble)
    return Failed(reason, message, *uids)
