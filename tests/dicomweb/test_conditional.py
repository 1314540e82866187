"""ETags and ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dicomweb.conditional import matches, parse_range
from archive.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "etag", "same"),
    [
        (None, '"a"', False),
        ('"a"', '"a"', True),
        ('W/"a"', '"a"', True),
        ('"a"', 'W/"a"', True),
        ('"b", "a"', '"a"', True),
        ('"b,"a"', '"a"', False),
        ("*", '"a"', True),
        ("a", '"a"', False),
        ('"A"', '"a"', False),
        ("", '"a"', False),
    ],
)
def test_if_none_match(header: str | None, etag: str, same: bool) -> None:
    assert matches(header, etag) is same


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-1", (0, 2)),
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, 5)),
        ("bytes=-3", (7, 3)),
        ("bytes=-300", (0, 10)),
        ("bytes=2-99", (2, 8)),
        ("Bytes = 2 - 3", (2, 2)),
        ("bytes=0-99999999999999999999", (0, 10)),
        ("bytes=-99999999999999999999", (0, 10)),
        ("bytes=0-1,4-5", None),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=\u0661-", None),
    ],
)
def test_ranges(header: str | None, part: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999-"])
def test_ranges_beyond_the_end(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, 10)
    assert caught.value.size == 10


def test_nothing_has_no_range() -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=0-", 0)


@pytest.mark.parametrize(
    ("if_range", "etag", "part"),
    [
        ('"a"', '"a"', (1, 1)),
        ('"b"', '"a"', None),
        ('W/"a"', '"a"', None),
        ('W/"a"', 'W/"a"', None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", '"a"', None),
    ],
)
def test_if_range(if_range: str, etag: str, part: tuple[int, int] | None) -> None:
    assert parse_range("bytes=1-1", 10, if_range, etag) == part


@given(st.text(max_size=20) | st.from_regex(r"bytes=\d*-\d*", fullmatch=True), st.integers(0, 1000))
def test_any_range_lies_within(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    if part is not None:
        first, length = part
        assert 0 <= first < size
        assert 1 <= length <= size - first
