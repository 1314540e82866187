"""Delete a study, a series or an instance: a marker in the bucket, then the index; the bytes later."""

from __future__ import annotations

from datetime import timedelta

from archive.errors import CommitUnknown, Unavailable
from archive.index import delete as index
from archive.index.delete import Changed, Values
from archive.index.engine import Database
from archive.index.seen import Seen, look
from archive.model.level import Place
from archive.model.principal import Principal
from archive.services.markers import take_back_marker, write_deleted_marker
from archive.services.study_values import values_of
from archive.settings import Settings
from storage.contract import ObjectStore

_ATTEMPTS = 5


class DeleteService:
    """Takes instances away for everybody, durably, before it returns."""

    def __init__(self, database: Database, objects: ObjectStore, settings: Settings) -> None:
        self.database = database
        self.objects = objects
        self.keep = timedelta(days=settings.keep_deleted_days)

    def delete(self, principal: Principal, place: Place) -> int:
        """Delete what is at a place; return how many instances went. Raise NotFound or Gone.

        An instance that is stored into the study meanwhile makes this look again, so nothing is taken that
        the caller's request did not name and no marker speaks of less than went.
        """
        for _ in range(_ATTEMPTS):
            seen = look(self.database, principal, place)
            values = values_of(self.database, self.objects, seen)
            try:
                self._delete(principal, place, seen, values)
            except Changed:
                continue
            return len(seen.doomed)
        raise Unavailable(f"{place} is being stored into; delete it when that has ended")

    def _delete(self, principal: Principal, place: Place, seen: Seen, values: Values) -> None:
        """Write the marker, then the index. A marker of what surely did not happen is taken back."""
        keys = [each.object_key for each in seen.doomed]
        marker = write_deleted_marker(self.objects, principal, place, keys)
        try:
            self.database.write(
                lambda connection: index.delete(connection, principal, place, seen, values, keep=self.keep)
            )
        except CommitUnknown:
            raise
        except Exception:
            take_back_marker(self.objects, marker)
            raise
