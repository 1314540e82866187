"""Packed metadata: whatever is written and wherever it is cut, joining gives the same text."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dicom import crc32, segments


def pack(parts: list[bytes]) -> bytes:
    """Pack a text that is cut between the parts."""
    writer = segments.SegmentWriter()
    for number, part in enumerate(parts):
        if number:
            writer.cut()
        writer.write(part[: len(part) // 2])
        writer.write(part[len(part) // 2 :])
    return writer.finish()


TEXT = st.text(max_size=300).map(
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
)
PARTS = st.lists(TEXT, min_size=1, max_size=4)


@given(st.lists(PARTS, max_size=6), st.text(st.characters(codec="utf-8"), max_size=50))
def test_joined_texts_are_one_json_array(texts: list[list[bytes]], base: str) -> None:
    packed = [pack([b'{"a":"', *parts, b'"}']) for parts in texts]
    escaped = json.dumps(base, ensure_ascii=False)[1:-1].encode()
    singles = [escaped.join([b'{"a":"', *parts, b'"}']) for parts in texts]
    expected = b"[" + b",".join(singles) + b"]"
    assert b"".join(segments.join_plain(packed, base.encode())) == expected
    assert segments.plain_length(packed, base.encode()) == len(expected)
    joined = b"".join(segments.join_gzip(packed, base.encode()))
    assert gzip.decompress(joined) == expected
    decompressor = zlib.decompressobj(wbits=31)
    assert decompressor.decompress(joined) == expected
    assert decompressor.eof
    assert not decompressor.unused_data  # one member, whole
    assert [segments.text(each, base.encode()) for each in packed] == singles
    json.loads(expected)


def test_nothing_is_an_empty_array() -> None:
    assert gzip.decompress(b"".join(segments.join_gzip([], b"x"))) == b"[]"
    assert b"".join(segments.join_plain([], b"x")) == b"[]"


def test_large_texts_spool_and_stream() -> None:
    part = b"".join(hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(90_000))
    packed = pack([part, b"tail"])
    assert segments.text(packed, b"base") == part + b"base" + b"tail"
    assert max(len(chunk) for chunk in segments.join_plain([packed], b"")) <= 65_536


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 65_535, 65_536, 70_001, 2**24 + 3])
def test_checks_of_parts_are_that_of_the_whole(length: int) -> None:
    first, second = b"first", b"\xa5" * length
    whole = crc32.combine(zlib.crc32(first), zlib.crc32(second), length)
    assert whole == zlib.crc32(first + second)


def test_damaged_texts_are_not_sent_as_whole_ones() -> None:
    good = pack([b"x" * 50, b"y" * 100_000])
    short = good[:8] + (49).to_bytes(8, "little") + good[16:]
    for read in (lambda: b"".join(segments.join_plain([short], b"")), lambda: segments.text(short, b"")):
        with pytest.raises(ValueError, match="damaged"):
            read()


def test_joining_many_is_cheap() -> None:
    packed = [pack([b'{"n":%d,"u":"' % n + b"x" * (n % 700), b'/studies/1"}']) for n in range(500)]
    started = time.perf_counter()
    joined = b"".join(segments.join_gzip(packed, b"https://host/dicom-web"))
    assert time.perf_counter() - started < 2
    assert len(json.loads(gzip.decompress(joined))) == 500
