"""What frames of each transfer syntax become, and whether they can be decoded, before any bytes are read.

Owns the table of transfer syntaxes and the checks that need no codec, so that whoever only asks loads none.
decode.py has a codec for each row.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from archive.errors import NotDecodable
from archive.model.instance import Pixels

MAX_FRAME_LENGTH = 256 * 2**20
"""Bytes of the largest frame that is decoded: a decoder needs about three times as much memory."""

_JPEG_COLOUR = frozenset(("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422"))
_WAVELET_COLOUR = frozenset(("YBR_ICT", "YBR_RCT"))
_XL_COLOUR = frozenset((*_WAVELET_COLOUR, "XYB"))
_NOTHING: frozenset[str] = frozenset()

RGB_FROM: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "1.2.840.10008.1.2.5": _NOTHING,
        "1.2.840.10008.1.2.4.50": _JPEG_COLOUR,
        "1.2.840.10008.1.2.4.51": _JPEG_COLOUR,
        "1.2.840.10008.1.2.4.53": _JPEG_COLOUR,  # retired, as is .55
        "1.2.840.10008.1.2.4.55": _JPEG_COLOUR,
        "1.2.840.10008.1.2.4.57": _NOTHING,
        "1.2.840.10008.1.2.4.70": _NOTHING,
        "1.2.840.10008.1.2.4.80": _NOTHING,
        "1.2.840.10008.1.2.4.81": _NOTHING,
        "1.2.840.10008.1.2.4.90": _WAVELET_COLOUR,
        "1.2.840.10008.1.2.4.91": _WAVELET_COLOUR,
        "1.2.840.10008.1.2.4.201": _WAVELET_COLOUR,
        "1.2.840.10008.1.2.4.202": _WAVELET_COLOUR,
        "1.2.840.10008.1.2.4.203": _WAVELET_COLOUR,
        "1.2.840.10008.1.2.4.110": _XL_COLOUR,
        "1.2.840.10008.1.2.4.111": _XL_COLOUR | _JPEG_COLOUR,
        "1.2.840.10008.1.2.4.112": _XL_COLOUR | {"YBR_FULL_422"},
    }
)
"""Transfer syntaxes of compressed frames → the photometric interpretations that decoding turns into RGB."""

UNCOMPRESSED = frozenset(("1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"))
"""Transfer syntaxes of encapsulated frames that hold native bytes, as they are or deflated."""


class RefusedError(ValueError):
    """A frame that does not fit the data set."""


def can_decode(transfer_syntax_uid: str) -> bool:
    """Tell whether frames of the transfer syntax can be decoded; video cannot."""
    return transfer_syntax_uid in RGB_FROM or transfer_syntax_uid in UNCOMPRESSED


def decoded_attributes(pixels: Pixels, transfer_syntax_uid: str) -> Mapping[str, str]:
    """Return the attributes whose values differ once the frames are decoded: new values by tag.

    It is only ever PhotometricInterpretation. Decoded lossy colour is RGB, and so is what JPEG 2000 has
    transformed inside itself (PS3.5 8.2.4); nothing decompressed is subsampled. Decoded frames lie as Planar
    Configuration says and fill Bits Allocated: these stay as they are and agree with /metadata.
    """
    stored = pixels.photometric_interpretation
    if transfer_syntax_uid in UNCOMPRESSED or pixels.samples_per_pixel != 3:
        return {}
    decoded = "YBR_FULL" if stored == "YBR_FULL_422" else stored
    if stored in _rgb_from(transfer_syntax_uid):
        decoded = "RGB"
    return {} if decoded == stored else {"00280004": decoded}


def native_photometric(pixels: Pixels, transfer_syntax_uid: str) -> str:
    """Return the photometric interpretation of native frames: what decoding makes of the stored one."""
    stored = pixels.photometric_interpretation
    if not pixels.encapsulated:
        return stored
    return decoded_attributes(pixels, transfer_syntax_uid).get("00280004", stored)


def decoded_bits(pixels: Pixels, transfer_syntax_uid: str) -> int:
    """Return the bits of a decoded frame, without those that fill up its last byte."""
    if transfer_syntax_uid in UNCOMPRESSED:
        return pixels.bits_per_frame
    return pixels.rows * pixels.columns * pixels.samples_per_pixel * pixels.bits_allocated


def check_decodable(pixels: Pixels, transfer_syntax_uid: str, frame: int) -> None:
    """Raise NotDecodable where a frame cannot be decoded whatever its bytes, for one by its size."""
    try:
        if transfer_syntax_uid not in UNCOMPRESSED:
            _rgb_from(transfer_syntax_uid)
        _check_size(pixels)
    except RefusedError as error:
        raise not_decodable(frame, transfer_syntax_uid, str(error)) from None


def not_decodable(frame: int, transfer_syntax_uid: str, reason: str) -> NotDecodable:
    """Return the error that names the frame and its transfer syntax."""
    return NotDecodable(f"frame {frame} cannot be decoded from {transfer_syntax_uid}: {reason}")


def decoded_length(pixels: Pixels) -> int:
    """Return the bytes of a decoded frame: unlike a native one never subsampled."""
    return (pixels.rows * pixels.columns * pixels.samples_per_pixel * pixels.bits_allocated + 7) // 8


def _rgb_from(transfer_syntax_uid: str) -> frozenset[str]:
    try:
        return RGB_FROM[transfer_syntax_uid]
    except KeyError:
        raise NotDecodable(
            f"frames of transfer syntax {transfer_syntax_uid} cannot be decoded; ask for them as stored"
        ) from None


def _check_size(pixels: Pixels) -> None:
    if pixels.bits_allocated not in (1, 8, 16, 32, 64):
        raise RefusedError(f"Bits Allocated is {pixels.bits_allocated}")
    if not decoded_length(pixels):
        raise RefusedError("Rows, Columns or Samples per Pixel is missing")
    if decoded_length(pixels) > MAX_FRAME_LENGTH:
        raise RefusedError(f"a frame would take {decoded_length(pixels)} bytes, more than {MAX_FRAME_LENGTH}")
