"""Packed metadata: whatever is joined reads like the texts put together."""

from __future__ import annotations

import gzip
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from archive.dicom.segments import CUT, combine, join_gzip, join_plain, pack, text

BASE = "http://archive:8042/dicom-web"

values = st.lists(st.text(max_size=300) | st.just("{base}/x"), max_size=5)


def packed(value: list[str]) -> bytes:
    return pack([json.dumps(value, ensure_ascii=False).replace("{base}", "\0").encode("utf-8", "replace")])


@given(st.lists(values, max_size=8))
def test_joined_texts_are_one_gzip_member(texts: list[list[str]]) -> None:
    joined = b"".join(join_gzip(map(packed, texts), BASE.encode()))
    plain = b"".join(join_plain(map(packed, texts), BASE.encode()))
    inflate = zlib.decompressobj(31)
    assert inflate.decompress(joined) == plain
    assert inflate.eof
    assert not inflate.unused_data, "one member, nothing after it"
    assert gzip.decompress(joined) == plain
    assert [json.loads(text(each, BASE.encode())) for each in map(packed, texts)] == json.loads(plain)
    assert CUT not in plain


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_combined_checksums(first: bytes, second: bytes) -> None:
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_checksums_of_long_texts() -> None:
    block, whole, length = b"x" * 2**20, 0, 0
    for _ in range(64):
        whole = zlib.crc32(block, whole)
        length += len(block)
    assert combine(zlib.crc32(b"begin"), whole, length) == zlib.crc32(block * 64, zlib.crc32(b"begin"))


def test_a_base_that_json_must_escape() -> None:
    whole = b"".join(join_plain([pack([b'"\0/a"'])], b'http://h/"\\'))
    assert json.loads(whole) == ['http://h/"\\/a']


def test_long_texts_are_packed_in_parts() -> None:
    parts = [b'["', b"a" * 100_000, b"\0", b"b" * 3_000_000, b'"]']
    assert json.loads(text(pack(parts), b"BASE")) == ["a" * 100_000 + "BASE" + "b" * 3_000_000]
