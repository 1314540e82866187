"""Colours that data sets recommend: CIELab and grey values to sRGB (PS3.3 C.10.7.1.1).

Owns the conversion. CIELab values are three 16-bit numbers relative to D50.
"""

from __future__ import annotations

import numpy as np

from archive.rendering.attributes import number, numbers
from archive.rendering.header import Head

Colour = tuple[int, int, int]

# CIE XYZ at D50 to linear sRGB (Bradford adaptation to D65 included).
_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
_D50 = np.array([0.9642, 1.0, 0.8249])


def from_cielab(lightness: float, a: float, b: float, *, least: float = 0.0) -> Colour:
    """Return the sRGB colour of the three 16-bit numbers of a CIELab value.

    `least` is the lightness, 0 to 100, that it has at least.
    """
    light = max(least, lightness / 65535.0 * 100.0)
    middle = (light + 16.0) / 116.0
    red_green, blue_yellow = (one / 65535.0 * 255.0 - 128.0 for one in (a, b))
    corners = np.array([middle + red_green / 500.0, middle, middle - blue_yellow / 200.0])
    xyz = np.where(corners > 6 / 29, corners**3, 3 * (6 / 29) ** 2 * (corners - 4 / 29)) * _D50
    linear = np.clip(_TO_SRGB @ xyz, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(one) for one in np.rint(encoded * 255.0))
    return red, green, blue


def colour_of_item(ds: Head, lab: str, grey: str) -> Colour | None:
    """Return the colour that an attribute of CIELab gives, else the grey of one of 16 bits, else None."""
    found = numbers(ds, lab)
    if len(found) == 3 and None not in found:
        return from_cielab(*(one or 0.0 for one in found))
    level = number(ds, grey)
    if level is None:
        return None
    grey_level = min(255, max(0, round(level / 257.0)))
    return grey_level, grey_level, grey_level
