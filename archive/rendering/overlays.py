"""Overlay planes: the bitmaps of groups 6000 to 601E burned into a picture (PS3.3 C.9.2).

Owns planes of their own and those embedded in unused bits of the pixels (retired, PS3.5 8.1.2), of one and of
many frames, and where they lie. A plane that claims bits that pixels use is none. Overlays are white, and in
colour pictures too. Which of them a presentation state shows is its own to say (C.11.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.rendering.attributes import integer, numbers, octets, text
from archive.rendering.header import Head
from archive.rendering.stored import Bits

Array = NDArray[Any]

GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES, _ORIGIN = 0x0010, 0x0011, 0x0015, 0x0050
_FIRST_FRAME, _BITS, _POSITION, _DATA, _ACTIVATION = 0x0051, 0x0100, 0x0102, 0x3000, 0x1001
_MOST_SIDE = 65535
WHITE = 255


@dataclass(frozen=True, slots=True)
class Plane:
    """A bitmap, rows x columns of bool, whose upper left is at `row` and `column` of the image, from 0."""

    mask: NDArray[np.bool_]
    row: int
    column: int

    def within(self, rows: int, columns: int) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        """Return which part of an image of `rows` x `columns` the plane lies over, and its bits there."""
        top, left = max(0, self.row), max(0, self.column)
        seen = self.mask[top - self.row :, left - self.column :]
        seen = seen[: max(0, rows - top), : max(0, columns - left)]
        return (slice(top, top + seen.shape[0]), slice(left, left + seen.shape[1])), seen


def read_overlays(
    ds: Head, frame: int, cells: Array, bits: Bits | None, groups: Iterable[int] = GROUPS
) -> Iterator[Plane]:
    """Yield the planes that lie over a frame; those that are broken are left out."""
    for group in groups:
        if not any((group << 16 | element) in ds for element in (_DATA, _POSITION)):
            continue
        plane = _plane(ds, group << 16, frame)
        if plane is None:
            plane = _embedded(ds, group << 16, cells, bits)
        if plane is not None:
            yield plane


def burn(levels: NDArray[np.uint8], planes: Iterable[Plane]) -> NDArray[np.uint8]:
    """Return the levels with the planes in white, each clipped to the image."""
    for plane in planes:
        part, seen = plane.within(*levels.shape[:2])
        levels[part][seen] = WHITE
    return levels


def _plane(ds: Head, base: int, frame: int) -> Plane | None:
    rows, columns = integer(ds, base | _ROWS, 0), integer(ds, base | _COLUMNS, 0)
    data = octets(ds, base | _DATA)
    if not data or not 0 < rows <= _MOST_SIDE or not 0 < columns <= _MOST_SIDE:
        return None
    count, first = max(1, integer(ds, base | _FRAMES, 1)), max(1, integer(ds, base | _FIRST_FRAME, 1))
    number = frame - first
    if count == 1 and (base | _FIRST_FRAME) not in ds:
        number = 0  # a single plane without a frame of its own lies over all of them
    size = rows * columns
    if not 0 <= number < count or len(data) * 8 < (number + 1) * size:
        return None
    start = number * size
    bits = np.unpackbits(
        np.frombuffer(data, np.uint8, count=(start + size + 7) // 8 - start // 8, offset=start // 8),
        bitorder="little",
    )
    mask = bits[start % 8 : start % 8 + size].reshape(rows, columns).astype(bool)
    return Plane(mask, *_origin(ds, base))


def _embedded(ds: Head, base: int, cells: Array, bits: Bits | None) -> Plane | None:
    """Take the plane out of a bit of the pixels that the stored values do not use."""
    position = integer(ds, base | _POSITION, 0)
    if bits is None or cells.ndim != 2 or integer(ds, base | _BITS, 1) != bits.allocated:
        return None
    if position >= bits.allocated or bits.high - bits.stored < position <= bits.high:
        return None
    return Plane((cells >> position & 1).astype(bool), *_origin(ds, base))


def _origin(ds: Head, base: int) -> tuple[int, int]:
    """Return row and column from 0; both may be negative (C.9.2.1.1)."""
    found = numbers(ds, base | _ORIGIN)
    row, column = (int(one) if one is not None else 1 for one in (*found, None, None)[:2])
    return row - 1, column - 1


def activated(ds: Head, group: int) -> bool:
    """Tell whether a presentation state shows the planes of a group, its own or those of the image."""
    return bool(text(ds, group << 16 | _ACTIVATION))
