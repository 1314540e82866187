"""A whole data set from bytes to a pydicom Dataset, however deep it nests and however it breaks the standard.

Goes by archive/dicom/walk.py, so that what could be stored can be read here, and no depth of sequences meets
Python's limit of recursion. Values are text, numbers or bytes as they stand: nothing is checked, nothing is
refused. Pixels are left out. How values are shown is left to archive/rendering/values.py.
"""

from __future__ import annotations

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from archive.dicom.charset import Encodings, encodings_of
from archive.dicom.headers import PIXEL_TAGS
from archive.dicom.walk import (
    ELEMENT,
    ITEM,
    ITEM_END,
    SEQUENCE,
    SEQUENCE_END,
    Event,
    Walk,
)
from archive.rendering.raw_values import value_of
from archive.rendering.walked import walked

_CHARACTER_SET = 0x00080005


def read_data_set(data: bytes, transfer_syntax_uid: str) -> Dataset:
    """Read the bytes behind the file meta group, inflated where the syntax is Deflated.

    Raise NotDecodable where they cannot be understood; the message names the attribute.
    """
    return walked(data, transfer_syntax_uid, lambda walk: _built(walk, data))


def _built(walk: Walk, data: bytes) -> Dataset:
    root = Dataset()
    open_sets: list[tuple[Dataset, Encodings]] = [(root, ())]
    open_sequences: list[list[Dataset]] = []
    for event in walk:
        kind, tag = event[0], event[1]
        if kind == ELEMENT and tag not in PIXEL_TAGS:
            ds, encodings = open_sets[-1]
            if tag == _CHARACTER_SET:
                encodings = encodings_of(event[5] or b"")
                open_sets[-1] = (ds, encodings)
            ds[tag] = _element(event, data, encodings)
        elif kind == SEQUENCE:
            open_sequences.append([])
        elif kind == ITEM:
            item = Dataset()
            open_sequences[-1].append(item)
            open_sets.append((item, open_sets[-1][1]))
        elif kind == ITEM_END:
            open_sets.pop()
        elif kind == SEQUENCE_END:
            items = Sequence(open_sequences.pop())
            open_sets[-1][0][tag] = DataElement(Tag(tag), "SQ", items, already_converted=True)
    return root


def _element(event: Event, data: bytes, encodings: Encodings) -> DataElement:
    _, tag, vr, offset, length, value, big = event
    raw = data[offset : offset + length] if value is None else value
    known = "OB" if vr == "UN" else vr  # pydicom would make a value of it that these bytes are not
    found = value_of(vr, raw, encodings, big=big)
    if vr == "AT" and found is not None:
        found = [Tag(each) for each in found] if isinstance(found, list) else Tag(found)
    return DataElement(Tag(tag), known, found, already_converted=True)
