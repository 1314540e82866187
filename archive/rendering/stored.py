"""The stored values of a native frame: bytes to an array, without what other bits of its cells hold.

Owns layout (rows, columns, samples, planes), Bits Stored, High Bit and sign (PS3.5 8.1.1, 8.1.2), for
integers of 1 to 64 bits and for floats. Leaves decoding to archive/imaging/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.errors import NotDecodable
from archive.model.instance import Pixels

Array = NDArray[Any]

FLOAT_TAGS = {"7FE00008": "<f4", "7FE00009": "<f8"}


@dataclass(frozen=True, slots=True)
class Bits:
    """Which bits of a cell hold the value: `stored` bits, the highest of them being `high`."""

    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def whole(self) -> bool:
        """Tell whether the value fills its cell."""
        return self.stored == self.allocated

    @property
    def least(self) -> int:
        return -(1 << (self.stored - 1)) if self.signed else 0

    @property
    def most(self) -> int:
        return (1 << (self.stored - self.signed)) - 1

    def values(self, cells: Array) -> Array:
        """Return the values in unsigned cells: shifted down, masked, sign-extended; junk bits are gone."""
        if self.whole:
            return cells.view(f"i{cells.itemsize}") if self.signed else cells
        up = cells.itemsize * 8 - 1 - self.high
        down = cells.itemsize * 8 - self.stored
        shifted = cells << up if up else cells
        return (shifted.view(f"i{cells.itemsize}") if self.signed else shifted) >> down


def bits_of(pixels: Pixels, high_bit: int | None) -> Bits:
    """Return where values lie; what makes no sense is taken for a value at the bottom of its cell."""
    allocated = pixels.bits_allocated
    stored = pixels.bits_stored if 0 < pixels.bits_stored <= allocated else allocated
    high = stored - 1 if high_bit is None or not stored - 1 <= high_bit < allocated else high_bit
    return Bits(allocated, stored, high, signed=pixels.pixel_representation == 1 and stored > 1)


def cells_of(native: bytes, pixels: Pixels) -> Array:
    """Return a frame as rows x columns, or rows x columns x samples, of unsigned cells or floats.

    1-bit frames become bytes of 0 and 1. Bytes behind the frame are passed over. Raise NotDecodable naming
    the attribute that makes the frame unreadable.
    """
    rows, columns, samples = pixels.rows, pixels.columns, pixels.samples_per_pixel or 1
    if not rows or not columns:
        raise NotDecodable("Rows or Columns is missing: the frame has no size")
    count = rows * columns * samples
    if pixels.bits_allocated == 1 and pixels.tag not in FLOAT_TAGS:
        if len(native) * 8 < count:
            raise _too_short(native, (count + 7) // 8)
        cells = np.unpackbits(np.frombuffer(native, np.uint8), count=count, bitorder="little")
    else:
        cells = _of_type(native, _cell_type(pixels), count)
    if samples == 1:
        return cells.reshape(rows, columns)
    if pixels.planar_configuration == 1:
        return cells.reshape(samples, rows, columns).transpose(1, 2, 0)
    return cells.reshape(rows, columns, samples)


def _cell_type(pixels: Pixels) -> str:
    if pixels.tag in FLOAT_TAGS:
        return FLOAT_TAGS[pixels.tag]
    if pixels.bits_allocated not in (8, 16, 32, 64):
        raise NotDecodable(f"Bits Allocated is {pixels.bits_allocated}, which cannot be drawn")
    return f"<u{pixels.bits_allocated // 8}"


def _of_type(native: bytes, kind: str, count: int) -> Array:
    size = count * np.dtype(kind).itemsize
    if len(native) < size:
        raise _too_short(native, size)
    return np.frombuffer(native, dtype=kind, count=count)


def _too_short(native: bytes, size: int) -> NotDecodable:
    return NotDecodable(f"the frame has {len(native)} bytes, {size} are needed for Rows and Columns")
