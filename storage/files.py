"""Single files of a folder store: one that is being written, one that is being read, and what errors mean."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from storage.contract import ObjectReader
from storage.errors import BadKey, ObjectDamaged, StorageError, StoreFull, StoreUnavailable
from storage.file_range import FileRange
from storage.writeback import begin_writeback

_FULL = {errno.ENOSPC, errno.EDQUOT}
_WRITEBACK = 2**23  # bytes after which the disk begins to write, while more come


class FileDraft:
    """A Draft that is a temporary file of the disk where its object will be."""

    memory = 0

    def __init__(self, folder: str) -> None:
        """Make an empty file in `folder`, which is on the same disk as the objects."""
        self.path = f"{folder}/{os.urandom(16).hex()}"
        self.size = 0
        self._begun = 0
        self._file = -1
        with translated():
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def write(self, data: bytes | memoryview, /) -> None:
        """See Draft.write."""
        rest = memoryview(data)
        with translated():
            while rest:
                written = os.pwrite(self._file, rest, self.size)
                self.size += written
                rest = rest[written:]
        if self.size - self._begun >= _WRITEBACK:
            begin_writeback(self._file, self._begun, self.size - self._begun)
            self._begun = self.size

    def read_at(self, offset: int, length: int, /) -> bytes:
        """See Draft.read_at."""
        with translated():
            data = os.pread(self._file, length, offset)
            parts, got = [data], len(data)
            while data and got < length:  # a signal or the kernel's limit of 2 GiB may cut a read short
                data = os.pread(self._file, length - got, offset + got)
                parts.append(data)
                got += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def end(self) -> None:
        """See Draft.end."""
        begin_writeback(self._file, self._begun)

    def flush(self) -> None:
        """Make the bytes durable, under whatever name the file has. Raise OSError."""
        os.fsync(self._file)

    def close(self) -> None:
        """See Draft.close. Links to other names stay."""
        if self._file < 0:
            return
        os.close(self._file)
        self._file = -1
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)  # noqa: PTH108


class FileReader(ObjectReader):
    """An ObjectReader over a part of a file."""

    def __init__(self, file: int, start: int, length: int) -> None:
        self._file = file
        self._position = start
        self._end = start + length

    def read(self, size: int, /) -> bytes:
        """See ObjectReader.read."""
        wanted = min(size, self._end - self._position)
        if wanted <= 0:
            return b""
        with translated():
            data = os.pread(self._file, wanted, self._position)
        if not data:
            raise ObjectDamaged(f"the file ended at byte {self._position} of {self._end}")
        self._position += len(data)
        return data

    def file_range(self) -> FileRange:
        """See ObjectReader.file_range."""
        return FileRange(self._file, self._position, self._end - self._position)

    def close(self) -> None:
        """See ObjectReader.close."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def file_length(file: int, start: int, length: int | None) -> int:
    """Return how many bytes of an open file a range has; raise ObjectDamaged where the file is shorter."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise FileNotFoundError
    wanted = found.st_size - start if length is None else length
    if wanted < 0 or start + wanted > found.st_size:
        raise ObjectDamaged(f"the object has {found.st_size} bytes, fewer than were asked for")
    return wanted


@contextmanager
def translated() -> Iterator[None]:
    """Raise what a driver may raise in place of OSError."""
    try:
        yield
    except OSError as error:
        raise _meaning(error) from error


def _meaning(error: OSError) -> StorageError:
    if isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)):
        return BadKey("the key, or a beginning of it, is in use")
    if error.errno in _FULL:
        return StoreFull("the disk is full")
    if error.errno == errno.ENAMETOOLONG:
        return BadKey("the key is too long for the disk")
    return StoreUnavailable(f"the disk answers: {error.strerror}")
