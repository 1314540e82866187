"""Frames that compress as those of a CT do, and the codecs that compress them.

Rows and columns are 512; 16-bit frames hold 12 bits, 8-bit frames are for JPEG baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import imagecodecs
import numpy as np
import numpy.typing as npt
from rle.utils import encode_pixel_data

SIDE = 512
_DRAWN = 20  # frames that are drawn; later ones are these, shifted

Frame = npt.NDArray[np.uint16] | npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Coding:
    """How frames are stored: transfer syntax, bits, the media type they are asked for by, and the codec."""

    name: str
    syntax: str
    bits: int
    media_type: str
    encode: Callable[[Frame], bytes]

    @property
    def native(self) -> bool:
        """Whether the pixels lie there as they are."""
        return self.syntax == "1.2.840.10008.1.2.1"


def frame(number: int, *, bits: int = 16) -> Frame:
    """Draw one slice of a trunk; the same for the same number."""
    drawn = _drawn(number % _DRAWN, bits)
    return np.roll(drawn, number // _DRAWN, axis=0)


@cache
def _drawn(number: int, bits: int) -> Frame:
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    image = np.where((x / 0.8) ** 2 + (y / 0.62) ** 2 < 1, 1064.0, 24.0)  # tissue in air
    for middle in (-0.38, 0.38):  # lungs, which breathe
        width = 0.27 + 0.05 * np.sin(number / 5)
        image[((x - middle) / width) ** 2 + ((y + 0.05) / 0.4) ** 2 < 1] = 180
    image[x**2 + (y - 0.4) ** 2 < 0.01] = 1700  # spine
    image += np.random.default_rng(number).normal(0, 14, image.shape)  # noise of the detector
    if bits == 16:
        return image.clip(0, 4095).astype("<u2")
    return (image / 8).clip(0, 255).astype("u1")


def _native(pixels: Frame) -> bytes:
    return pixels.tobytes()


def _j2k(pixels: Frame) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0))


def _rle(pixels: Frame) -> bytes:
    return bytes(
        encode_pixel_data(
            pixels.tobytes(),
            byteorder="<",
            rows=SIDE,
            columns=SIDE,
            samples_per_pixel=1,
            bits_allocated=16,
            number_of_frames=1,
        )
    )


def _jpeg(pixels: Frame) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, level=85))


_J2K, _RLE, _JPEG = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"

NATIVE = Coding("native", "1.2.840.10008.1.2.1", 16, "application/octet-stream", _native)
J2K = Coding("JPEG 2000", _J2K, 16, "image/jp2", _j2k)
RLE = Coding("RLE", _RLE, 16, "image/dicom-rle", _rle)
JPEG = Coding("JPEG", _JPEG, 8, "image/jpeg", _jpeg)
CODINGS = (NATIVE, J2K, RLE, JPEG)
