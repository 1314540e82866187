"""One native frame compressed to what a transfer syntax wants as the value of a frame (PS3.5 8.2).

Owns which encoder each transfer syntax has, and how the bytes of a frame become the samples that it takes.
encoders.py calls the codecs; which pixels a transfer syntax can hold is asked of encode.py before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from archive.errors import NotDecodable
from archive.imaging import encoders
from archive.imaging.decode import decode_frame
from archive.imaging.encoders import Array
from archive.imaging.syntaxes import native_photometric
from archive.model.instance import Pixels


def encode_frame(native: bytes, target: str, pixels: Pixels, photometric: str, frame: int) -> bytes:
    """Return a native frame compressed, without padding.

    `native` is little endian and lies as `pixels` say, as decode.py and native.py give it, of the photometric
    interpretation given. Raise NotDecodable naming syntax and frame where the encoder refuses it.
    """
    try:
        return _ENCODERS[target](_samples(native, pixels, photometric), pixels, photometric)
    except (RuntimeError, ValueError) as error:  # what the codecs raise
        raise NotDecodable(
            f"frame {frame} cannot be compressed to {target}: {type(error).__name__}: {error}"
        ) from error


def transcode_frame(value: bytes, transfer_syntax_uid: str, target: str, pixels: Pixels, frame: int) -> bytes:
    """Return a stored frame, a native one little endian, compressed to `target`.

    Raise NotDecodable naming syntax and frame where it cannot be decoded, or not be compressed.
    """
    native = decode_frame(value, transfer_syntax_uid, pixels, frame) if pixels.encapsulated else value
    return encode_frame(native, target, pixels, native_photometric(pixels, transfer_syntax_uid), frame)


def _samples(native: bytes, pixels: Pixels, photometric: str) -> Array:
    """Return the rows x columns x samples of a native frame, colour by pixel and never subsampled."""
    rows, columns, samples = pixels.rows, pixels.columns, pixels.samples_per_pixel
    if pixels.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(native, np.uint8), bitorder="little")
        return bits[: rows * columns].reshape(rows, columns, 1)
    kind = "i" if pixels.pixel_representation else "u"
    flat = np.frombuffer(native, f"<{kind}{pixels.bits_allocated // 8}")
    if photometric == "YBR_FULL_422" and flat.size == rows * columns * 2:
        if columns % 2:
            raise ValueError("YBR_FULL_422 with an odd number of Columns")
        return _not_subsampled(flat).reshape(rows, columns, 3)
    if samples == 3 and pixels.planar_configuration == 1:
        return flat.reshape(samples, rows, columns).transpose(1, 2, 0).copy()
    return flat.reshape(rows, columns, samples)


def _not_subsampled(flat: Array) -> Array:
    """Give both pixels of each Y1 Y2 Cb Cr their colour (PS3.3 C.7.6.3.1.2)."""
    pairs = flat.reshape(-1, 4)
    return pairs[:, [0, 2, 3, 1, 2, 3]]


_J = "1.2.840.10008.1.2.4."
_ENCODERS: Mapping[str, Callable[[Array, Pixels, str], bytes]] = MappingProxyType(
    {
        "1.2.840.10008.1.2.5": encoders.encode_rle,
        f"{_J}50": encoders.encode_jpeg_baseline,
        f"{_J}70": encoders.encode_jpeg_lossless,
        f"{_J}80": encoders.encode_jpeg_ls,
        f"{_J}90": encoders.encode_jpeg2000,
        f"{_J}201": encoders.encode_htj2k,
        f"{_J}202": encoders.encode_htj2k_rpcl,
    }
)
"""One for each row of encode.ENCODERS."""
