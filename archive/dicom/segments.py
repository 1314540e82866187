"""Packed metadata: DICOM JSON as deflated pieces that can be joined to one gzip stream as they are.

The text of an instance is cut where the address of the server stands (BulkDataURIs), because that depends on
the request. Each piece is raw deflate that ends with a full flush: it refers to nothing before it and ends on
a byte. Between pieces go stored blocks (RFC 1951 3.2.4), around all of them the frame of gzip (RFC 1952); the
CRC-32 of the whole is combined from those of the pieces.

    packed = count, then for each piece (crc32, length of the text, length deflated), then the pieces
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

CUT = b"\0"
"""Stands in a text where the server's address goes: JSON holds no such byte."""

_COUNT = struct.Struct("<I")
_PIECE = struct.Struct("<IQQ")
_LEVEL = 6
_BLOCK = 2**20

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"
_GZIP_TRAILER = struct.Struct("<II")
_STORED = struct.Struct("<BHH")

Piece = tuple[int, int, memoryview]
"""CRC-32 and length of the text, and the deflated bytes."""


def pack(text: Iterable[bytes]) -> bytes:
    """Pack a text, given in parts, that holds CUT wherever the server's address goes."""
    heads: list[bytes] = []
    bodies: list[bytes] = []
    piece = _PieceWriter()
    for part in text:
        first, *others = part.split(CUT)
        piece.write(first)
        for other in others:
            piece.finish(heads, bodies)
            piece = _PieceWriter()
            piece.write(other)
    piece.finish(heads, bodies)
    return b"".join((_COUNT.pack(len(heads)), *heads, *bodies))


class _PieceWriter:
    def __init__(self) -> None:
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        self._out: list[bytes] = []
        self._crc = 0
        self._length = 0

    def write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        self._out.append(self._deflate.compress(data))

    def finish(self, heads: list[bytes], bodies: list[bytes]) -> None:
        deflated = b"".join((*self._out, self._deflate.flush(zlib.Z_FULL_FLUSH)))
        heads.append(_PIECE.pack(self._crc, self._length, len(deflated)))
        bodies.append(deflated)


def pieces_of(packed: bytes) -> list[Piece]:
    """Return the pieces of packed metadata, nothing copied."""
    (count,) = _COUNT.unpack_from(packed)
    at = _COUNT.size + count * _PIECE.size
    view = memoryview(packed)
    pieces = []
    for index in range(count):
        crc, length, deflated = _PIECE.unpack_from(packed, _COUNT.size + index * _PIECE.size)
        pieces.append((crc, length, view[at : at + deflated]))
        at += deflated
    return pieces


def text(packed: bytes, base: bytes) -> bytes:
    """Return the JSON object of one instance; `base` is the address of the DICOMweb root."""
    return b"".join(_texts(packed, escaped(base)))


def join_plain(packed: Iterable[bytes], base: bytes) -> Iterator[bytes]:
    """Give the JSON array of many instances as text."""
    base = escaped(base)
    before = b"["
    for each in packed:
        yield before
        yield from _texts(each, base)
        before = b","
    yield b"]" if before == b"," else b"[]"


def _texts(packed: bytes, base: bytes) -> Iterator[bytes]:
    for index, (_, _, deflated) in enumerate(pieces_of(packed)):
        if index:
            yield base
        inflate = zlib.decompressobj(-15)
        yield inflate.decompress(deflated, _BLOCK)
        while inflate.unconsumed_tail:
            yield inflate.decompress(inflate.unconsumed_tail, _BLOCK)


def join_gzip(packed: Iterable[bytes], base: bytes) -> Iterator[bytes]:
    """Give the JSON array of many instances as one gzip member, without inflating anything."""
    base = escaped(base)
    address = _stored(base)
    crc = length = 0
    out: list[bytes | memoryview] = [_GZIP_HEADER]
    before = b"["
    for each in packed:
        out.append(_stored(before))
        crc, length = zlib.crc32(before, crc), length + 1
        for index, (piece_crc, piece_length, deflated) in enumerate(pieces_of(each)):
            if index:
                out.append(address)
                crc, length = zlib.crc32(base, crc), length + len(base)
            out.append(deflated)
            crc, length = combine(crc, piece_crc, piece_length), length + piece_length
        before = b","
        if len(out) > 256:
            yield b"".join(out)
            out = []
    end = b"]" if before == b"," else b"[]"
    crc, length = zlib.crc32(end, crc), length + len(end)
    out += (_stored(end), _LAST_BLOCK, _GZIP_TRAILER.pack(crc, length & 0xFFFFFFFF))
    yield b"".join(out)


def escaped(base: bytes) -> bytes:
    """Return an address as it stands inside a JSON string."""
    return json.dumps(base.decode())[1:-1].encode()


def _stored(data: bytes) -> bytes:
    return _STORED.pack(0, len(data), len(data) ^ 0xFFFF) + data


# CRC-32 of joined texts, after zlib's crc32_combine: appending n bytes multiplies the polynomial by x^(8n).

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31


def combine(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of two texts joined, from theirs and the length of the second."""
    return _multiply(_shift(length), first) ^ second


def _multiply(a: int, b: int) -> int:
    product = 0
    bit = _ONE
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _powers() -> tuple[int, ...]:
    """Return x^(2^n) for n from 0."""
    powers = [1 << 30]
    for _ in range(63):
        powers.append(_multiply(powers[-1], powers[-1]))
    return tuple(powers)


_POWERS = _powers()


@lru_cache(maxsize=65_536)
def _shift(length: int) -> int:
    """Return x^(8 length)."""
    result = _ONE
    for n, power in enumerate(_POWERS[3:]):
        if length >> n & 1:
            result = _multiply(power, result)
        if not length >> n:
            break
    return result
