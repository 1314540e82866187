"""ICC profiles of well-known colour spaces, made of their published primaries and curves.

Owns the bytes (ICC.1:2010, version 4.3, matrix and tone curves). sRGB: IEC 61966-2-1. Adobe RGB (1998).
ROMM RGB: ISO 22028-2. Display P3: SMPTE EG 432-1 primaries with the curve of sRGB.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

_D50 = np.array([0.9642, 1.0, 0.8249])  # of the profile connection space
_D65 = (0.3127, 0.3290)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True, slots=True)
class Space:
    """A colour space: chromaticities of red, green, blue and white, and the tone curve.

    `curve` are gamma, or gamma, a, b, c, d of Y = (aX + b)^gamma where X >= d, else cX.
    """

    title: str
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]
    curve: tuple[float, ...]


_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

PROFILES = MappingProxyType(
    {
        "srgb": Space("sRGB", (0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65, _SRGB_CURVE),
        "adobergb": Space(
            "Adobe RGB (1998) compatible", (0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65, (563 / 256,)
        ),
        "rommrgb": Space(
            "ROMM RGB",
            (0.7347, 0.2653),
            (0.1596, 0.8404),
            (0.0366, 0.0001),
            (0.3457, 0.3585),
            (1.8, 1.0, 0.0, 1 / 16, 1 / 32),
        ),
        "displayp3": Space("Display P3", (0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65, _SRGB_CURVE),
    }
)


@cache
def profile(name: str) -> bytes:
    """Return the profile of a colour space of PROFILES."""
    space = PROFILES[name]
    columns = colorants(space)
    curve = _curve(space.curve)
    tags = {
        b"desc": _text(space.title),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _xyz(_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(*_adaptation(space.white).reshape(-1)),
        b"rXYZ": _xyz(columns[:, 0]),
        b"gXYZ": _xyz(columns[:, 1]),
        b"bXYZ": _xyz(columns[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    return _assembled(tags)


def colorants(space: Space) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ at D50."""
    primaries = np.array([_of_xy(one) for one in (space.red, space.green, space.blue)]).T
    scaled = primaries * np.linalg.solve(primaries, _of_xy(space.white))
    return np.asarray(_adaptation(space.white) @ scaled)


def _adaptation(white: tuple[float, float]) -> NDArray[np.float64]:
    """Return the matrix that carries colours seen under `white` to D50 (Bradford)."""
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ _of_xy(white))
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD)


def _of_xy(point: tuple[float, float]) -> NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _assembled(tags: dict[bytes, bytes]) -> bytes:
    """Put header, tag table and tag data together; equal data are kept once."""
    start = 128 + 4 + 12 * len(tags)
    table, body, places = b"", b"", dict[bytes, int]()
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    size = start + len(body)
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sI4s4sQI12s4s",
        size,
        b"",  # no preferred engine
        0x04300000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        *(2026, 1, 1, 0, 0, 0),
        b"acsp",
        b"",
        0,
        b"",
        b"",
        0,
        0,  # perceptual
        _fixed(*_D50),
        b"",
    )
    return header.ljust(128, b"\x00") + struct.pack(">I", len(tags)) + table + body


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(value: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*value)


def _curve(curve: tuple[float, ...]) -> bytes:
    return struct.pack(">4sIHH", b"para", 0, 0 if len(curve) == 1 else 3, 0) + _fixed(*curve)


def _text(value: str) -> bytes:
    encoded = value.encode("utf-16-be")
    return struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(encoded), 28) + encoded
