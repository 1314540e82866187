"""The head of an instance of very many frames, read for one of them: of the others' items only the lengths.

A whole slide has an item of functional groups for each of 100,000 tiles: to read them all takes two seconds
and 120 MB. Here the one that is asked for is cut out first. Owns the cut, in Explicit VR Little Endian as all
encapsulated pixels have it; whatever else is met is left to header.py, which reads everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error

from archive.dicom.headers import LONG_VRS, SHORT_VRS, UNDEFINED
from archive.rendering.header import Head, read_head

_PER_FRAME = 0x52009230
_NOT_CUT = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.2"))  # Implicit VR, and Big Endian
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_SHORT, _LONG, _BARE = Struct("<HH2sH"), Struct("<HH2sHL"), Struct("<HHL")
_DEPTH = 32


class _NotPlain(Exception):
    """What is here is not for a quick look; never leaves this module."""


def read_head_of_frame(data: bytes, transfer_syntax_uid: str, number: int) -> Head:
    """Read a head as `read_head` does, but the per-frame groups of other frames than `number` as empty."""
    cut = None if transfer_syntax_uid in _NOT_CUT else _cut(data, number)
    if cut is None:
        return read_head(data, transfer_syntax_uid)
    short, count = cut
    head = read_head(short, transfer_syntax_uid)
    (own,) = head.items(_PER_FRAME)
    empty = (Head(),)
    head.add_sequence(_PER_FRAME, empty * (number - 1) + (own,) + empty * (count - number))
    return head


def _cut(data: bytes, number: int) -> tuple[bytes, int] | None:
    """Return the data set with only that item, and how many there were; None where it has no such item."""
    try:
        for tag, start, value, length in _elements(data, 0, len(data), 0):
            if tag > _PER_FRAME:
                return None
            if tag == _PER_FRAME:
                return _with_one_item(data, start, value, length, number)
    except (_NotPlain, error):
        return None
    return None


def _with_one_item(data: bytes, start: int, value: int, length: int, number: int) -> tuple[bytes, int] | None:
    own, count, end = None, 0, value
    for at, end in _items(data, value, length, 0):
        if at < 0:
            break
        count += 1
        if count == number:
            own = data[at:end]
    if own is None:
        return None
    head = _LONG.pack(_PER_FRAME >> 16, _PER_FRAME & 0xFFFF, b"SQ", 0, len(own))
    return b"".join((data[:start], head, own, data[end:])), count


def _elements(data: bytes, at: int, end: int, depth: int) -> Iterator[tuple[int, int, int, int]]:
    """Give tag, offset, offset of the value and stated length of elements, up to `end` or an item's end."""
    while at + 8 <= end:
        group, element, vr, length = _SHORT.unpack_from(data, at)
        tag, value = group << 16 | element, at + 8
        if tag == _ITEM_END:
            yield tag, at, value, 0
            return
        if vr not in SHORT_VRS:
            if vr not in LONG_VRS or (tag == _PER_FRAME and vr != b"SQ"):
                raise _NotPlain
            *_, length = _LONG.unpack_from(data, at)
            value += 4
        yield tag, at, value, length
        at = _end(data, vr, value, length, depth)


def _end(data: bytes, vr: bytes, value: int, length: int, depth: int) -> int:
    """Return where an element ends."""
    if length != UNDEFINED:
        return value + length
    if vr != b"SQ" or depth > _DEPTH:
        raise _NotPlain
    end = value
    for _, end in _items(data, value, length, depth + 1):  # noqa: B007 as above
        pass
    return end


def _items(data: bytes, at: int, length: int, depth: int) -> Iterator[tuple[int, int]]:
    """Give begin and end of the items of a sequence; at last -1 and where the sequence ends."""
    stop = len(data) if length == UNDEFINED else at + length
    if stop > len(data):
        raise _NotPlain
    while at + 8 <= stop:
        group, element, own = _BARE.unpack_from(data, at)
        tag = group << 16 | element
        if tag == _SEQUENCE_END and length == UNDEFINED:
            yield -1, at + 8
            return
        if tag != _ITEM:
            raise _NotPlain
        end = at + 8 + own if own != UNDEFINED else _end_of_item(data, at + 8, depth)
        yield at, end
        at = end
    if at != stop or length == UNDEFINED:
        raise _NotPlain
    yield -1, at


def _end_of_item(data: bytes, at: int, depth: int) -> int:
    for tag, start, _, _ in _elements(data, at, len(data), depth):
        if tag == _ITEM_END:
            return start + 8
    raise _NotPlain
