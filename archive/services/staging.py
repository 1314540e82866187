"""Bytes of one incoming instance, held while they are hashed, read and sent to the store.

In memory up to a limit, then in a temporary file; a file that is on this machine already stays where it is.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path
from typing import BinaryIO

from archive.dicom.source import BytesSource, FileSource, Source
from archive.errors import TooLarge

_BLOCK = 2**20


class Staged:
    """One incoming instance. Write it, then read it as often as needed; whoever made it closes it."""

    def __init__(self, *, memory: int, largest: int) -> None:
        """Keep up to `memory` bytes in memory and refuse more than `largest`."""
        self._file: BinaryIO = io.BytesIO()
        self._memory = memory
        self._largest = largest
        self._hash = hashlib.sha256()
        self.size = 0

    @classmethod
    def of_file(cls, path: Path) -> Staged:
        """Stage a file in place. It must not change before it is stored; the hash finds a change."""
        staged = cls(memory=0, largest=2**62)
        staged._file = path.open("rb")
        while block := staged._file.read(_BLOCK):
            staged._hash.update(block)
            staged.size += len(block)
        return staged

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes; raise TooLarge past the limit of one instance."""
        self.size += len(data)
        if self.size > self._largest:
            raise TooLarge(f"an instance is longer than {self._largest} bytes (FILMROOM_MAX_INSTANCE)")
        if isinstance(self._file, io.BytesIO) and self.size > self._memory:
            self._file = _on_disk(self._file)
        self._hash.update(data)
        self._file.write(data)

    @property
    def sha256(self) -> str:
        """The hex digest of all bytes written so far."""
        return self._hash.hexdigest()

    @property
    def memory(self) -> int:
        """Bytes of memory that this instance takes."""
        return self.size if isinstance(self._file, io.BytesIO) else 0

    @property
    def file(self) -> BinaryIO:
        """The bytes as a seekable file, shared by all who read it: one at a time."""
        return self._file

    def source(self) -> Source:
        """The bytes for reading at random places."""
        if isinstance(self._file, io.BytesIO):
            return BytesSource(self._file.getvalue())
        self._file.flush()
        return FileSource(self._file.fileno())

    def close(self) -> None:
        """Give back the memory or the temporary file."""
        self._file.close()


def _on_disk(memory: io.BytesIO) -> BinaryIO:
    file = tempfile.TemporaryFile(prefix="filmroom-")  # noqa: SIM115 closed by Staged.close
    file.write(memory.getbuffer())
    return file
