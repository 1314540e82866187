"""A draft that waits on this machine for its store: in memory up to a limit, then in a temporary file."""

from __future__ import annotations

import io
import os
import tempfile
from typing import BinaryIO


class SpooledDraft:
    """A Draft whose bytes are sent when it is placed; `body` is what is sent."""

    def __init__(self, memory: int) -> None:
        """Keep up to `memory` bytes in memory."""
        self.body: BinaryIO = io.BytesIO()
        self.size = 0
        self._most = memory

    @property
    def memory(self) -> int:
        """See Draft.memory."""
        return self.size if isinstance(self.body, io.BytesIO) else 0

    def write(self, data: bytes | memoryview, /) -> None:
        """See Draft.write. Raise OSError where the folder of temporary files fails: no fault of the store."""
        if isinstance(self.body, io.BytesIO) and self.size + len(data) > self._most:
            self.body = _on_disk(self.body)
        self.body.seek(0, os.SEEK_END)
        self.body.write(data)
        self.size += len(data)

    def read_at(self, offset: int, length: int, /) -> bytes:
        """See Draft.read_at."""
        self.body.seek(offset)
        return self.body.read(length)

    def end(self) -> None:
        """See Draft.end: nothing is sent before there is a key."""

    def close(self) -> None:
        """See Draft.close."""
        self.body.close()


def _on_disk(memory: io.BytesIO) -> BinaryIO:
    file = tempfile.TemporaryFile(prefix="filmroom-")  # noqa: SIM115 closed by SpooledDraft.close
    try:
        file.write(memory.getbuffer())
    except BaseException:
        file.close()
        raise
    return file
