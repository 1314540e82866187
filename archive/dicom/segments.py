"""Packed metadata: the DICOM JSON of an instance, compressed so that many are joined as they are.

A packed text is a row of pieces. Each is a raw deflate stream ended by a full flush, so that it refers to
nothing before it and ends at a whole byte, after a header of its compressed length, CRC-32 and plain length.
Between two pieces stands the base of a BulkDataURI, which depends on the request that is answered. Joined
pieces, with stored blocks between them, are one gzip member (RFC 1951, RFC 1952).
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from json import dumps

_PIECE = struct.Struct("<LLQ")  # compressed length, CRC-32, plain length
_SPOOL = 2**20
_CHUNK = 65_536
_POLYNOMIAL = 0xEDB88320
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_FINAL_BLOCK = b"\x03\0"  # an empty block with fixed codes, marked as the last


class SegmentWriter:
    """Packs one text; holds a fixed amount of memory while it is written. Use as a context manager."""

    def __init__(self) -> None:
        self._crc = self._length = self._start = 0
        self._out = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 closed by close()
        self._begin()

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the temporary file."""
        self._out.close()

    def write(self, text: bytes) -> None:
        """Add UTF-8 text."""
        self._crc = zlib.crc32(text, self._crc)
        self._length += len(text)
        self._out.write(self._compressor.compress(text))

    def cut(self) -> None:
        """Say that the base of a BulkDataURI stands here."""
        self._end()
        self._begin()

    def finish(self) -> bytes:
        """End the text and return it packed."""
        self._end()
        self._out.seek(0)
        return self._out.read()

    def _begin(self) -> None:
        self._start = self._out.tell()
        self._out.write(bytes(_PIECE.size))
        self._compressor = zlib.compressobj(level=6, wbits=-15)
        self._crc = 0
        self._length = 0

    def _end(self) -> None:
        self._out.write(self._compressor.flush(zlib.Z_FULL_FLUSH))
        end = self._out.tell()
        self._out.seek(self._start)
        self._out.write(_PIECE.pack(end - self._start - _PIECE.size, self._crc, self._length))
        self._out.seek(end)


def join_gzip(packed: Iterable[bytes], base: bytes) -> Iterator[bytes]:
    """Yield a gzip file of the JSON array of all the texts, each base put in; nothing is decompressed.

    `base` is the beginning of every BulkDataURI, at most 65,000 bytes.
    """
    base = _in_json(base)
    stored_base, crc, size = _stored(base), 0, 0
    chunks: list[bytes] = [_GZIP_HEAD]
    waiting = 0
    separator = b"["
    for each in packed:
        literal, block = separator, _stored(separator)
        for data, piece_crc, length in _pieces(each):
            crc = _combine(zlib.crc32(literal, crc), piece_crc, length)
            size += len(literal) + length
            chunks += (block, data)
            waiting += len(block) + len(data)
            literal, block = base, stored_base
        separator = b","
        if waiting >= _CHUNK:
            yield b"".join(chunks)
            chunks.clear()
            waiting = 0
    tail = b"]" if separator == b"," else b"[]"
    crc, size = zlib.crc32(tail, crc), size + len(tail)
    chunks += (_stored(tail), _FINAL_BLOCK, struct.pack("<LL", crc, size & 0xFFFFFFFF))
    yield b"".join(chunks)


def join_plain(packed: Iterable[bytes], base: bytes) -> Iterator[bytes]:
    """Yield the JSON array of all the texts as plain UTF-8, in parts of bounded size."""
    separator = b"["
    for each in packed:
        yield separator
        yield from _plain(each, base)
        separator = b","
    yield b"]" if separator == b"," else b"[]"


def text(packed: bytes, base: bytes) -> bytes:
    """Return one text as it was written, with the base put in at every cut."""
    return b"".join(_plain(packed, base))


def _plain(packed: bytes, base: bytes) -> Iterator[bytes]:
    base = _in_json(base)
    for number, (data, _, length) in enumerate(_pieces(packed)):
        if number:
            yield base
        decompressor = zlib.decompressobj(wbits=-15)
        rest, got = data, 0
        while got < length:
            part = decompressor.decompress(rest, _CHUNK)
            rest, got = decompressor.unconsumed_tail, got + len(part)
            if not part and not rest:
                raise ValueError("packed metadata are damaged")
            yield part


def _pieces(packed: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (compressed bytes, CRC-32, plain length) of each piece."""
    at = 0
    while at < len(packed):
        size, crc, length = _PIECE.unpack_from(packed, at)
        at += _PIECE.size
        yield packed[at : at + size], crc, length
        at += size


def _in_json(base: bytes) -> bytes:
    return dumps(base.decode(), ensure_ascii=False)[1:-1].encode()


def _stored(data: bytes) -> bytes:
    """Return a stored block that is not the last (RFC 1951 3.2.4); it begins at a whole byte."""
    return struct.pack("<BHH", 0, len(data), len(data) ^ 0xFFFF) + data


def _combine(crc: int, next_crc: int, length: int) -> int:
    """Return the CRC-32 of two texts from that of each and the length of the second."""
    return _times(crc, _power(length)) ^ next_crc if length else crc


@lru_cache(maxsize=16_384)
def _power(length: int) -> int:
    """Return x to the power of 8 * length modulo the polynomial, bits reversed as CRC-32 has them."""
    power, bit = 1 << 31, 0
    while length:
        if length & 1:
            power = _times(_squares(bit), power)
        length >>= 1
        bit += 1
    return power


@lru_cache(maxsize=64)
def _squares(bit: int) -> int:
    """Return x ** (8 * 2 ** bit)."""
    if not bit:
        return 1 << 23
    half = _squares(bit - 1)
    return _times(half, half)


def _times(a: int, b: int) -> int:
    """Multiply two polynomials modulo that of CRC-32."""
    product = 0
    while b:
        if b & 0x80000000:
            product ^= a
        b = b << 1 & 0xFFFFFFFF
        a = a >> 1 ^ _POLYNOMIAL if a & 1 else a >> 1
    return product
