"""Where encapsulated frames lie: told by counts, by offset tables that prove right, by how items begin."""

from __future__ import annotations

import struct
import time

import pytest

from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource
from archive.model.instance import FRAMES_PER_BLOCK, Reading
from tests import builders as b

SOI = b"\xff\xd8\xff"


def read(data: bytes) -> Reading:
    return read_instance(BytesSource(data), bulk_threshold=1024, max_inflated=2**20).reading


def frames_of(data: bytes) -> list[bytes]:
    """Return every frame by its indexed range, the values of its items joined."""
    frames = []
    for block in read(data).frame_blocks:
        numbers = struct.unpack(f"<{2 * block.count}Q", block.ranges)
        assert block.first == len(frames) + 1
        for at, length in zip(numbers[::2], numbers[1::2], strict=True):
            frame, pos = b"", at
            while pos < at + length:
                assert data[pos : pos + 4] == b"\xfe\xff\x00\xe0"
                (size,) = struct.unpack_from("<L", data, pos + 4)
                frame += data[pos + 8 : pos + 8 + size]
                pos += 8 + size
            assert pos == at + length
            frames.append(frame)
    return frames


A, B, C, D = SOI + b"a", b"more", SOI + b"b", b"rest"
EOT = b.element(0x7FE00001, "OV", struct.pack("<2Q", 0, 24)) + b.element(
    0x7FE00002, "OV", struct.pack("<2Q", 8, 8)
)
CASES = {
    # fragments, keywords, frames
    "one each": ([A, C], {"NumberOfFrames": 2}, [A, C]),
    "all of one frame": ([A, B, D], {}, [A + B + D]),
    "by basic table": ([B, D, A, C], {"NumberOfFrames": 2, "offsets": [0, 24]}, [B + D, A + C]),
    "wrong table, by marks": ([A, B, C, D], {"NumberOfFrames": 2, "offsets": [0, 999]}, [A + B, C + D]),
    "no table's item values, by marks": ([A, B, D, C], {"NumberOfFrames": 2}, [A + B + D, C]),
    "an empty fragment": ([A, b"", C], {"NumberOfFrames": 3}, [A, b"", C]),
    "odd lengths": ([A + b"x", C + b"y"], {"NumberOfFrames": 2}, [A + b"x", C + b"y"]),
    "no delimiter": ([A, C], {"NumberOfFrames": 2, "delimiter": False}, [A, C]),
    "cannot be told": ([B, D, B], {"NumberOfFrames": 2}, []),
    "fewer than frames": ([A], {"NumberOfFrames": 2}, []),
    "no fragments": ([], {}, []),
    "zero frames": ([A], {"NumberOfFrames": 0}, [A]),
    "senseless count": ([A], {"NumberOfFrames": 2**31 - 1}, []),
}


@pytest.mark.parametrize(("fragments", "keywords", "expected"), list(CASES.values()), ids=list(CASES))
def test_frames_are_found(fragments: list[bytes], keywords: dict[str, int], expected: list[bytes]) -> None:
    assert frames_of(b.encapsulated(fragments, **keywords)) == expected  # type: ignore[arg-type]


def test_the_extended_offset_table_counts_where_it_proves_right() -> None:
    plain = b.encapsulated([B, D, A, C], NumberOfFrames=2)
    at = plain.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    assert frames_of(plain[:at] + EOT + plain[at:]) == [B + D, A + C]


def test_an_item_that_cannot_be_told_apart_is_noted_without_values() -> None:
    notes = read(b.encapsulated([B, D, B], NumberOfFrames=2)).warnings
    assert any(note.startswith("7FE00010") for note in notes)


def test_video_is_not_cut_into_frames() -> None:
    blocks = read(b.encapsulated([A, B], syntax="1.2.840.10008.1.2.4.102", NumberOfFrames=100)).frame_blocks
    assert sum(block.count for block in blocks) <= 1


def test_fifty_thousand_fragments_are_indexed_at_once() -> None:
    data = b.encapsulated([SOI + b"%05d" % n for n in range(50_000)], NumberOfFrames=50_000)
    started = time.perf_counter()
    blocks = read(data).frame_blocks
    assert time.perf_counter() - started < 2
    assert sum(block.count for block in blocks) == 50_000
    assert blocks[0].count == FRAMES_PER_BLOCK


@pytest.mark.parametrize(("length", "rows"), [(63, 8), (65, 8), (64, 65_535), (0, 8)])
def test_native_pixels_need_no_index(length: int, rows: int) -> None:
    reading = read(b.instance(PixelData=bytes(length), Rows=rows))
    assert reading.frame_blocks == ()
    assert reading.pixels is not None
    assert not reading.pixels.encapsulated
    assert reading.pixels.length in (length, length + length % 2)
