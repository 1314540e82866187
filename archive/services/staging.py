"""Bytes of one incoming instance, hashed on their way into a draft of the object store.

They are read and compared while they are a draft; archive/services/store_objects.py makes an object of it. A
file that is on this machine already stays where it is until then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from archive.errors import TooLarge
from storage.contract import Draft
from storage.errors import StorageError

_BLOCK = 2**20
_HEAD = 2**16 + 2**12
"""Bytes at the start that are kept in memory: a window of the walk, behind preamble and file meta."""


class Staged:
    """One incoming instance, a Source of archive/dicom/source.py. Whoever made it closes it.

    `trouble` is what the object store said to its bytes: they cannot be stored, but their head can be read.
    """

    def __init__(self, begin: Callable[[], Draft], *, largest: int) -> None:
        """Write to a draft that `begin` gives, and refuse more than `largest` bytes."""
        self.draft: Draft | None = None
        self.file: BinaryIO | None = None  # of one that stays in place
        self.trouble: StorageError | None = None
        self.size = 0
        self._begin = begin
        self._largest = largest
        self._hash = hashlib.sha256()
        self._head = bytearray()

    @classmethod
    def of_file(cls, path: Path) -> Staged:
        """Stage a file in place. It must not change before it is stored; the hash finds a change."""
        staged = cls(_no_draft, largest=2**62)
        staged.file = path.open("rb")
        while block := staged.file.read(_BLOCK):
            staged._hash.update(block)
            staged._head += block[: _HEAD - len(staged._head)]
            staged.size += len(block)
        return staged

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes; raise TooLarge past the limit of one instance. They are not held on to."""
        self.size += len(data)
        if self.size > self._largest:
            raise TooLarge(f"an instance is longer than {self._largest} bytes (FILMROOM_MAX_INSTANCE)")
        self._hash.update(data)
        if len(self._head) < _HEAD:
            self._head += data[: _HEAD - len(self._head)]
        if self.trouble is None:
            try:
                if self.draft is None:
                    self.draft = self._begin()
                self.draft.write(data)
            except StorageError as error:
                self.trouble = error

    def end(self) -> None:
        """Say that all bytes are written, so that the store may begin to make them durable."""
        if self.draft is not None and self.trouble is None:
            self.draft.end()

    @cached_property
    def sha256(self) -> str:
        """The hex digest of all bytes, when they are all written."""
        return self._hash.hexdigest()

    @property
    def memory(self) -> int:
        """Bytes of memory that grow with this instance."""
        return 0 if self.draft is None else self.draft.memory

    def head(self) -> bytes:
        """Return the first bytes, which are in memory whatever the store says."""
        return bytes(self._head)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end."""
        if offset + length <= len(self._head) or len(self._head) == self.size:
            return bytes(memoryview(self._head)[offset : offset + length])
        if self.file is not None:
            self.file.seek(offset)
            return self.file.read(length)
        return b"" if self.draft is None else self.draft.read_at(offset, length)

    def close(self) -> None:
        """Give back the draft; the object that was made of it stays."""
        if self.draft is not None:
            self.draft.close()
        if self.file is not None:
            self.file.close()


def _no_draft() -> Draft:
    raise AssertionError("a file in place is not written to")


class StagedReader:
    """Staged bytes from their start, each reader at its own place."""

    def __init__(self, staged: Staged) -> None:
        """Raise StorageError where the bytes are not whole."""
        if staged.trouble is not None:
            raise staged.trouble
        self._staged = staged
        self._position = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        data = self._staged.read_at(self._position, size)
        self._position += len(data)
        return data
