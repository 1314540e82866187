"""The JSON text of a data set while it is being written: in memory, then on disk, put in order at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

_MEMORY = 2**20
_BLOCK = 2**18

Chunk = bytes | tuple[int, int]
"""Text, or offset and length of text in the file."""


class JsonText:
    """The members of the outermost object: whole, or begun and then added to in any number of parts."""

    def __init__(self) -> None:
        self._members: list[tuple[int, list[Chunk]]] = []
        self._held = 0
        self._file: IO[bytes] | None = None

    def member(self, tag: int, text: bytes) -> None:
        """Add a whole member."""
        self._members.append((tag, [text]))
        self._held += len(text)
        if self._held > _MEMORY:
            self._spill()

    def begin(self, tag: int) -> None:
        """Begin a member; its text comes by `add`."""
        self._members.append((tag, []))

    def add(self, text: bytes) -> None:
        """Add text to the member that was begun last."""
        self._members[-1][1].append(text)
        self._held += len(text)
        if self._held > _MEMORY:
            self._spill()

    def chunks(self) -> Iterator[bytes]:
        """Give the object's text, members by ascending tag; of equal tags the last one counts."""
        members = dict(self._members)
        tags = [tag for tag, _ in self._members]
        ordered = members.items() if sorted(members) == tags else sorted(members.items())
        before = b"{"
        for _, chunks in ordered:
            yield before
            before = b","
            for chunk in chunks:
                if isinstance(chunk, bytes):
                    yield chunk
                else:
                    yield from self._read(*chunk)
        yield b"}" if members else b"{}"

    def blocks(self) -> Iterator[bytes]:
        """Give the same in pieces that are not short, but for the last."""
        held: list[bytes] = []
        size = 0
        for chunk in self.chunks():
            held.append(chunk)
            size += len(chunk)
            if size >= _BLOCK:
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)

    def close(self) -> None:
        """Give back the file."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        """Move what is held to the file, the parts of a member as one."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="filmroom-")  # noqa: SIM115 closed by close()
        for _, chunks in reversed(self._members):
            held = [chunk for chunk in chunks if isinstance(chunk, bytes)]
            if not held and chunks:
                break  # what is before this member was moved earlier
            offset = self._file.seek(0, 2)
            length = self._file.write(b"".join(held))
            chunks[:] = [chunk for chunk in chunks if not isinstance(chunk, bytes)]
            chunks.append((offset, length))
        self._held = 0

    def _read(self, offset: int, length: int) -> Iterator[bytes]:
        file = self._file
        while file is not None and length > 0:
            file.seek(offset)
            block = file.read(min(_BLOCK, length))
            yield block
            offset, length = offset + len(block), length - len(block)
