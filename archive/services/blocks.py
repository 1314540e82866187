"""A byte range of an object as blocks on their way out: fixed memory, whatever its length.

The store is asked at once, so that an object that is missing fails before an answer has begun.
"""

from __future__ import annotations

from archive.dicom.byte_order import swap_words
from storage.contract import ObjectReader, ObjectStore
from storage.file_range import FileRange

_BLOCK = 2**20  # a multiple of every word


class Blocks:
    """The blocks of a range, gone through once; closes the object at its end, or when it is closed.

    Words of `word` bytes are swapped: the range then begins with a word. Of the swapped bytes, `skip` are
    left out at the beginning and `keep` are given.
    """

    def __init__(
        self,
        objects: ObjectStore,
        key: str,
        start: int,
        length: int,
        *,
        word: int = 1,
        skip: int = 0,
        keep: int | None = None,
    ) -> None:
        self._reader: ObjectReader | None = None  # also where opening it fails
        self._reader = objects.open(key, start, length)
        self._word = word
        self._skip = skip
        self._left = length - skip if keep is None else keep

    def __iter__(self) -> Blocks:
        return self

    def __next__(self) -> bytes:
        block = b"" if self._reader is None else self._read(self._reader)
        given = swap_words(block, self._word)[self._skip :][: self._left]
        self._skip = 0
        self._left -= len(given)
        if not given:
            self.close()
            raise StopIteration
        return given

    def file_range(self) -> FileRange | None:
        """Return all of it as a part of a file, open until `close`; None where that is not the same bytes."""
        if self._reader is None or self._word != 1 or self._skip:
            return None
        found = self._reader.file_range()
        return None if found is None or len(found) != self._left else found

    def __del__(self) -> None:
        self.close()  # an answer to HEAD never begins to read

    def close(self) -> None:
        """Give the connection or the file back."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _read(self, reader: ObjectReader) -> bytes:
        """Read a block that ends with a word; only the last one of a range may not."""
        block = reader.read(_BLOCK)
        while len(block) % self._word and (more := reader.read(self._word - len(block) % self._word)):
            block += more
        return block
