"""Frames of encapsulated pixel data: from a range of the object to the stored bytes (PS3.5 A.4).

Owns looking a frame up in its block and joining the values of its items. Leaves finding the ranges to
archive/dicom/frame_index.py and decoding to archive/imaging/decode.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from archive.errors import NotDecodable, NotFound
from archive.model.instance import FrameBlock

_ITEM = b"\xfe\xff\x00\xe0"
_DELIMITER = b"\xfe\xff\xdd\xe0"
HEADER = 8  # bytes of an item before its value
_RANGE = struct.Struct("<QQ")


def frame_range(blocks: Iterable[FrameBlock], frame: int) -> tuple[int, int]:
    """Return offset and length in the object of the items of a frame; NotFound where no block has it."""
    for block in blocks:
        index = frame - block.first
        if 0 <= index < block.count:
            offset, length = _RANGE.unpack_from(block.ranges, index * _RANGE.size)
            return offset, length
    raise NotFound(f"frame {frame} does not exist")


def one_item(head: bytes, length: int) -> bool:
    """Tell whether a range of `length` bytes that begins with the 8 of `head` is a single item."""
    return head[:4] == _ITEM and int.from_bytes(head[4:8], "little") == length - HEADER


def item_length(head: bytes, left: int, frame: int) -> int:
    """Return the length of an item's value of which `left` bytes are there; raise NotDecodable if too few."""
    length = int.from_bytes(head[4:8], "little")
    if len(head) < HEADER or head[:4] != _ITEM or length > left:
        raise NotDecodable(f"the fragments of frame {frame} are broken: no whole item where one must be")
    return length


def frame_value(data: bytes, frame: int) -> bytes:
    """Return the stored bytes of a frame: the values of the items in `data`, joined.

    Padding that the items hold stays. Raise NotDecodable where `data` is not a run of whole items, so that
    no shifted bytes are ever taken for a frame.
    """
    values = []
    at = 0
    while at < len(data):
        tag, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if tag == _DELIMITER:
            break
        end = at + 8 + length
        if tag != _ITEM or end > len(data):
            raise NotDecodable(f"the fragments of frame {frame} are broken: no whole item at their byte {at}")
        values.append(memoryview(data)[at + 8 : end])
        at = end
    return b"".join(values)
