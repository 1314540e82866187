"""Which fragments make a frame, and where frames lie (PS3.5 A.4, PS3.3 C.7.6.3.1.8).

An offset table is believed only where it proves right; then fragments are told apart by how they begin.
Native frames need no index: their ranges are arithmetic (archive/model/instance.py).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence

from archive.dicom.fragments import STARTS, Fragments
from archive.dicom.source import Source
from archive.model.instance import FRAMES_PER_BLOCK, FrameBlock

RLE = "1.2.840.10008.1.2.5"
# MPEG2, MPEG-4 and HEVC: one stream for all frames, which cannot be cut into frames by its items.
VIDEO = frozenset(
    f"1.2.840.10008.1.2.4.{tail}" for number in range(100, 109) for tail in (f"{number}", f"{number}.1")
)
_ITEM_HEADER = 8
# JPEG and JPEG-LS SOI; JPEG 2000 SOC and SIZ; JPEG XL codestream and container; JP2 container.
_MARKERS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\x00\x00\x00\x0c")


def index_frames(
    source: Source,
    fragments: Fragments,
    *,
    frames: int,
    transfer_syntax_uid: str,
    extended_table: tuple[int, int] | None = None,
) -> tuple[tuple[FrameBlock, ...], str | None]:
    """Return the blocks of all frames, or none and a sentence that says why.

    `extended_table` is the byte range of the Extended Offset Table's value.
    """
    count = len(fragments.offsets)
    if transfer_syntax_uid in VIDEO and frames > 1:
        return (), None
    if not count:
        return (), "holds no fragments"
    if frames == 1:
        return _blocks(fragments, [0]), None
    if count == frames:
        return _blocks(fragments, range(count)), None
    if count < frames:
        return (), "holds fewer fragments than the instance has frames"
    firsts = (
        _by_table(source, fragments, frames, extended_table, 8)
        or _by_table(source, fragments, frames, fragments.table, 4)
        or _by_starts(fragments, frames, rle=transfer_syntax_uid == RLE)
    )
    if firsts is None:
        return (), "holds fragments that cannot be told apart into frames"
    return _blocks(fragments, firsts), None


def _by_table(
    source: Source, fragments: Fragments, frames: int, table: tuple[int, int] | None, width: int
) -> Sequence[int] | None:
    """Return each frame's first fragment by an offset table, if every offset is the start of a fragment."""
    if table is None or table[1] != frames * width:
        return None
    values = array("Q" if width == 8 else "I")
    values.frombytes(source.read_at(*table))
    zero = fragments.offsets[0]
    place = {offset - zero: number for number, offset in enumerate(fragments.offsets)}
    firsts = [place.get(value, -1) for value in values]
    if firsts[0] != 0 or any(b <= a for a, b in zip(firsts, firsts[1:], strict=False)):
        return None
    return firsts


def _by_starts(fragments: Fragments, frames: int, *, rle: bool) -> Sequence[int] | None:
    starts = fragments.starts
    beginnings = (starts[at : at + STARTS] for at in range(0, len(starts), STARTS))
    if rle:  # the number of segments, 1 to 15 (PS3.5 G.5)
        firsts = [n for n, start in enumerate(beginnings) if 1 <= int.from_bytes(start, "little") <= 15]
    else:
        firsts = [n for n, start in enumerate(beginnings) if start.startswith(_MARKERS)]
    return firsts if len(firsts) == frames and firsts[0] == 0 else None


def _blocks(fragments: Fragments, firsts: Sequence[int]) -> tuple[FrameBlock, ...]:
    """Pack the range of each frame, from the item tag of its first fragment to the end of its last."""
    offsets, lengths = fragments.offsets, fragments.lengths
    total = len(firsts)
    blocks = []
    for begin in range(0, total, FRAMES_PER_BLOCK):
        numbers: list[int] = []
        end = min(begin + FRAMES_PER_BLOCK, total)
        for frame in range(begin, end):
            first = firsts[frame]
            last = (firsts[frame + 1] if frame + 1 < total else len(offsets)) - 1
            numbers += (offsets[first], offsets[last] + _ITEM_HEADER + lengths[last] - offsets[first])
        blocks.append(FrameBlock(begin + 1, end - begin, struct.pack(f"<{len(numbers)}Q", *numbers)))
    return tuple(blocks)
