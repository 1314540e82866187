"""The inflated form of a Deflated data set (PS3.5 A.5), which byte ranges of such an instance address."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from archive.dicom.source import Source
from archive.errors import NotDicom

_CHUNK = 65_536


def inflate(source: Source, offset: int, target: BinaryIO, limit: int) -> None:
    """Write the bytes before `offset` as they are, then the rest inflated, to `target`.

    Raise NotDicom where the stream is broken or cut off, or inflates to more than `limit` bytes. Streams that
    have a zlib header against the standard are taken too.
    """
    _copy(source, offset, target)
    head = source.read_at(offset, 2)
    zlib_header = len(head) == 2 and head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0
    try:
        _inflate(source, offset, target, limit, wbits=-15)
    except zlib.error as error:
        if not zlib_header:
            raise NotDicom("the Deflated data set cannot be inflated") from error
        target.seek(offset)
        target.truncate()
        try:
            _inflate(source, offset, target, limit, wbits=15)
        except zlib.error:
            raise NotDicom("the Deflated data set cannot be inflated") from error


def _copy(source: Source, end: int, target: BinaryIO) -> None:
    at = 0
    while at < end:
        data = source.read_at(at, min(_CHUNK, end - at))
        target.write(data)
        at += len(data)


def _inflate(source: Source, offset: int, target: BinaryIO, limit: int, *, wbits: int) -> None:
    decompressor = zlib.decompressobj(wbits=wbits)
    at, total = offset, 0
    while not decompressor.eof:
        data = decompressor.unconsumed_tail
        if not data:
            data = source.read_at(at, _CHUNK)
            at += len(data)
            if not data:
                raise NotDicom("the Deflated data set ends too early")
        part = decompressor.decompress(data, _CHUNK)
        total += len(part)
        if total > limit:
            raise NotDicom(f"the Deflated data set inflates to more than {limit} bytes, which is the limit")
        target.write(part)
