"""The head of a whole slide, read for one frame: the same picture, without the groups of 100,000 others."""

from __future__ import annotations

import struct
import time
import tracemalloc
from typing import Any

import pytest

from archive.errors import NotDecodable
from archive.rendering.frame_head import read_head_of_frame
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head, read_head
from archive.sandbox.render import head_of
from tests.builders import EXPLICIT, IMPLICIT, UNDEFINED, element, item

_COUNT = 40
_PER_FRAME, _SHARED, _POSITION, _COLUMN = 0x52009230, 0x52009229, 0x0048021A, 0x0048021E
_TABLE = element(0x7FE00001, "OV", bytes(64))


def groups(
    count: int, *, sequence: int | None = None, each: int | None = None, nested: int | None = None
) -> bytes:
    """Return per-frame functional groups: positions, with lengths that are stated or undefined."""

    def one(number: int) -> bytes:
        column = element(_COLUMN, "SL", struct.pack("<l", number))
        return item(_sequence(_POSITION, item(column, length=nested), nested), length=each)

    return _sequence(_PER_FRAME, b"".join(one(n) for n in range(1, count + 1)), sequence)


def _sequence(tag: int, value: bytes, length: int | None) -> bytes:
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) if length == UNDEFINED else b""
    return element(tag, "SQ", value, length=length) + end


def data_set(groups_: bytes, *, shared: int | None = None) -> bytes:
    """Return a head: a character set, shared groups, those of the frames, an overlay, an offset table."""
    text = element(0x00080005, "CS", b"ISO_IR 192") + element(0x00104000, "LT", "ä ".encode() + b" ")
    common = _sequence(_SHARED, item(element(0x00280030, "DS", b"0.5\\0.5 "), length=shared), shared)
    return text + common + groups_ + element(0x60000010, "US", struct.pack("<H", 8)) + _TABLE


def column(head: Head, number: int) -> Any:
    """Return the position of a frame."""
    group = Frame(head, number).group("PlanePositionSlideSequence")
    return None if group is None else group.value(_COLUMN)


@pytest.mark.parametrize("sequence", [None, UNDEFINED])
@pytest.mark.parametrize("each", [None, UNDEFINED])
@pytest.mark.parametrize("nested", [None, UNDEFINED])
def test_one_frame_is_read_as_all_are(sequence: int | None, each: int | None, nested: int | None) -> None:
    data = data_set(groups(_COUNT, sequence=sequence, each=each, nested=nested), shared=each)
    whole = read_head(data, EXPLICIT)
    for number in (1, 17, _COUNT):
        head = read_head_of_frame(data, EXPLICIT, number)
        assert column(head, number) == column(whole, number) == number
        assert len(head.items(_PER_FRAME)) == _COUNT
        for tag in (0x00104000, 0x60000010):
            assert head.value(tag) == whole.value(tag) is not None
        assert head.items(_SHARED)[0].value(0x00280030) == ["0.5", "0.5"]
        assert column(head, number % _COUNT + 1) is None  # of the others nothing was read


@pytest.mark.parametrize(
    "broken",
    [
        data_set(b""),
        data_set(groups(2)),  # fewer groups than frames
        data_set(groups(9, sequence=UNDEFINED)).replace(struct.pack("<HHL", 0xFFFE, 0xE0DD, 0), b""),
        data_set(element(_PER_FRAME, "UN", groups(9)[12:])),
        element(0x60000010, "US", b"\1\0") + data_set(groups(9)),
    ],
)
def test_what_cannot_be_cut_is_read_whole(broken: bytes) -> None:
    whole, head = read_head(broken, EXPLICIT), read_head_of_frame(broken, EXPLICIT, 7)
    assert column(head, 7) == column(whole, 7)
    assert len(head.items(_PER_FRAME)) == len(whole.items(_PER_FRAME))


def test_a_head_that_ends_early_cannot_be_read_for_a_frame_either() -> None:
    with pytest.raises(NotDecodable):
        read_head_of_frame(data_set(groups(9))[:-100], EXPLICIT, 7)


def test_implicit_vr_is_read_whole() -> None:
    own = item(element(_POSITION, None, item(element(_COLUMN, None, struct.pack("<l", 5)))))
    head = read_head_of_frame(element(_PER_FRAME, None, own * 3), IMPLICIT, 2)
    assert column(head, 2) == 5


def test_a_frame_of_very_many_takes_neither_the_time_nor_the_memory_of_all() -> None:
    count = 30_000
    data = data_set(groups(count))
    assert len(data) > 2**20
    tracemalloc.start()
    head = head_of(data, EXPLICIT, count)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert column(head, count) == count
    assert peak < 2 * len(data), peak
    times = []
    for read in (lambda: head_of(data, EXPLICIT, count), lambda: read_head(data, EXPLICIT)):
        start = time.process_time()
        read()
        times.append(time.process_time() - start)
    assert times[0] < times[1] / 4, times
