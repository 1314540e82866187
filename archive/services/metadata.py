"""The DICOM JSON of instances as it was made when they were stored: joined, never recomputed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import orjson

from archive.dicom.segments import join_gzip, join_plain, text
from archive.index.engine import Database
from archive.index.metadata import fetch_segments
from archive.index.retrieve import instance_ids, one_instance, revision
from archive.model.keys import derived_key
from archive.model.level import Level, Place
from archive.model.principal import Principal
from storage.contract import ObjectStore


class MetadataService:
    """Metadata of a study, a series or an instance. `base` is the address of the DICOMweb root."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self.database = database
        self.objects = objects

    def revision(self, principal: Principal, place: Place) -> str:
        """Return a text that changes with the metadata; raise NotFound or Gone."""
        if place.level is Level.INSTANCE:
            instance = one_instance(self.database, principal, place)
            return f"{instance.id}.{instance.sha256[:16]}"
        return revision(self.database, principal, place)

    def as_gzip(self, principal: Principal, place: Place, base: str) -> Iterator[bytes]:
        """Return the JSON array as one gzip stream, made without decompressing anything."""
        return join_gzip(self._packed(self._ids(principal, place)), base.encode())

    def as_json(self, principal: Principal, place: Place, base: str) -> Iterator[bytes]:
        """Return the JSON array."""
        return join_plain(self._packed(self._ids(principal, place)), base.encode())

    def as_datasets(self, principal: Principal, place: Place, base: str) -> Iterator[dict[str, Any]]:
        """Return the data sets one by one, in the DICOM JSON model."""
        packed = self._packed(self._ids(principal, place))
        return (orjson.loads(text(each, base.encode())) for each in packed)

    def _ids(self, principal: Principal, place: Place) -> array[int]:
        return instance_ids(self.database, principal, place)

    def _packed(self, ids: array[int]) -> Iterator[bytes]:
        return packed(self.database, self.objects, ids)


def packed(database: Database, objects: ObjectStore, ids: array[int]) -> Iterator[bytes]:
    """Go through the packed segments of row ids, in their order, wherever they are kept."""
    for object_key, segments in fetch_segments(database, ids):
        yield segments if segments is not None else objects.read(derived_key(object_key, "metadata"))
