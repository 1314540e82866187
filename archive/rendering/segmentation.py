"""Segmentations drawn for people: each segment in its recommended colour on black (PS3.3 C.8.20, C.8.23).

Owns which segment a frame shows, the colours, and that they can be seen: one that is too dark is lightened,
one that is missing is taken from a fixed row of distinct ones by the number of the segment. FRACTIONAL frames
fade to black. Leaves a LABELMAP with a palette of its own to palette.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.rendering.attributes import integer, items, number, numbers, text
from archive.rendering.colours import Colour, from_cielab
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head
from archive.rendering.stored import Bits

Array = NDArray[Any]

_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_LEAST_LIGHTNESS = 40.0
_FALLBACK: tuple[Colour, ...] = (
    (230, 159, 0),  # the row of Okabe and Ito, without black: told apart with any colour vision
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def is_segmentation(ds: Head) -> bool:
    """Tell whether pixels are segments."""
    return text(ds, "SOPClassUID") in _SEGMENTATIONS


def draw_segments(cells: Array, frame: Frame, bits: Bits) -> NDArray[np.uint8]:
    """Return rows x columns x 3 of a frame of a segmentation."""
    kind = text(frame.ds, "SegmentationType").upper()
    values = bits.values(cells)
    if kind == "LABELMAP":
        return _labels(values, frame.ds, bits)
    colour = np.array(colour_of(frame.ds, segment_of(frame)), dtype=np.float64)
    most = number(frame.ds, "MaximumFractionalValue") if kind == "FRACTIONAL" else None
    part = np.clip(np.arange(bits.most + 1) / float(most or bits.most), 0.0, 1.0)
    return np.take(np.rint(part[:, None] * colour).astype(np.uint8), np.clip(values, 0, bits.most), axis=0)


def segment_of(frame: Frame) -> int:
    """Return the number of the segment that a frame shows, 1 where it does not say."""
    return integer(frame.macro("SegmentIdentificationSequence"), "ReferencedSegmentNumber", 1)


def segment_label(ds: Head, segment: int) -> str:
    """Return what people call a segment."""
    for item in items(ds, "SegmentSequence"):
        if integer(item, "SegmentNumber", 0) == segment:
            return text(item, "SegmentLabel")
    return ""


def colour_of(ds: Head, segment: int) -> Colour:
    """Return the colour of a segment."""
    return _colours(ds).get(segment, _fallback(segment))


def _labels(values: Array, ds: Head, bits: Bits) -> NDArray[np.uint8]:
    table = np.zeros((bits.most + 1, 3), dtype=np.uint8)
    table[1:] = np.resize(np.array(_FALLBACK, dtype=np.uint8), (bits.most, 3))
    for segment, colour in _colours(ds).items():
        if 0 < segment < len(table):
            table[segment] = colour
    background = integer(ds, "PixelPaddingValue", 0)
    if 0 <= background < len(table):
        table[background] = 0
    return np.take(table, values, axis=0)


def _colours(ds: Head) -> Mapping[int, Colour]:
    found = {}
    for item in items(ds, "SegmentSequence"):
        segment = integer(item, "SegmentNumber", 0)
        lab = numbers(item, "RecommendedDisplayCIELabValue")
        if len(lab) == 3 and None not in lab:
            found[segment] = from_cielab(*(one or 0.0 for one in lab), least=_LEAST_LIGHTNESS)
    return found


def _fallback(segment: int) -> Colour:
    return _FALLBACK[(segment - 1) % len(_FALLBACK)]
