"""What is put in order in the background: bytes past their keeping time, reports past theirs."""

from __future__ import annotations

import logging
from datetime import timedelta

from archive.index import retired, store_reports
from archive.index.engine import Database
from archive.model.keys import derived_key
from archive.services.markers import mark_replaced
from archive.settings import Settings
from storage.contract import ObjectStore
from storage.errors import StorageError

_log = logging.getLogger(__name__)
_BATCH = 100


class HousekeepingService:
    """Each step may be cut off anywhere and done again, by several workers at once."""

    def __init__(self, database: Database, objects: ObjectStore, settings: Settings) -> None:
        self.database = database
        self.objects = objects
        self.keep_reports = timedelta(days=settings.keep_reports_days)

    def remove_retired(self) -> int:
        """Remove the bytes of a batch of deleted and replaced instances; return how many went.

        The bytes go first and the note of them last: a crash in between removes them once more. An object
        that cannot be removed holds up no other; its StorageError is raised when the rest are done.
        """
        gone: list[str] = []
        trouble: StorageError | None = None
        for key in retired.due(self.database, _BATCH):
            try:
                for each in (derived_key(key, "inflated"), derived_key(key, "metadata"), key):
                    self.objects.delete(each)
            except StorageError as error:
                trouble = error
                continue
            gone.append(key)
        if gone:
            self.database.write(lambda connection: retired.forget(connection, gone))
            _log.info("removed the bytes of %d instances deleted or replaced before", len(gone))
        if trouble is not None:
            raise trouble
        return len(gone)

    def mark_replaced(self) -> int:
        """Mark in the bucket what was replaced and is not marked yet; return how many were."""
        return mark_replaced(self.database, self.objects, "filmroom worker", limit=_BATCH)

    def forget_reports(self) -> None:
        """Remove what is kept of store requests past its time."""
        self.database.write(lambda connection: store_reports.forget(connection, self.keep_reports))
