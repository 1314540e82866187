"""Grey pictures: stored values through modality, VOI and presentation to 0 … 255 (PS3.3 C.11, PS3.4 N.2).

Owns the order of the transformations and the one inversion: MONOCHROME1, or a Presentation LUT Shape INVERSE,
turns the result of the VOI transformation over, exactly once (C.7.6.3.1.2). Cells of 8 and 16 bits go through
one table of the values that there are, junk bits included: 512 x 512 of 12 bits take about 0.25 ms, most of
them the look-up. Wider integers and floats are computed a block of rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.model.instance import Pixels
from archive.model.rendering import Window
from archive.rendering.attributes import item, number, text
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head
from archive.rendering.lut import Lut, read_lut
from archive.rendering.modality import Modality, Rescale, read_modality
from archive.rendering.stored import Bits
from archive.rendering.voi import Voi, apply_voi, default_window, read_voi

Array = NDArray[Any]

_BLOCK = 2**20  # cells that are computed at a time
_FLOAT_LEAST, _FLOAT_MOST = -1e308, 1e308


@dataclass(frozen=True, slots=True)
class Polarity:
    """What comes after the VOI transformation: an inversion, or a presentation LUT."""

    inverse: bool = False
    lut: Lut | None = None

    def apply(self, shown: Array) -> Array:
        """Return 0 … 1 of 0 … 1."""
        if self.lut is not None:
            shown = self.lut.fractions(shown * (len(self.lut.data) - 1) + self.lut.first)
        return 1.0 - shown if self.inverse else shown


@dataclass(frozen=True, slots=True)
class Recipe:
    """All transformations of one frame; `bits` is None for floats."""

    bits: Bits | None
    modality: Modality
    voi: Voi
    polarity: Polarity

    def levels(self, values: Array) -> NDArray[np.uint8]:
        """Return 0 … 255 of stored values."""
        with np.errstate(over="ignore", invalid="ignore"):
            shown = self.polarity.apply(apply_voi(self.voi, self.modality.apply(values)))
        return np.rint(shown * 255.0).astype(np.uint8)


def draw_grey(cells: Array, recipe: Recipe) -> NDArray[np.uint8]:
    """Return the levels of cells, of which bits that hold no value are ignored."""
    bits = recipe.bits
    if bits is not None and cells.itemsize <= 2 and cells.size >= 1 << (8 * cells.itemsize):
        return np.take(_table(cells, recipe, bits), cells)
    levels = np.empty(cells.shape, dtype=np.uint8)
    for rows in _blocks(cells):
        values = cells[rows] if bits is None else bits.values(cells[rows])
        levels[rows] = recipe.levels(values)
    return levels


def _table(cells: Array, recipe: Recipe, bits: Bits) -> NDArray[np.uint8]:
    """Return the level of each cell that there is, at its place among all that there might be.

    Cells lie around 0, where negative ones are large numbers: a slice of 12 bits has a sixteenth of all.
    """
    table = np.zeros(1 << (8 * cells.itemsize), dtype=np.uint8)
    signed = cells.view(f"i{cells.itemsize}")
    least, most = int(signed.min()), int(signed.max())
    used = np.arange(least, most + 1).astype(signed.dtype)
    table[used] = recipe.levels(bits.values(used.view(cells.dtype)))
    return table


@dataclass(frozen=True, slots=True)
class Overrides:
    """What holds instead of what the image says; None leaves it to the image."""

    modality: Modality | None = None
    voi: Voi | None = None
    polarity: Polarity | None = None


_NONE = Overrides()


def make_recipe(
    cells: Array, frame: Frame, pixels: Pixels, bits: Bits | None, overrides: Overrides = _NONE
) -> Recipe:
    """Return the transformations of a frame: those given, else those of its data set, else of its data."""
    modality = overrides.modality or _modality(frame, bits)
    voi = overrides.voi or _stored_voi(frame, bits, modality) or _window_of(cells, frame, bits, modality)
    if bits is None and isinstance(voi, Window) and voi.function == "linear":
        voi = replace(voi, function="linear-exact")  # LINEAR counts steps from integer to integer
    return Recipe(bits, modality, voi, overrides.polarity or read_polarity(frame.ds, pixels))


def window_of_data(cells: Array, frame: Frame, bits: Bits | None) -> Window | None:
    """Return the window made of the data, None for a frame that has a VOI transformation of its own."""
    modality = _modality(frame, bits)
    return None if _stored_voi(frame, bits, modality) else _window_of(cells, frame, bits, modality)


def _modality(frame: Frame, bits: Bits | None) -> Modality:
    least, most = (bits.least, bits.most) if bits is not None else (_FLOAT_LEAST, _FLOAT_MOST)
    return read_modality(frame.ds, frame.macro, least=least, most=most)


def _stored_voi(frame: Frame, bits: Bits | None, modality: Modality) -> Voi | None:
    least, most = output_ends(modality, bits)
    return read_voi(frame.macro("FrameVOILUTSequence"), least=least, most=most)


def _window_of(cells: Array, frame: Frame, bits: Bits | None, modality: Modality) -> Window:
    """Make the window of a frame that has none stored, by the rule of voi.py."""
    padding = padding_of(frame.ds, bits)
    if bits is None:
        return default_window(_finite_ends(modality, cells, padding), None)
    if cells.itemsize > 2:
        return default_window(_finite_ends(modality, bits.values(cells), padding), None)
    whole = output_ends(modality, bits) if bits.stored <= 8 else None
    if isinstance(modality, Rescale):
        # A line has its ends at the ends of the values: three times as fast as to look at each of them.
        return default_window(modality.apply(_ends(_shown(bits.values(cells), padding))), whole)
    return default_window(modality.apply(_present(cells, bits, padding)), whole)


def read_polarity(ds: Head, pixels: Pixels) -> Polarity:
    """Return what the image says of its own presentation."""
    inverse = pixels.photometric_interpretation == "MONOCHROME1"
    return Polarity(inverse or text(ds, "PresentationLUTShape").upper() == "INVERSE")


def read_presentation_lut(ds: Head) -> Polarity | None:
    """Return the presentation LUT of a presentation state, None where it has none (C.11.6)."""
    table = item(ds, "PresentationLUTSequence")
    lut = read_lut(table, least=0, most=65535) if table is not None else None
    if lut is not None:
        return Polarity(lut=lut)
    shape = text(ds, "PresentationLUTShape").upper()
    return Polarity(inverse=shape == "INVERSE") if shape else None


def output_ends(modality: Modality, bits: Bits | None) -> tuple[float, float]:
    """Return the least and the largest value that the modality transformation can give."""
    if bits is None:
        return _FLOAT_LEAST, _FLOAT_MOST
    ends = modality.apply(np.array([bits.least, bits.most], dtype=np.float64))
    return float(ends.min()), float(ends.max())


def padding_of(ds: Head, bits: Bits | None) -> tuple[float, float] | None:
    """Return the ends of the stored values that are no image (C.7.5.1.1.2), None where none are."""
    for name in ("", "Float", "DoubleFloat"):
        value = number(ds, f"{name}PixelPaddingValue")
        if value is not None:
            limit = number(ds, f"{name}PixelPaddingRangeLimit")
            both = [_signed(one, bits) for one in (value, value if limit is None else limit)]
            return min(both), max(both)
    return None


def _signed(value: float, bits: Bits | None) -> float:
    """Return a padding value as the pixels have it: the VR of the attribute often has the other sign."""
    if bits is None or bits.least <= value <= bits.most:
        return value
    wrapped = int(value) & ((1 << bits.stored) - 1)
    return float(wrapped - (1 << bits.stored) if wrapped > bits.most else wrapped)


def _all_cells(cells: Array) -> Array:
    return np.arange(1 << (8 * cells.itemsize), dtype=cells.dtype)


def _present(cells: Array, bits: Bits, padding: tuple[float, float] | None) -> Array:
    """Return each stored value that the frame has, once, without padding."""
    seen = np.zeros(1 << (8 * cells.itemsize), dtype=bool)
    seen[cells.reshape(-1)] = True
    return _shown(bits.values(_all_cells(cells))[seen], padding)


def _shown(values: Array, padding: tuple[float, float] | None) -> Array:
    """Return the values that are image."""
    return values if padding is None else values[(values < padding[0]) | (values > padding[1])]


def _ends(values: Array) -> Array:
    return np.array([values.min(), values.max()]) if values.size else values


def _finite_ends(modality: Modality, values: Array, padding: tuple[float, float] | None) -> Array:
    """Return the least and the largest value of each block, after the modality transformation."""
    found: list[Array] = []
    for rows in _blocks(values):
        with np.errstate(over="ignore", invalid="ignore"):
            block = values[rows].reshape(-1)
            outputs = modality.apply(_shown(block[np.isfinite(block)], padding))
        outputs = outputs[np.isfinite(outputs)]
        if outputs.size:
            found.append(_ends(outputs))
    return np.concatenate(found) if found else np.empty(0)


def _blocks(cells: Array) -> Iterable[slice]:
    step = max(1, _BLOCK // max(1, cells.shape[1]))
    return (slice(start, start + step) for start in range(0, cells.shape[0], step))
