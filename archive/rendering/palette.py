"""Palettes: stored values to red, green and blue (PS3.3 C.7.6.3.1.5, .6 and C.7.9).

Owns plain and segmented tables, of 8 and of 16 bits, and the supplemental palette that gives only the values
from its first one on a colour (C.7.6.19). Leaves what is drawn in grey beside it to grey.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.errors import NotDecodable
from archive.rendering.attributes import numbers, octets, text
from archive.rendering.header import Head
from archive.rendering.lut import describe
from archive.rendering.stored import Bits

Array = NDArray[Any]

_COLOURS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_MOST_DEPTH = 4  # of segments that copy segments, which the standard does not allow at all


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of the values from `first` on: entries x 3, 0 … 255."""

    first: int
    colours: NDArray[np.uint8]

    def draw(self, cells: Array, bits: Bits) -> NDArray[np.uint8]:
        """Return rows x columns x 3 of cells."""
        if cells.itemsize > 2:
            return self.of_values(bits.values(cells))
        every = np.arange(1 << (8 * cells.itemsize), dtype=cells.dtype)
        return np.take(self.of_values(bits.values(every)), cells, axis=0)

    def of_values(self, values: Array) -> NDArray[np.uint8]:
        """Return a colour for each stored value."""
        index = np.clip(values.astype(np.int64) - self.first, 0, len(self.colours) - 1)
        return self.colours[index]


def has_palette(ds: Head) -> bool:
    """Tell whether there is a palette, usable or not."""
    return "RedPaletteColorLookupTableDescriptor" in ds


def is_supplemental(ds: Head) -> bool:
    """Tell whether a grey image has a palette for some of its values (C.8.16.2.1.1.1)."""
    return has_palette(ds) and text(ds, "PixelPresentation").upper() in ("COLOR", "MIXED")


def read_palette(ds: Head, bits: Bits) -> Palette:
    """Read the palette of a data set or item; raise NotDecodable naming the attribute that is unusable."""
    tables = []
    first = depth = 0
    for colour in _COLOURS:
        name = f"{colour}PaletteColorLookupTableDescriptor"
        described = describe(numbers(ds, name), least=bits.least, most=bits.most)
        if described is None:
            raise NotDecodable(f"the palette cannot be used: {name} is missing or wrong")
        entries, first_here, bits_here = described
        first = first_here if colour == "Red" else first
        depth = max(depth, bits_here)
        tables.append(_table(ds, colour, entries, bits_here))
    eight = depth <= 8 or all(table.max() < 256 for table in tables)
    size = max(len(table) for table in tables)
    colours = np.empty((size, 3), dtype=np.uint8)
    for index, table in enumerate(tables):
        # What is short goes on with its last entry, as values behind the table do.
        whole = np.pad(table, (0, size - len(table)), mode="edge")
        colours[:, index] = whole if eight else whole >> 8
    return Palette(first, colours)


def _table(ds: Head, colour: str, entries: int, bits: int) -> NDArray[np.uint16]:
    """Return the entries of one colour: segmented data where there are any, else plain ones."""
    name = f"{colour}PaletteColorLookupTableData"
    segmented = octets(ds, f"Segmented{name}")
    data = segmented or octets(ds, name)
    if segmented:
        table: NDArray[np.uint16] = np.array(_expand(_entries(data, bits), entries), dtype=np.uint16)
    elif bits <= 8 and len(data) < 2 * entries:
        table = np.frombuffer(data, dtype=np.uint8)[:entries].astype(np.uint16)
    else:
        table = np.frombuffer(data[: len(data) // 2 * 2], dtype=np.uint16)[:entries]
        if bits <= 8 and len(table) and table.max() > 255:
            table = (table >> 8).astype(np.uint16)
    if not len(table):
        raise NotDecodable(f"the palette cannot be used: {name} is missing or empty")
    return table


def _entries(data: bytes, bits: int) -> list[int]:
    if bits <= 8:
        return list(data)
    return [int(word) for word in np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2")]


def _expand(
    data: list[int], most: int, *, start: int = 0, count: int | None = None, depth: int = 0
) -> list[int]:
    """Expand segments from `start` on, `count` of them, to at most `most` entries (C.7.9.2).

    Data that break off, or an operation that does not exist, end the table there.
    """
    table: list[int] = []
    at = start
    while at + 2 < len(data) and len(table) < most and count != 0:
        operation, length = data[at], data[at + 1]
        at += 2
        if operation == _DISCRETE:
            table += data[at : at + length]
            at += length
        elif operation == _LINEAR:
            last = table[-1] if table else 0
            table += [last + round((data[at] - last) * step / length) for step in range(1, length + 1)]
            at += 1
        elif operation == _INDIRECT and depth < _MOST_DEPTH:
            at, offset = _offset(data, at)
            table += _expand(data, most - len(table), start=offset, count=length, depth=depth + 1)
        else:
            break
        count = None if count is None else count - 1
    return table[:most]


def _offset(data: list[int], at: int) -> tuple[int, int]:
    """Return where an indirect segment goes on, and the index it points at; its offset is in bytes."""
    if max(data) < 256 and at + 4 <= len(data):
        return at + 4, sum(byte << (8 * index) for index, byte in enumerate(data[at : at + 4]))
    return at + 2, sum(word << (16 * index) for index, word in enumerate(data[at : at + 2])) // 2
