"""Colour pictures: three samples a pixel to red, green and blue of 8 bits (PS3.3 C.7.6.3.1.2).

Owns RGB and the YBR kinds, subsampled native frames, planes and depths of more than 8 bits. Leaves palettes
to palette.py and the meaning of red, green and blue to icc.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from archive.errors import NotDecodable
from archive.model.instance import Pixels
from archive.rendering.stored import Bits, cells_of

Array = NDArray[Any]

_HALF_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422")
_RGB = (
    "RGB",
    "YBR_RCT",
    "",
)  # native frames that still say RCT were transformed back by whoever decoded them
_FULL = ("YBR_FULL", "YBR_FULL_422", "YBR_ICT")
_PARTIAL = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")


def draw_colour(native: bytes, pixels: Pixels, bits: Bits | None, photometric: str) -> NDArray[np.uint8]:
    """Return rows x columns x 3; raise NotDecodable for a kind of colour that cannot be drawn."""
    if pixels.samples_per_pixel != 3:
        raise NotDecodable(f"Samples per Pixel is {pixels.samples_per_pixel}, which cannot be drawn")
    if photometric not in (*_RGB, *_FULL, *_PARTIAL):
        raise NotDecodable(f"Photometric Interpretation is {photometric}, which cannot be drawn")
    if bits is None:
        raise NotDecodable(f"Samples per Pixel is {pixels.samples_per_pixel}: float pixels have one")
    cells = _halved(native, pixels) if photometric in _HALF_CHROMA else None
    levels = _eight(cells_of(native, pixels) if cells is None else cells, bits)
    if photometric in _RGB:
        return levels
    return _from_ybr(levels) if photometric in _FULL else _from_partial(levels)


def _halved(native: bytes, pixels: Pixels) -> Array | None:
    """Spread Y Y B R, which is two pixels, to Y B R Y B R; None where the frame has all three samples."""
    size = pixels.bits_allocated // 8
    count = pixels.rows * pixels.columns * 2
    if size not in (1, 2) or pixels.columns % 2 or len(native) >= count // 2 * 3 * size:
        return None
    if len(native) < count * size:
        raise NotDecodable(
            f"the frame has {len(native)} bytes, {count * size} are needed for Rows and Columns"
        )
    pairs = np.frombuffer(native, dtype=f"<u{size}", count=count).reshape(-1, 4)
    spread = pairs[:, [0, 2, 3, 1, 2, 3]]
    return spread.reshape(pixels.rows, pixels.columns, 3)


def _eight(cells: Array, bits: Bits) -> NDArray[np.uint8]:
    """Return samples of any depth as 0 … 255; signed ones, which no IOD has, count from their least."""
    if cells.itemsize == 1 and bits.stored == 8 and not bits.signed:
        return np.ascontiguousarray(cells)
    if cells.itemsize <= 2:
        every = np.arange(1 << (8 * cells.itemsize), dtype=cells.dtype)
        return np.take(_scaled(bits.values(every), bits), cells)
    levels = np.empty(cells.shape, dtype=np.uint8)
    for row, samples in enumerate(cells):
        levels[row] = _scaled(bits.values(samples), bits)
    return levels


def _scaled(values: Array, bits: Bits) -> NDArray[np.uint8]:
    scale = 255.0 / (bits.most - bits.least)
    levels: NDArray[np.uint8] = np.rint((values.astype(np.float64) - bits.least) * scale).astype(np.uint8)
    return levels


def _from_ybr(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert YBR_FULL, which is the YCbCr of JFIF."""
    return np.asarray(Image.fromarray(levels, "YCbCr").convert("RGB"), dtype=np.uint8)


def _from_partial(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert YBR_PARTIAL: black is 16, white 235, chroma 16 to 240."""
    luma = (levels[..., 0].astype(np.float32) - 16.0) * (255.0 / 219.0)
    blue, red = (levels[..., index].astype(np.float32) - 128.0 for index in (1, 2))
    blue, red = blue * (255.0 / 224.0), red * (255.0 / 224.0)
    rgb = np.stack(
        (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue), axis=-1
    )
    levels_of_rgb: NDArray[np.uint8] = np.rint(np.clip(rgb, 0.0, 255.0)).astype(np.uint8)
    return levels_of_rgb
