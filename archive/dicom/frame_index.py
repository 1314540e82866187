"""Which fragments make which frame of encapsulated pixel data (PS3.5 A.4, PS3.3 C.7.6.3.1.8).

One fragment a frame where the numbers say so; else an offset table, where it proves right; else the marks
with which codestreams begin. Where none of these tells, there is no index, and a note.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise

from archive.dicom.fragments import STARTS, Fragments
from archive.dicom.source import Source
from archive.model.instance import FRAMES_PER_BLOCK, FrameBlock

_MARKS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0c")
"""How codestreams begin: JPEG and JPEG-LS, JPEG 2000, JPEG XL bare and boxed."""

_VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))


def is_video(transfer_syntax_uid: str) -> bool:
    """Tell whether pixel data are a stream, in one piece whatever Number of Frames says."""
    return transfer_syntax_uid.startswith(_VIDEO)


Table = tuple[int, int]
"""Offset and length of the value of an offset table."""


def frame_starts(
    fragments: Fragments, frames: int, source: Source, extended: Table | None, transfer_syntax_uid: str
) -> Sequence[int] | None:
    """Return the index of each frame's first fragment; None where it cannot be told.

    Video is one frame: a stream, whatever Number of Frames says.
    """
    count = len(fragments.offsets)
    if not count:
        return None
    if frames == 1 or is_video(transfer_syntax_uid):
        return (0,)
    if count == frames:
        return range(count)
    if count < frames:
        return None
    for table, width in ((extended, "Q"), (fragments.table, "I")):
        starts = _by_table(fragments, frames, source, table, width)
        if starts is not None:
            return starts
    return _by_marks(fragments, frames)


def _by_table(
    fragments: Fragments, frames: int, source: Source, table: Table | None, width: str
) -> Sequence[int] | None:
    """Return what an offset table says, if every offset is the beginning of a fragment."""
    if table is None or table[1] != frames * array(width).itemsize:
        return None
    offsets = array(width, source.read_at(*table))
    if sys.byteorder == "big":
        offsets.byteswap()
    first = fragments.offsets[0]
    place = {offset - first: index for index, offset in enumerate(fragments.offsets)}
    starts = [place.get(offset, -1) for offset in offsets]
    ascending = all(a < b for a, b in pairwise(starts))
    return starts if starts[0] == 0 and ascending else None


def _by_marks(fragments: Fragments, frames: int) -> Sequence[int] | None:
    heads = fragments.starts
    for mark in _MARKS:
        starts = [index for index in range(len(fragments.offsets)) if heads.startswith(mark, index * STARTS)]
        if len(starts) == frames and starts[0] == 0:
            return starts
    return None


def frame_blocks(fragments: Fragments, starts: Sequence[int]) -> Iterator[FrameBlock]:
    """Give the ranges of frames, in blocks."""
    offsets = fragments.offsets
    for first in range(0, len(starts), FRAMES_PER_BLOCK):
        chosen = starts[first : first + FRAMES_PER_BLOCK]
        ranges = array("Q")
        for number, start in enumerate(chosen, first):
            last = (starts[number + 1] if number + 1 < len(starts) else len(offsets)) - 1
            end = offsets[last] + 8 + fragments.lengths[last]
            ranges.append(offsets[start])
            ranges.append(end - offsets[start])
        if sys.byteorder == "big":
            ranges.byteswap()
        yield FrameBlock(first + 1, len(chosen), ranges.tobytes())
