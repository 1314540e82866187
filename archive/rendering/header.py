"""The head of an instance, its data set up to the pixel data, as pictures need it: elements by tag.

Goes by archive/dicom/walk.py, so that what could be stored can be read here. Values are made of their bytes
when they are asked for: of the hundred elements of a slice a picture needs some thirty. Leaves what values
mean to attributes.py, and finding the bytes to its callers. A head of a CT slice takes 0.1 ms to read.
"""

from __future__ import annotations

from typing import Any

from archive.dicom.charset import Encodings, encodings_of
from archive.dicom.dictionary import TAG_OF_KEYWORD
from archive.dicom.walk import (
    ELEMENT,
    ITEM,
    ITEM_END,
    SEQUENCE,
    SEQUENCE_END,
    Unreadable,
    Walk,
)
from archive.errors import NotDicom
from archive.rendering.raw_values import value_of
from archive.rendering.walked import walked

Tag = str | int
"""A keyword, or a tag where there is no keyword: overlays repeat in groups."""

_CHARACTER_SET = 0x00080005
_PIXELS = 0x7FE00000


class Head:
    """A data set, or an item of a sequence: VR, bytes and byte order, or items, by tag."""

    __slots__ = ("_elements", "_sequences", "encodings")

    def __init__(self, encodings: Encodings = ()) -> None:
        """Make an empty one; texts are read by `encodings` until it names others."""
        self.encodings = encodings
        self._elements: dict[int, tuple[str, bytes, bool]] = {}
        self._sequences: dict[int, tuple[Head, ...]] = {}

    def __contains__(self, tag: Tag) -> bool:
        """Tell whether there is such an element, empty ones included."""
        number = tag if isinstance(tag, int) else TAG_OF_KEYWORD[tag]
        return number in self._elements or number in self._sequences

    def add(self, tag: int, vr: str, raw: bytes, *, big: bool) -> None:
        """Put an element in, in place of one that is there."""
        if tag == _CHARACTER_SET:
            self.encodings = encodings_of(raw)
        self._elements[tag] = (vr, raw, big)

    def add_sequence(self, tag: int, items: tuple[Head, ...]) -> None:
        """Put a sequence in."""
        self._sequences[tag] = items

    def items(self, tag: Tag) -> tuple[Head, ...]:
        """Return the items of a sequence; none where it is missing or no sequence."""
        return self._sequences.get(tag if isinstance(tag, int) else TAG_OF_KEYWORD[tag], ())

    def value(self, tag: Tag) -> Any:
        """Return a value, or a list of several; None where it is missing, empty or a sequence."""
        found = self._elements.get(tag if isinstance(tag, int) else TAG_OF_KEYWORD[tag])
        if found is None:
            return None
        vr, raw, big = found
        value = value_of(vr, raw, self.encodings, big=big) if raw else None
        return None if isinstance(value, (str, bytes)) and not value else value


def read_head(data: bytes, transfer_syntax_uid: str) -> Head:
    """Read a data set that begins at its first element and ends before its pixel data, or anywhere later.

    `transfer_syntax_uid` is that of the instance; Deflated data must be inflated already. What the bytes look
    like is believed over what it says of the VR. Raise NotDecodable where the bytes are no data set.
    """

    def build(walk: Walk) -> Head:
        root = Head()
        try:
            _fill(root, walk, data)
        except Unreadable as error:
            if not _at_pixels(error):
                raise
        return root

    return walked(data, transfer_syntax_uid, build)


def _at_pixels(error: NotDicom) -> bool:
    """Tell whether the walk came as far as the pixel data, whose value a head has not."""
    return error.attribute is not None and error.attribute >= f"{_PIXELS:08X}"


def _fill(root: Head, walk: Walk, data: bytes) -> None:
    """Put the elements of a walk into a head, up to the pixel data."""
    ds, open_sets = root, [root]
    open_sequences: list[list[Head]] = []
    for kind, tag, vr, offset, length, value, big in walk:
        if kind == ELEMENT:
            if tag >= _PIXELS and ds is root:
                return
            ds.add(tag, vr, data[offset : offset + length] if value is None else value, big=big)
        elif kind == SEQUENCE:
            open_sequences.append([])
        elif kind == ITEM:
            ds = Head(ds.encodings)
            open_sequences[-1].append(ds)
            open_sets.append(ds)
        elif kind == ITEM_END:
            open_sets.pop()
            ds = open_sets[-1]
        elif kind == SEQUENCE_END:
            ds.add_sequence(tag, tuple(open_sequences.pop()))
        elif ds is root:  # ENCAPSULATED
            return
