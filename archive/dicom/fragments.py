"""The items of encapsulated pixel data, found by their headers alone (PS3.5 A.4).

Owns where fragments lie and how each begins; archive/dicom/frame_index.py says which of them make a frame.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass

from archive.dicom.source import Source

_HEADER = struct.Struct("<HHL")
_UNDEFINED = 0xFFFFFFFF
_WINDOW = 32_768
_NEAR = 4_096  # fragments up to this long are read through: one read serves several headers
STARTS = 4  # bytes kept of the beginning of every fragment


@dataclass(frozen=True, slots=True)
class Fragments:
    """Items after the Basic Offset Table's; `offsets` are of their item tags, `lengths` of their values.

    `first` is where the items begin (the table's own tag), `end` is behind the last one, `after` is where the
    data set goes on. `starts` holds the first 4 bytes of each value, filled up with zeros. `table` is the
    range of the Basic Offset Table's value. `missing` is how many bytes the last item lacks.
    """

    first: int
    end: int
    after: int
    offsets: array[int]
    lengths: array[int]
    starts: bytes
    table: tuple[int, int]
    missing: int
    notes: tuple[str, ...]


def scan_fragments(source: Source, first: int) -> Fragments:
    """Step over the items from `first` to the sequence delimiter, or to where there are no more items.

    An item of odd length that a writer padded all the same is found one byte further on.
    """
    size = source.size
    offsets, lengths = array("Q"), array("Q")
    starts = bytearray()
    notes: list[str] = []
    table: tuple[int, int] | None = None
    buffer, base = b"", first
    pos = end = after = first
    missing = 0
    while True:
        i = pos - base
        if i + 12 > len(buffer):
            step = lengths[-1] if lengths else 0
            buffer, base = source.read_at(pos, _WINDOW if step <= _NEAR else 16), pos
            i = 0
        if len(buffer) - i < 8:
            notes.append("no sequence delimiter")
            after = size
            break
        group, element, length = _HEADER.unpack_from(buffer, i)
        if group != 0xFFFE or element not in (0xE000, 0xE0DD) or (length == _UNDEFINED and element == 0xE000):
            if end % 2 and pos == end:  # an odd length may leave its padding out of count
                pos += 1
                continue
            notes.append("no sequence delimiter")
            after = end
            break
        if element == 0xE0DD:
            after = pos + 8
            break
        value = pos + 8
        if value + length > size:
            missing = value + length - size
            break
        if table is None:
            table = (value, length)
        else:
            offsets.append(pos)
            lengths.append(length)
            starts += buffer[i + 8 : i + 8 + min(length, STARTS)].ljust(STARTS, b"\0")
        pos = end = value + length
    return Fragments(
        first, end, after, offsets, lengths, bytes(starts), table or (first, 0), missing, tuple(notes)
    )
