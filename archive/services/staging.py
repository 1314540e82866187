"""Bytes of one incoming instance, hashed on their way into a draft of the object store.

They are read and compared while they are a draft; archive/services/store_objects.py makes an object of it. A
file that is on this machine already stays where it is until then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from archive.errors import TooLarge
from archive.services.behind import Behind
from storage.contract import Draft
from storage.errors import StorageError

_BLOCK = 2**20
_END = b""
_LARGE = 2**21
"""Bytes from which on another thread is worth while."""
_HEAD = 2**16 + 2**12
"""Bytes at the start that are kept in memory: a window of the walk, behind preamble and file meta."""


class Staged:
    """One incoming instance, a Source of archive/dicom/source.py. Whoever made it closes it."""

    def __init__(self, begin: Callable[[], Draft], *, largest: int, executor: Executor | None = None) -> None:
        """Write to a draft that `begin` gives, and refuse more than `largest` bytes.

        With an executor the bytes of a large one are hashed and written by another thread, while more of them
        come and while their head is read; for a small one the change of threads costs what it saves.
        """
        self.draft: Draft | None = None
        self.file: BinaryIO | None = None  # of one that stays in place
        self.size = 0
        self._begin = begin
        self._largest = largest
        self._hash = hashlib.sha256()
        self._head = bytearray()
        self._trouble: StorageError | None = None
        self._executor = executor
        self._behind: Behind | None = None

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
        """Add bytes; raise TooLarge past the limit of one instance. Memory that may change is not held."""
        self.size += len(data)
        if self.size > self._largest:
            raise TooLarge(f"an instance is longer than {self._largest} bytes (FILMROOM_MAX_INSTANCE)")
        if len(self._head) < _HEAD:
            self._head += data[: _HEAD - len(self._head)]
        if self._behind is None and self._executor is not None and self.size > _LARGE:
            self._behind = Behind(self._executor, self._take)
        if self._behind is None:
            self._take(data)
        else:
            self._behind.put(data if memoryview(data).readonly else bytes(data))

    def end(self) -> None:
        """Say that all bytes are written, so that the store may begin to make them durable."""
        if self._behind is not None:
            self._behind.put(_END)
        else:
            self._take(_END)

    def _take(self, data: bytes | memoryview) -> None:
        """Hash and write a piece; an empty one is the end."""
        self._hash.update(data)
        if self._trouble is not None:
            return
        try:
            if self.draft is None and data:
                self.draft = self._begin()
            if self.draft is not None:
                self.draft.write(data) if data else self.draft.end()
        except StorageError as error:
            self._trouble = error

    def _settle(self) -> None:
        """Wait for the other thread, where there is one."""
        if self._behind is not None:
            self._behind.settle()

    @property
    def trouble(self) -> StorageError | None:
        """What the object store said to the bytes: they cannot be stored, but their head can be read."""
        self._settle()
        return self._trouble

    @cached_property
    def sha256(self) -> str:
        """The hex digest of all bytes, when they are all written."""
        self._settle()
        return self._hash.hexdigest()

    @property
    def memory(self) -> int:
        """Bytes of memory that grow with this instance."""
        return 0 if self.draft is None else self.draft.memory

    def head(self) -> bytes:
        """Return the first bytes, which are in memory whatever the store says."""
        return bytes(self._head)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end; raise StorageError where they are lost."""
        if offset + length <= len(self._head) or len(self._head) == self.size:
            return bytes(memoryview(self._head)[offset : offset + length])
        if self.file is not None:
            self.file.seek(offset)
            return self.file.read(length)
        if self.trouble is not None:
            raise self.trouble
        return b"" if self.draft is None else self.draft.read_at(offset, length)

    def close(self) -> None:
        """Give back the draft; the object that was made of it stays."""
        if self._behind is not None:
            self._behind.close()
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
