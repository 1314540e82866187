"""Elements that are set in a data set while it is written, in the order of their tags.

Owns what takes the place of an element, what comes before the next one, and what is added at the end of a
sequence. Only the top level of a data set is changed so; convert.py writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archive.dicom import part10


class Changes:
    """What is still to be written of `elements` (whole ones by tag) and `items` (for sequences by tag)."""

    def __init__(self, elements: Mapping[int, bytes], items: Mapping[int, bytes]) -> None:
        new = {tag: part10.sequence(tag, item) for tag, item in items.items()}
        self._elements = {**elements, **new}
        self._items = items
        self._left = sorted(self._elements)
        self._joined = 0

    def before(self, tag: int) -> Iterator[bytes]:
        """Yield the elements that belong before `tag` and are not written yet."""
        while self._left and self._left[0] < tag:
            yield self._elements[self._left.pop(0)]

    def instead(self, tag: int) -> bytes | None:
        """Return the element in place of one with this tag, empty if it is written; None if it stays."""
        if tag not in self._elements:
            return None
        return self._elements[tag] if self._take(tag) else b""

    def keeps_sequence(self, tag: int) -> bool:
        """Tell whether the items of a sequence are written: not where all of it was written already."""
        if tag not in self._elements:
            return True
        self._joined = tag
        return tag in self._items and self._take(tag)

    def last_items(self, tag: int) -> bytes:
        """Return what comes behind the items of a sequence that is kept."""
        joined, self._joined = self._joined, 0
        return self._items[tag] if joined == tag else b""

    def _take(self, tag: int) -> bool:
        if tag in self._left:
            self._left.remove(tag)
            return True
        return False
