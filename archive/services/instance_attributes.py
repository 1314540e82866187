"""The attributes of one instance, for people: its stored DICOM JSON in bounded memory, and sizes of its bulk
values.

A whole slide image may have 100,000 functional groups. What is longer than LARGEST is cut off there, and the
page says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from archive.dicom.json_prefix import whole_prefix
from archive.dicom.segments import join_plain
from archive.errors import NotFound
from archive.index.bulkdata import bulk_values
from archive.index.engine import Database
from archive.model.instance import StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal
from archive.services.metadata import packed
from storage.contract import ObjectStore

LARGEST = 2**23
"""Bytes of DICOM JSON that are read: some 80,000 attributes."""


@dataclass(frozen=True, slots=True)
class InstanceAttributes:
    """The data set of an instance in the DICOM JSON model; each BulkDataURI begins below the DICOMweb root.

    `sizes` are bytes of bulk values by path; those of encapsulated pixel data are of all fragments. `whole`
    is False where the JSON is longer than LARGEST and its end is left out.
    """

    instance: StoredInstance
    dataset: Mapping[str, Any]
    sizes: Mapping[str, int]
    whole: bool


class InstanceAttributesService:
    """Reads the attributes of an instance."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self.database = database
        self.objects = objects

    def read(self, principal: Principal, place: Place) -> InstanceAttributes:
        """Return the attributes of the instance at a place; raise NotFound or Gone."""
        found = bulk_values(self.database, principal, place)
        segments = next(packed(self.database, self.objects, array("q", [found.instance.id])), None)
        if segments is None:
            raise NotFound(f"{place} is not in this archive")  # deleted meanwhile
        text, whole = _beginning(join_plain((segments,), b""))
        sizes = {each.path: each.length for each in found.values}
        pixels = found.instance.pixels
        if pixels is not None and pixels.encapsulated:
            sizes[pixels.tag] = pixels.length
        return InstanceAttributes(found.instance, orjson.loads(text), sizes, whole)


def _beginning(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """Take the one object out of the array, as much of it as there is room for."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        if len(kept) - 1 > LARGEST:
            return whole_prefix(bytes(kept[1 : LARGEST + 1])), False
    return bytes(kept[1:-1]), True
