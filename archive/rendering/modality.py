"""From stored values to the values a window speaks of: Modality LUT or rescale (PS3.3 C.11.1).

Owns which of the two holds and where it stands; a Modality LUT wins over a rescale, and a functional group
over the top level (C.7.6.16.2.9). A slope of 0 or a value that is no number is as if it was not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.rendering.attributes import item, number
from archive.rendering.header import Head
from archive.rendering.lut import Lut, read_lut

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Rescale:
    """output = slope x stored value + intercept."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, values: Array) -> Array:
        """Return the outputs as floats."""
        return values.astype(np.float64) * self.slope + self.intercept


@dataclass(frozen=True, slots=True)
class ModalityLut:
    """A table of the outputs."""

    lut: Lut

    def apply(self, values: Array) -> Array:
        """Return the outputs as floats."""
        return self.lut.apply(values).astype(np.float64)


Modality = Rescale | ModalityLut


def read_modality(ds: Head, macro: Callable[[str], Head], *, least: float, most: float) -> Modality:
    """Return the modality transformation of a frame whose stored values lie between `least` and `most`.

    `macro` gives the item of a functional group, or `ds` itself.
    """
    table = item(ds, "ModalityLUTSequence")
    lut = read_lut(table, least=least, most=most) if table is not None else None
    if lut is not None:
        return ModalityLut(lut)
    return read_rescale(macro("PixelValueTransformationSequence"))


def read_rescale(ds: Head) -> Rescale:
    """Return slope and intercept of a data set or item."""
    return Rescale(number(ds, "RescaleSlope") or 1.0, number(ds, "RescaleIntercept") or 0.0)
