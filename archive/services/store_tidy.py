"""After the commit of a store request: what was replaced is marked, what lost a race is taken back."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from archive.errors import Unavailable
from archive.index.engine import Database
from archive.index.store import Verdict, Written
from archive.index.store_rows import NewInstance
from archive.model.principal import Principal
from archive.services.markers import mark_replaced
from archive.services.store_objects import ObjectWriter
from archive.services.study_values import refresh
from storage.contract import ObjectStore
from storage.errors import StorageError

_log = logging.getLogger(__name__)

_MARKED_AT_ONCE = 500


class Tidying:
    """The work behind one request; none of it can make the request fail."""

    def __init__(self, database: Database, objects: ObjectStore, principal: Principal) -> None:
        self._database = database
        self._objects = objects
        self._principal = principal

    def tidy(
        self, records: Iterable[NewInstance], verdicts: Mapping[str, Written], writer: ObjectWriter
    ) -> None:
        """Mark what was replaced, and take back objects that lost a race.

        Studies whose values may be of a replaced version get them anew.
        """
        stale: set[str] = set()
        replaced: list[str] = []
        for record in records:
            written = verdicts[record.reading.identity.sop_uid]
            if written.retired_key is not None:
                replaced.append(written.retired_key)
            elif written.verdict is not Verdict.NEW:
                writer.remove(record.object_key)
            if written.stale:
                stale.add(record.reading.identity.study_uid)
        self._mark(replaced)
        for study_uid in sorted(stale):
            refresh(self._database, self._objects, self._principal, study_uid)

    def _mark(self, replaced: list[str]) -> None:
        """Mark replaced objects in the bucket; what cannot be marked now, the worker finds by its row."""
        for start in range(0, len(replaced), _MARKED_AT_ONCE):
            keys = replaced[start : start + _MARKED_AT_ONCE]
            try:
                mark_replaced(self._database, self._objects, self._principal.name, limit=len(keys), keys=keys)
            except (StorageError, Unavailable) as error:
                _log.warning("replaced objects are left for the worker to mark: %s", error)
                return
