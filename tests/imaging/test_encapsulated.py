"""archive/imaging/encapsulated.py and runs.py: stored frames and reads that cover several."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import NotDecodable, NotFound
from archive.imaging.encapsulated import frame_range, frame_value
from archive.imaging.runs import join_ranges
from archive.model.instance import FrameBlock
from tests.builders import element, item


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_a_frame_is_its_fragments_joined(fragments: list[bytes]) -> None:
    assert frame_value(b"".join(map(item, fragments)), 1) == b"".join(fragments)


def test_what_follows_the_delimiter_is_no_pixel() -> None:
    assert frame_value(item(b"ab") + element(0xFFFEE0DD, None) + b"rest", 1) == b"ab"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(item(b"abcd")[:-1], id="item cut off"),
        pytest.param(item(b"ab") + b"\xfe\xff\x00", id="header cut off"),
        pytest.param(item(b"ab", length=0xFFFFFFFF), id="undefined length"),
        pytest.param(b"\xff\xd8" + item(b"ab"), id="no item"),
    ],
)
def test_bytes_are_never_shifted(data: bytes) -> None:
    with pytest.raises(NotDecodable, match="fragments of frame 7"):
        frame_value(data, 7)


def test_a_frame_is_looked_up_in_its_block() -> None:
    blocks = [
        FrameBlock(1, 2, struct.pack("<4Q", 100, 10, 110, 20)),
        FrameBlock(3, 1, struct.pack("<2Q", 2**33, 30)),
    ]
    assert [frame_range(blocks, frame) for frame in (1, 2, 3)] == [(100, 10), (110, 20), (2**33, 30)]
    for frame in (0, 4):
        with pytest.raises(NotFound):
            frame_range(blocks, frame)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=12))
def test_runs_give_every_range_in_order(ranges: list[tuple[int, int]]) -> None:
    data = bytes(index % 251 for index in range(400))
    runs = join_ranges(ranges, gap=16, limit=100)
    assert [member for run in runs for member in run.members] == ranges
    for run in runs:
        assert run.length <= 100
        held = data[run.offset : run.offset + run.length]
        for start, length in run.members:
            assert run.cut(held, (start, length)) == data[start : start + length]


def test_neighbours_are_one_read() -> None:
    runs = join_ranges([(0, 10), (18, 10), (10, 4), (500, 1), (520, 900)], gap=8, limit=100)
    assert [(run.offset, run.length) for run in runs] == [(0, 28), (500, 1), (520, 900)]
