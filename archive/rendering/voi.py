"""Which part of the values is shown, and how: windows and VOI LUTs (PS3.3 C.11.2).

Owns the three window functions, the VOI LUT Sequence, and the window that is made of the data where none
is stored. A VOI LUT wins over a window beside it: a maker that sends both means its curve. Of several the
first usable one counts.

Without any: values of at most 8 bits are shown over their whole range, as screenshots, photographs and
ultrasound are meant to be, unless they use less than a sixteenth of it; all others from the least to the
largest value of the frame, those that Pixel Padding Value marks as no image left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.model.rendering import Window
from archive.rendering.attributes import items, numbers, text
from archive.rendering.header import Head
from archive.rendering.lut import Lut, read_lut

Array = NDArray[Any]

_FUNCTIONS = {"LINEAR": "linear", "LINEAR_EXACT": "linear-exact", "SIGMOID": "sigmoid"}
_USED_PART = 16


@dataclass(frozen=True, slots=True)
class VoiLut:
    """A VOI LUT: its outputs fill the range of the display."""

    lut: Lut


Voi = Window | VoiLut


def read_voi(ds: Head, *, least: float, most: float) -> Voi | None:
    """Return the VOI transformation of a data set or functional group, None where it has no usable one.

    `least` and `most` are the ends of the values after the modality transformation.
    """
    for item in items(ds, "VOILUTSequence"):
        lut = read_lut(item, least=least, most=most)
        if lut is not None:
            return VoiLut(lut)
    function = _FUNCTIONS.get(text(ds, "VOILUTFunction").upper(), "linear")
    for centre, width in zip(numbers(ds, "WindowCenter"), numbers(ds, "WindowWidth"), strict=False):
        if centre is not None and width is not None and width > 0:
            return Window(centre, width, function)
    return None


def full_window(least: float, most: float) -> Window:
    """Return the window that shows `least` as black and `most` as white (C.11.2.1.3.2)."""
    return Window((least + most) / 2, most - least, "linear-exact")


def default_window(values: Array, whole: tuple[float, float] | None) -> Window:
    """Return the window of a frame that has none stored, for the finite values that it has.

    `whole` are the ends of what its few bits can hold, None where it has more than 8 of them. A frame of one
    value is black, or of few bits as it is.
    """
    least, most = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if whole is not None and (least == most or (most - least) * _USED_PART >= whole[1] - whole[0]):
        return full_window(*whole)
    return full_window(least, most if most > least else least + 1.0)


def apply_voi(voi: Voi, values: Array) -> Array:
    """Return 0 … 1 for values after the modality transformation; NaN becomes 0."""
    if isinstance(voi, VoiLut):
        return voi.lut.fractions(values)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        shown = _window(voi, values)
    np.clip(shown, 0.0, 1.0, out=shown)
    return np.nan_to_num(shown, copy=False, nan=0.0)


def _window(window: Window, values: Array) -> Array:
    """Apply C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID) or C.11.2.1.3.2 (LINEAR_EXACT).

    LINEAR has no meaning for a width below 1, which float images have: it is exact then.
    """
    centre, width = window.centre, window.width
    if window.function == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (values - centre) / width)))
    if window.function == "linear-exact" or width < 1.0:
        return np.asarray((values - centre) / width + 0.5)
    if width == 1.0:
        return (values > centre - 0.5).astype(np.float64)
    return np.asarray((values - (centre - 0.5)) / (width - 1.0) + 0.5)
