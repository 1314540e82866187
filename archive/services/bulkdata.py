"""Bulk values: the byte ranges that metadata refers to by BulkDataURI."""

from __future__ import annotations

from dataclasses import dataclass

from archive.dicom.byte_order import pixel_word_size, word_size
from archive.errors import NotFound
from archive.index.bulkdata import bulk_values
from archive.index.engine import Database
from archive.model.instance import BulkValue, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal
from archive.services.blocks import Blocks
from storage.contract import ObjectStore

_DOCUMENT, _DOCUMENT_TYPE = "00420011", "00420012"
_DOCUMENT_TYPES = frozenset({"application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl"})
"""What the standard lets a document be (PS3.3 A.45, A.85, A.104); else it goes as bytes, never as a page."""
_PIXELS = frozenset({"7FE00010", "7FE00008", "7FE00009"})


@dataclass(frozen=True, slots=True)
class Found:
    """One bulk value of an instance. `media_type` is that of a document, else None."""

    instance: StoredInstance
    value: BulkValue
    media_type: str | None

    @property
    def is_encapsulated_pixels(self) -> bool:
        """Tell whether the value is frames in fragments, which have no length of their own."""
        return self.value.path in _PIXELS and self.value.length < 0


class BulkdataService:
    """Finds and reads bulk values."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self.database = database
        self.objects = objects

    def find(self, principal: Principal, place: Place, path: str) -> Found:
        """Find the value at the end of a BulkDataURI; raise NotFound or Gone."""
        for found in self.find_all(principal, place):
            if found.value.path == path:
                return found
        raise NotFound(f"{place} has no bulk value at {path}")

    def find_all(self, principal: Principal, place: Place) -> list[Found]:
        """Find every bulk value of an instance, in the order of its data set."""
        row = bulk_values(self.database, principal, place)
        named = (row.attributes.get(_DOCUMENT_TYPE, {}).get("Value") or [None])[0]
        told = named.strip().lower() if isinstance(named, str) else ""
        document = told if told in _DOCUMENT_TYPES else None
        return [
            Found(row.instance, value, document if value.path == _DOCUMENT else None) for value in row.values
        ]

    def read(self, found: Found, start: int = 0, length: int | None = None) -> Blocks:
        """Give the value's bytes from `start`, little endian, in pieces (PS3.18 8.7.3.3.2)."""
        value = found.value
        stop = value.length if length is None else start + length
        word = _word(found)
        first = start - start % word  # words are swapped whole
        last = min(-(-stop // word) * word, value.length)
        key = found.instance.inflated_key or found.instance.object_key
        return Blocks(
            self.objects,
            key,
            value.offset + first,
            last - first,
            word=word,
            skip=start - first,
            keep=stop - start,
        )


def _word(found: Found) -> int:
    """Return the bytes of the words that are swapped: those of a VR, or of pixels wider than theirs."""
    value, pixels = found.value, found.instance.pixels
    if not value.big_endian:
        return 1
    if value.path in _PIXELS and pixels is not None:
        return pixel_word_size(value.vr, pixels.bits_allocated)
    return word_size(value.vr)
