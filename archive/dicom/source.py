"""Bytes that are read at random places: those in memory and those of an open file.

Owns nothing: whoever opened a file closes it. A file is read by `pread`, never mapped, so that what was read
does not count as memory of the process.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Protocol


class Source(Protocol):
    """Bytes of known size; several readers may use one at the same time."""

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes from `offset` on: `length` of them, fewer only at the end."""
        ...


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end."""
        return self._data[offset : offset + length]


class FileSource:
    """A file on disk, by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end."""
        data = os.pread(self._descriptor, length, offset)
        if len(data) == length or not data:
            return data
        parts = [data]  # a signal or the kernel's limit of 2 GiB may cut a read short
        got = len(data)
        while got < length and (data := os.pread(self._descriptor, length - got, offset + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)


class StreamSource:
    """A seekable binary file, perhaps still spooled in memory; one reader at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, os.SEEK_END)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end."""
        self._stream.seek(offset)
        return self._stream.read(length)
