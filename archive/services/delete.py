"""Delete a study, a series or an instance: a marker in the bucket, then the index; the bytes later."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import timedelta

import orjson

from archive.dicom.segments import text
from archive.errors import CommitUnknown, Unavailable
from archive.index import delete as index
from archive.index.delete import Attributes, Changed, Seen, Values
from archive.index.engine import Database
from archive.index.metadata import fetch_segments
from archive.index.store_parents import differ, filled, has_value, patient_of
from archive.model.attributes import SERIES_ATTRIBUTES, STUDY_ATTRIBUTES, Attribute
from archive.model.keys import derived_key
from archive.model.level import Place
from archive.model.principal import Principal
from archive.services.markers import take_back_marker, write_deleted_marker
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
            seen = index.look(self.database, principal, place)
            values = self._values_without(seen)
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

    def _values_without(self, seen: Seen) -> Values:
        """Work out study and series values from the instances that stay, in the order they were stored."""
        ids = array("q", (instance_id for instance_id, _ in seen.remaining))
        study = self._refill(ids, seen.study_attributes, STUDY_ATTRIBUTES)
        series = {}
        for series_id, attributes in seen.series_attributes.items():
            own = array("q", (i for i, its_series in seen.remaining if its_series == series_id))
            series[series_id] = self._refill(own, attributes, SERIES_ATTRIBUTES)
        patients: set[tuple[str, str]] = set()
        if seen.patient_conflict:
            named = {patient_of(attributes) for attributes in self._attributes(ids)}
            patients = {each for each in named if differ(patient_of(study), each)}
        return Values(study, series, frozenset(patients))

    def _refill(self, ids: array[int], before: Attributes, level: tuple[Attribute, ...]) -> Attributes:
        """Return the level's values of the first instances that have them.

        What was empty before is empty in every instance, so the look ends when all others are found.
        """
        wanted = {tag for tag, element in before.items() if has_value(element)}
        values: Attributes = {}
        for attributes in self._attributes(ids):
            values = filled(values, attributes, level)
            if all(has_value(values.get(tag, {})) for tag in wanted):
                break
        return values

    def _attributes(self, ids: array[int]) -> Iterator[Attributes]:
        for object_key, segments in fetch_segments(self.database, ids):
            packed = segments or self.objects.read(derived_key(object_key, "metadata"))
            yield orjson.loads(text(packed, b""))
