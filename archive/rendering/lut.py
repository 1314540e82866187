"""Look-up tables of a data set: descriptor and data to a clamped table (PS3.3 C.11.1.1 and C.11.2.1.1).

Owns what the field does to LUT Descriptors: 0 for 65,536 entries, first values of either sign, 8-bit data in
bytes or in words, data that is shorter or deeper than its descriptor says. Leaves which table is used, and
for what, to modality.py, voi.py, grey.py and palette.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.rendering.attributes import numbers, octets
from archive.rendering.header import Head, Tag

Array = NDArray[Any]

_FEW_LEVELS = 8  # a table whose largest value is less than this part of its range has a wrong number of bits


@dataclass(frozen=True, slots=True)
class Lut:
    """A table of whole numbers; values before `first` give its first entry, values behind it the last."""

    first: int
    data: NDArray[np.uint16]
    bits: int

    @property
    def most(self) -> int:
        """The largest number that an entry of its bits can hold."""
        return (1 << self.bits) - 1

    def apply(self, values: Array) -> Array:
        """Look up values of any numeric type, NaN as the first entry; the shape stays."""
        index = np.nan_to_num(values - float(self.first), nan=0.0)
        np.clip(index, 0, len(self.data) - 1, out=index)
        return self.data[np.rint(index).astype(np.intp)]

    def fractions(self, values: Array) -> Array:
        """Look up and scale to 0 … 1."""
        return self.apply(values) / float(self.most)


def read_lut(
    item: Head,
    *,
    least: float,
    most: float,
    descriptor: Tag = "LUTDescriptor",
    data: Tag = "LUTData",
) -> Lut | None:
    """Read a table whose inputs lie between `least` and `most`; None where there is no usable one."""
    described = describe(numbers(item, descriptor), least=least, most=most)
    return None if described is None else make_lut(octets(item, data), *described)


def describe(values: tuple[float | None, ...], *, least: float, most: float) -> tuple[int, int, int] | None:
    """Return entries, first value mapped and bits of a descriptor; None where it has too few values.

    Whether the first value is signed follows from the inputs, not from the VR, which is often the other one.
    """
    if len(values) < 3 or values[0] is None or values[1] is None:
        return None
    entries = int(values[0]) % 65536 or 65536
    first = int(values[1]) % 65536
    if first > 32767 and (least < 0 or first > most):
        first -= 65536
    bits = int(values[2] or 16)
    return entries, first, bits if 1 <= bits <= 16 else 16


def make_lut(data: bytes, entries: int, first: int, bits: int) -> Lut | None:
    """Make a table of the bytes of LUT Data; a short one goes on with its last entry."""
    if len(data) >= 2 * entries or bits > 8:
        table = np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2")[:entries]
    else:
        table = np.frombuffer(data, dtype=np.uint8)[:entries].astype(np.uint16)
    if not len(table):
        return None
    if bits <= 8 and table.max() > 255:
        table = table & 0xFF if not (table & 0xFF00 == (table & 0xFF) << 8).all() else table >> 8
    needed = int(table.max()).bit_length()
    if needed > bits or (needed and table.max() < (1 << bits) // _FEW_LEVELS):
        bits = needed
    return Lut(first, table, bits)
