"""Store instances: stage, read, write the objects, then the rows of the whole request in one transaction.

An object is durable before its row is written, and both before `finish` returns: an answer of success is a
promise. Leaving a session without finishing takes its objects back. Each instance succeeds or fails alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import timedelta
from types import TracebackType

from sqlalchemy.engine import Connection

from archive.dicom.read import read_instance
from archive.errors import CommitUnknown, NotDicom, TooLarge, Unavailable
from archive.index import store as index
from archive.index import store_reports
from archive.index.engine import Database
from archive.index.store import NewInstance, Written
from archive.model.instance import StoredInstance
from archive.model.keys import instance_stem
from archive.model.principal import Principal
from archive.model.store import Failed, FailureReason, Outcome, Stored
from archive.services import store_outcomes as outcome_of
from archive.services.markers import mark_replaced
from archive.services.staging import Staged
from archive.services.store_duplicates import Kept, is_same, is_whole
from archive.services.store_objects import Incoming, ObjectWriter
from archive.services.store_records import PendingRecords
from archive.services.study_values import refresh
from archive.settings import Settings
from storage.contract import ObjectStore
from storage.errors import StorageError, StoreUnavailable

_log = logging.getLogger(__name__)

_WINDOW = 16  # instances looked up in the index in one statement
_WINDOW_MEMORY = 2**23
_AT_ONCE = 8
_WRITE_MEMORY = 2**24
_MARKED_AT_ONCE = 500


class StoreService:
    """The way in, for HTTP, the command line and whatever comes."""

    def __init__(
        self, database: Database, objects: ObjectStore, settings: Settings, executor: Executor
    ) -> None:
        self.database = database
        self.objects = objects
        self.settings = settings
        self.executor = executor

    def begin(self, principal: Principal, study_uid: str | None = None, request_id: str = "") -> StoreSession:
        """Begin a request; with `study_uid`, instances of other studies fail one by one."""
        return StoreSession(self, principal, study_uid, request_id)

    def report(self, principal: Principal, request_id: str) -> list[dict[str, str | int]]:
        """Return all that was to be told about a request; raise NotFound."""
        return store_reports.find(self.database, principal, request_id)


class StoreSession:
    """One store request. Use it as a context manager: leaving it without `finish` undoes it."""

    def __init__(
        self, service: StoreService, principal: Principal, study_uid: str | None, request_id: str
    ) -> None:
        self._service = service
        self._principal = principal
        self._study_uid = study_uid
        self._request_id = request_id
        self._objects = service.objects
        self._writer = ObjectWriter(service.objects, service.executor, at_once=_AT_ONCE, memory=_WRITE_MEMORY)
        self._window: list[Incoming] = []
        self._records = PendingRecords()
        self._outcomes: list[Outcome | None] = []
        self._first: dict[str, int] = {}  # SOP Instance UID: position of the one that was taken
        self._repeats: dict[int, int] = {}  # position: position of the same instance before it
        self._trouble: StorageError | None = None
        self._keep_objects = False

    def __enter__(self) -> StoreSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for incoming in self._window:
            incoming.close()
        if not self._keep_objects:
            self._writer.abandon()
        self._records.close()

    def stage(self) -> Staged:
        """Return an empty place for the bytes of one instance; give it to `add` when it is full."""
        settings = self._service.settings
        return Staged(memory=settings.stage_memory, largest=settings.max_instance)

    def add(self, staged: Staged) -> None:
        """Take an instance, whole; what is wrong with it is told by `finish`."""
        position = self._next_position()
        try:
            incoming = self._read(position, staged)
        except NotDicom as error:
            staged.close()
            self._outcomes[position] = Failed(
                error.reason, str(error), error.sop_instance_uid, error.sop_class_uid, error.attribute
            )
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
        self._flush()
        self._note(self._writer.settle())
        if self._trouble is not None and not self._records and not self._any_stored():
            raise self._trouble
        self._keep_objects = True  # until it is sure that no row names them
        try:
            outcomes, verdicts = self._service.database.write(self._write_rows)
        except CommitUnknown:
            raise
        except Exception:
            self._keep_objects = False
            raise
        self._tidy(verdicts)
        return outcomes

    def _next_position(self) -> int:
        if len(self._outcomes) >= self._service.settings.max_parts:
            raise TooLarge(
                f"a request has more than {self._service.settings.max_parts} parts (FILMROOM_MAX_PARTS)"
            )
        self._outcomes.append(None)
        return len(self._outcomes) - 1

    def _read(self, position: int, staged: Staged) -> Incoming:
        settings = self._service.settings
        result = read_instance(
            staged.source(),
            bulk_threshold=settings.bulk_threshold,
            max_inflated=settings.max_inflated,
        )
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
            stored = self._find([identity.sop_uid]).get(identity.sop_uid)
            if stored is not None and outcome_of.same_place(stored.identity, identity):
                kept = stored
        return kept is not None and is_same(self._objects, kept, incoming)

    def _find(self, uids: list[str]) -> dict[str, StoredInstance]:
        with self._service.database.read() as connection:
            return index.find(connection, self._principal, uids)

    def _flush(self) -> None:
        """Look up the window's UIDs in the index, then begin to write what is new."""
        window, self._window = self._window, []
        if not window:
            return
        known = self._find([each.reading.identity.sop_uid for each in window])
        for incoming in window:
            stored = known.get(incoming.reading.identity.sop_uid)
            try:
                outcome = None if stored is None else self._meet(stored, incoming)
            except StorageError as error:
                self._fail(incoming, error)
                incoming.close()
                continue
            if outcome is not None:
                self._outcomes[incoming.position] = outcome
                incoming.close()
                continue
            identity = incoming.reading.identity
            stem = instance_stem(self._principal.organisation, identity, incoming.staged.sha256)
            incoming.object_key = f"{stem}.dcm"
            self._note(self._writer.write(incoming))

    def _meet(self, stored: StoredInstance, incoming: Incoming) -> Outcome | None:
        """Decide about an instance whose UID is stored already; None: write it and replace the other."""
        identity = incoming.reading.identity
        if not outcome_of.same_place(stored.identity, identity):
            return outcome_of.elsewhere(identity)
        whole = is_whole(self._objects, stored, incoming)
        same = stored.sha256 == incoming.staged.sha256 or (whole and is_same(self._objects, stored, incoming))
        if same and whole:
            return outcome_of.stored(identity, incoming.reading.warnings, already=True)
        if not same and self._service.settings.on_duplicate == "reject":
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
                    replace=self._service.settings.on_duplicate == "replace",
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
        keep = timedelta(days=self._service.settings.keep_deleted_days)
        verdicts = index.write(connection, self._principal, self._records, keep=keep)
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

    def _tidy(self, verdicts: dict[str, Written]) -> None:
        """After the commit: mark what was replaced, and take back objects that lost a race.

        Studies whose values may be of a replaced version get them anew.
        """
        stale: set[str] = set()
        replaced: list[str] = []
        for record in self._records:
            written = verdicts[record.reading.identity.sop_uid]
            if written.retired_key is not None:
                replaced.append(written.retired_key)
            elif written.verdict is not index.Verdict.NEW:
                self._writer.remove(record.object_key)
            if written.stale:
                stale.add(record.reading.identity.study_uid)
        self._mark(replaced)
        for study_uid in sorted(stale):
            refresh(self._service.database, self._objects, self._principal, study_uid)

    def _mark(self, replaced: list[str]) -> None:
        """Mark replaced objects in the bucket; what cannot be marked now, the worker finds by its row."""
        for start in range(0, len(replaced), _MARKED_AT_ONCE):
            keys = replaced[start : start + _MARKED_AT_ONCE]
            try:
                mark_replaced(
                    self._service.database, self._objects, self._principal.name, limit=len(keys), keys=keys
                )
            except (StorageError, Unavailable) as error:
                _log.warning("replaced objects are left for the worker to mark: %s", error)
                return
