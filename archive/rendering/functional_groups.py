"""Where the attributes of one frame stand: per-frame over shared functional groups over the data set itself.

Owns that order (PS3.3 C.7.6.16.1.1). A macro that has no item in either group is looked for at the top level,
where single-frame images and many legacy multi-frame ones have its attributes.
"""

from __future__ import annotations

from archive.rendering.attributes import item, items
from archive.rendering.header import Head


class Frame:
    """One frame of an instance: its data set, its number from 1, and its functional groups."""

    def __init__(self, ds: Head, number: int) -> None:
        self.ds = ds
        self.number = number
        per_frame = items(ds, "PerFrameFunctionalGroupsSequence")
        shared = item(ds, "SharedFunctionalGroupsSequence")
        own = per_frame[number - 1] if 0 < number <= len(per_frame) else None
        self._groups = tuple(group for group in (own, shared) if group is not None)

    def group(self, keyword: str) -> Head | None:
        """Return the first item of the sequence `keyword` of the frame, None where neither group has it."""
        for group in self._groups:
            found = item(group, keyword)
            if found is not None:
                return found
        return None

    def macro(self, keyword: str) -> Head:
        """Return the item of the functional group `keyword`, else the data set itself."""
        found = self.group(keyword)
        return self.ds if found is None else found
