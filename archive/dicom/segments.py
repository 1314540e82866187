"""Packed metadata: the DICOM JSON of an instance, compressed so that many are joined as they are.

A packed text is a row of pieces. Each is a raw deflate stream ended by a full flush, so that it refers to
nothing before it and ends at a whole byte, after a header of its compressed length, CRC-32 and plain length.
Between two pieces stands the base of a BulkDataURI, which depends on the request that is answered. Joined
pieces, with stored blocks between them, are one gzip member (RFC 1951, RFC 1952).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from json import dumps
from typing import Any

from archive.dicom.crc32 import combine

_PIECE = struct.Struct("<LLQ")  # compressed length, CRC-32, plain length
_CHUNK = 65_536
_SLICE = 16_384  # of compressed bytes, for what is left of them is copied
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_FINAL_BLOCK = b"\x03\0"  # an empty block with fixed codes, marked as the last


class SegmentWriter:
    """Packs one text, of which it holds the packed form only."""

    def __init__(self) -> None:
        self._crc = self._length = self._start = 0
        self._out = bytearray()
        # One for all pieces: after a full flush it refers to nothing before, and a new one would cost more.
        self._compressor = zlib.compressobj(level=6, wbits=-15)
        self._begin()

    def write(self, text: bytes) -> None:
        """Add UTF-8 text; each call costs more than a hundred bytes do."""
        self._crc = zlib.crc32(text, self._crc)
        self._length += len(text)
        self._out += self._compressor.compress(text)

    def cut(self) -> None:
        """Say that the base of a BulkDataURI stands here."""
        self._end()
        self._begin()

    def finish(self) -> bytes:
        """End the text and return it packed."""
        self._end()
        return bytes(self._out)

    def _begin(self) -> None:
        self._start = len(self._out)
        self._out += bytes(_PIECE.size)
        self._crc = 0
        self._length = 0

    def _end(self) -> None:
        self._out += self._compressor.flush(zlib.Z_FULL_FLUSH)
        packed = len(self._out) - self._start - _PIECE.size
        _PIECE.pack_into(self._out, self._start, packed, self._crc, self._length)


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
            crc = combine(zlib.crc32(literal, crc), piece_crc, length)
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
    base = _in_json(base)
    decompressor = zlib.decompressobj(wbits=-15)  # one for all: each piece begins where a full flush ended
    waiting: list[bytes] = []
    size, separator = 0, b"["
    for each in packed:
        literal, separator = separator, b","
        for data, _, length in _pieces(each):
            size += len(literal) + length
            if waiting and size > _CHUNK:
                yield b"".join(waiting)
                waiting.clear()
                size = len(literal) + length
            waiting.append(literal)
            literal = base
            if length < _CHUNK:
                waiting.append(_short(data, length, decompressor))
            else:
                yield b"".join(waiting)
                yield from _long(data, length, decompressor)
                waiting.clear()
                size = 0
    waiting.append(b"]" if separator == b"," else b"[]")
    yield b"".join(waiting)


def plain_length(packed: Iterable[bytes], base: bytes) -> int:
    """Return the length of all that `join_plain` yields."""
    of_base, size, texts = len(_in_json(base)), 0, 0
    for each in packed:
        at, end = 0, len(each)
        while at < end:
            compressed, _, length = _PIECE.unpack_from(each, at)
            at += _PIECE.size + compressed
            size += length + of_base
        size -= of_base
        texts += 1
    return size + max(texts + 1, 2)


def text(packed: bytes, base: bytes) -> bytes:
    """Return one text as it was written, with the base put in at every cut."""
    decompressor = zlib.decompressobj(wbits=-15)
    parts = [b"".join(_long(data, length, decompressor)) for data, _, length in _pieces(packed)]
    return _in_json(base).join(parts)


def _short(data: bytes, length: int, decompressor: Any) -> bytes:
    part: bytes = decompressor.decompress(data, _CHUNK)  # has room for more, so that all of it is taken
    if len(part) != length:
        raise ValueError("packed metadata are damaged")
    return part


def _long(data: bytes, length: int, decompressor: Any) -> Iterator[bytes]:
    view, got = memoryview(data), 0
    for start in range(0, len(view), _SLICE):
        rest = view[start : start + _SLICE]
        while rest:
            part = decompressor.decompress(rest, _CHUNK)
            rest = decompressor.unconsumed_tail
            got += len(part)
            yield part
    while part := decompressor.decompress(b"", _CHUNK):  # what it holds without having more to read
        got += len(part)
        yield part
    if got != length:
        raise ValueError("packed metadata are damaged")


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
