"""Deflated data sets (PS3.5 A.5) inflated to a temporary file, with a bound."""

from __future__ import annotations

import tempfile
import zlib
from typing import BinaryIO, cast

from archive.dicom.source import Source
from archive.errors import NotDicom

_MEMORY = 2**21
_BLOCK = 2**18


def inflated_form(source: Source, offset: int, most: int) -> BinaryIO:
    """Return a file of the bytes before `offset` as they are, and the data set behind it inflated.

    Raise NotDicom where it inflates to more than `most` bytes, or not to its end. The caller closes the file.
    """
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_MEMORY, prefix="filmroom-"))  # noqa: SIM115
    try:
        file.write(source.read_at(0, offset))
        _inflate(source, offset, most, file)
    except BaseException:
        file.close()
        raise
    return file


def _inflate(source: Source, offset: int, most: int, file: BinaryIO) -> None:
    # Raw deflate is what the standard says; some writers put a zlib header before it.
    window = 15 if _has_zlib_header(source.read_at(offset, 2)) else -15
    inflate = zlib.decompressobj(window)
    at, left = offset, most
    while not inflate.eof:
        data = inflate.unconsumed_tail or source.read_at(at, _BLOCK)
        if not inflate.unconsumed_tail:
            at += len(data)
        if not data:
            raise NotDicom("the deflated data set is cut off before its end")
        try:
            out = inflate.decompress(data, _BLOCK)
        except zlib.error as error:
            raise NotDicom("the data set cannot be inflated, as its transfer syntax says") from error
        left -= len(out)
        if left < 0:
            raise NotDicom(f"the data set inflates to more than {most} bytes (FILMROOM_MAX_INFLATED)")
        file.write(out)


def _has_zlib_header(head: bytes) -> bool:
    return len(head) == 2 and head[0] == 0x78 and int.from_bytes(head, "big") % 31 == 0
