"""The contract that every driver keeps, and that tests/storage/ runs on each.

Objects are immutable: a key is written once and never again. Keys are ASCII letters, digits, `.`, `_` and `-`
in segments joined by `/`; no segment is empty, `.` or `..`, and none is longer than 255 characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol

from storage.errors import StorageError
from storage.file_range import FileRange


class Body(Protocol):
    """Bytes on their way into the store: seekable, so that an attempt can be made again."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to `offset`."""
        ...


class Draft(Protocol):
    """Bytes on their way into the store that have no key yet. Whoever began it closes it."""

    @property
    def size(self) -> int:
        """Return how many bytes were written."""
        ...

    @property
    def memory(self) -> int:
        """Return how many bytes of memory it takes."""
        ...

    def write(self, data: bytes | memoryview, /) -> None:
        """Add bytes. Raise StorageError's children for what the store says, OSError for temporary files."""
        ...

    def read_at(self, offset: int, length: int, /) -> bytes:
        """Return `length` of the bytes written from `offset` on, fewer at the end."""
        ...

    def end(self) -> None:
        """Say that all is written, so that the store may begin to make it durable."""
        ...

    def close(self) -> None:
        """Throw away what was not placed."""
        ...


@dataclass(frozen=True, slots=True)
class Placement:
    """A draft and what is to become of it. `sha256` is the hex digest of the bytes given to `write`."""

    draft: Draft
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a listing."""

    key: str
    size: int  # bytes
    modified: datetime  # aware


class ObjectReader(Protocol):
    """Bytes on their way out. Whoever opened it closes it."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end; raise ObjectDamaged where the end comes too early."""
        ...

    def file_range(self) -> FileRange | None:
        """Return what is left as a part of a file, open until `close`; None where it is in none."""
        ...

    def close(self) -> None:
        """Give back what the reader holds."""
        ...

    def __enter__(self) -> ObjectReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.close()


class ObjectStore(Protocol):
    """A place for immutable objects. Every method raises StorageError's children only (storage/errors.py)."""

    @property
    def in_files(self) -> bool:
        """Tell whether readers have a `file_range`: nothing is gained by asking for bytes early."""
        ...

    def put(self, key: str, body: Body, size: int, sha256: str) -> None:
        """Write `size` bytes from the body's start; return when they are durable.

        `sha256` is the hex digest of the bytes; a store that can check it does. Nothing is at `key` when this
        raises, or the whole object is.
        """
        ...

    def begin(self, memory: int) -> Draft:
        """Return an empty draft; one that waits on this machine takes at most `memory` bytes of memory."""
        ...

    def place(self, placements: Sequence[Placement]) -> list[StorageError | None]:
        """Make objects of drafts, all at once; return when they are durable, with each one's error or None.

        For each the same holds as for `put`: with an error nothing is at its key, or the whole object is. The
        drafts are closed by their owner afterwards.
        """
        ...

    def open(self, key: str, start: int = 0, length: int | None = None) -> ObjectReader:
        """Open `length` bytes from `start`, or all to the end. Raise ObjectNotFound at once."""
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes from `start`, or all to the end, in one piece."""
        ...

    def size(self, key: str) -> int:
        """Return the object's length in bytes."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; silent where there is none."""
        ...

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Go through the objects whose key starts with `prefix` and sorts after `after`, in key order."""
        ...

    def check(self) -> None:
        """Ask the store something; raise StoreUnavailable where it does not answer."""
        ...

    def close(self) -> None:
        """Give back connections and threads."""
        ...
