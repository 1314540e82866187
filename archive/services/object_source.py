"""A stored object read at random places, a block at a time."""

from __future__ import annotations

from storage.contract import ObjectStore

_BLOCK = 2**18


class ObjectSource:
    """A Source (archive/dicom/source.py) over an object; one reader at a time, one block in memory."""

    def __init__(self, objects: ObjectStore, key: str, size: int) -> None:
        self.size = size
        self._objects = objects
        self._key = key
        self._base = 0
        self._block = b""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end."""
        length = max(min(length, self.size - offset), 0)
        if not length:
            return b""
        start = offset - self._base
        if start < 0 or start + length > len(self._block):
            wanted = min(max(length, _BLOCK), self.size - offset)
            self._block, self._base, start = self._objects.read(self._key, offset, wanted), offset, 0
        return self._block[start : start + length]
