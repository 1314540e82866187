"""The DICOM JSON of instances as it was made when they were stored: joined, never recomputed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from archive.dicom.segments import join_gzip, join_plain, plain_length, text
from archive.index.engine import Database
from archive.index.metadata import Segments, begin_segments, fetch_segments
from archive.index.retrieve import instance_ids, one_instance, revision
from archive.model.keys import derived_key
from archive.model.level import Level, Place
from archive.model.principal import Principal
from storage.contract import ObjectStore

_AT_HAND = 2**22  # bytes of segments that an answer is made of before it is begun


@dataclass(frozen=True, slots=True)
class Kept:
    """The packed JSON of the instances at a place, in their order.

    A list where all of it is at hand. `revision` is a text that changes with what is there.
    """

    revision: str
    packed: list[bytes] | Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Joined:
    """A JSON array. `length` is that of all chunks, None where it is known at the end only."""

    chunks: Iterable[bytes]
    length: int | None


class MetadataService:
    """Metadata of a study, a series or an instance. `base` is the address of the DICOMweb root."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self.database = database
        self.objects = objects

    def revision(self, principal: Principal, place: Place) -> str:
        """Return the revision of a place alone; raise NotFound or Gone."""
        if place.level is Level.INSTANCE:
            instance = one_instance(self.database, principal, place)
            return f"{instance.id}.{instance.sha256[:16]}"
        return revision(self.database, principal, place)

    def at(self, principal: Principal, place: Place) -> Kept:
        """Return what is kept of the instances at a place; raise NotFound or Gone.

        One statement, unless there are so many that they are taken by their row ids, a snapshot of them.
        """
        first = begin_segments(self.database, principal, place)
        if first.more:
            ids = instance_ids(self.database, principal, place)
            return Kept(first.revision, packed(self.database, self.objects, ids))
        found = self._wherever(first.segments)
        at_hand = sum(_AT_HAND if each is None else len(each) for _, each in first.segments) < _AT_HAND
        return Kept(first.revision, list(found) if at_hand else found)

    def as_datasets(self, principal: Principal, place: Place, base: str) -> Iterator[dict[str, Any]]:
        """Return the data sets one by one, in the DICOM JSON model; raise NotFound or Gone."""
        return datasets(self.at(principal, place), base)

    def _wherever(self, segments: Iterable[Segments]) -> Iterator[bytes]:
        return _wherever(self.objects, segments)


def as_gzip(kept: Kept, base: str) -> Joined:
    """Return the JSON array as one gzip stream, made without decompressing anything."""
    chunks = join_gzip(kept.packed, base.encode())
    if not isinstance(kept.packed, list):
        return Joined(chunks, None)
    made = tuple(chunks)
    return Joined(made, sum(map(len, made)))


def as_json(kept: Kept, base: str) -> Joined:
    """Return the JSON array."""
    whole = isinstance(kept.packed, list)
    length = plain_length(kept.packed, base.encode()) if whole else None
    return Joined(join_plain(kept.packed, base.encode()), length)


def datasets(kept: Kept, base: str) -> Iterator[dict[str, Any]]:
    """Return the data sets one by one, in the DICOM JSON model."""
    return (orjson.loads(text(each, base.encode())) for each in kept.packed)


def packed(database: Database, objects: ObjectStore, ids: array[int]) -> Iterator[bytes]:
    """Go through the packed segments of row ids, in their order, wherever they are kept."""
    return _wherever(objects, fetch_segments(database, ids))


def _wherever(objects: ObjectStore, segments: Iterable[Segments]) -> Iterator[bytes]:
    for object_key, each in segments:
        yield each if each is not None else objects.read(derived_key(object_key, "metadata"))
