"""One encapsulated frame decoded to what native Explicit VR Little Endian would hold (PS3.18 8.7.3.3.2).

Owns the choice of codec for each transfer syntax, the checks before it runs and the shape of what it gives.
Leaves finding the frame to encapsulated.py and changing the header to archive/dicom/convert.py.

imagecodecs decodes all of them, without the interpreter's lock; measured here, 512x512 12 bit where not said:

    JPEG 8 and 12 bit   jpeg8     1.0 ms, RGB 640x480 0.7 ms (Pillow 1.6, GDCM 5.9); only it knows 12 bit DCT
    JPEG lossless       jpeg8     1.5 ms (ljpeg 2.3 to 14.6, GDCM 2.7 to 7.2); exact on every sample
    JPEG-LS             jpegls    1.7 ms (pyjpegls 1.7 to 2.1, GDCM 2.5); the same CharLS below all three
    JPEG 2000           jpeg2k    24 ms  (openjpeg 25, GDCM 20 to 27, twice as slow on small frames)
    HTJ2K               jpeg2k    2.4 ms (htj2k 1.4, but it lets lossy samples wrap past 0 and 255, and gives
                                  pixels without an error for a broken codestream)
    RLE                 packbits  0.3 ms a segment pair (pylibjpeg-rle the same, but it refuses 1-bit frames)
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from archive.errors import NotDecodable
from archive.imaging.codestream import BadCodestreamError, Codestream, read_jpeg, read_jpeg2000, read_jpegxl
from archive.model.instance import Pixels

MAX_FRAME_LENGTH = 256 * 2**20
"""Bytes of the largest frame that is decoded: a decoder needs about three times as much memory."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Codec:
    """How the frames of a transfer syntax are read; `header` is None where a frame has none."""

    decode: Callable[[bytes, Pixels, Codestream], Array]
    header: Callable[[bytes], Codestream] | None
    rgb_from: frozenset[str] = frozenset()  # photometric interpretations that decoding turns into RGB


def can_decode(transfer_syntax_uid: str) -> bool:
    """Tell whether frames of the transfer syntax can be decoded; video cannot."""
    return transfer_syntax_uid in _CODECS or transfer_syntax_uid in _NATIVE


def decoded_attributes(pixels: Pixels, transfer_syntax_uid: str) -> Mapping[str, str]:
    """Return the attributes whose values differ once the frames are decoded: new values by tag.

    It is only ever PhotometricInterpretation. Decoded lossy colour is RGB, and so is what JPEG 2000 has
    transformed inside itself (PS3.5 8.2.4); nothing decompressed is subsampled. Decoded frames lie as Planar
    Configuration says and fill Bits Allocated: these stay as they are and agree with /metadata.
    """
    stored = pixels.photometric_interpretation
    if transfer_syntax_uid in _NATIVE or pixels.samples_per_pixel != 3:
        return {}
    decoded = "YBR_FULL" if stored == "YBR_FULL_422" else stored
    if stored in _codec(transfer_syntax_uid).rgb_from:
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
    if transfer_syntax_uid in _NATIVE:
        return pixels.bits_per_frame
    return pixels.rows * pixels.columns * pixels.samples_per_pixel * pixels.bits_allocated


def check_decodable(pixels: Pixels, transfer_syntax_uid: str, frame: int) -> None:
    """Raise NotDecodable where a frame cannot be decoded whatever its bytes, for one by its size."""
    try:
        if transfer_syntax_uid not in _NATIVE:
            _codec(transfer_syntax_uid)
        _check_size(pixels)
    except _RefusedError as error:
        raise _not_decodable(frame, transfer_syntax_uid, str(error)) from None


def decode_frame(value: bytes, transfer_syntax_uid: str, pixels: Pixels, frame: int) -> bytes:
    """Return a frame as little-endian native bytes, `pixels.rows` x `columns` x samples of Bits Allocated.

    `value` is the joined value of its fragments. Colour lies as Planar Configuration says, signed samples are
    sign-extended to Bits Allocated, 1-bit frames are packed from a byte on. Nothing is allocated for a frame
    whose own header disagrees with the data set. Raise NotDecodable naming the syntax and the frame.
    """
    check_decodable(pixels, transfer_syntax_uid, frame)
    try:
        if not value:
            raise _RefusedError("it is empty")
        if transfer_syntax_uid in _NATIVE:
            return _NATIVE[transfer_syntax_uid](value, pixels)
        codec = _codec(transfer_syntax_uid)
        header = _checked_header(value, codec, pixels)
        return _lay_out(codec.decode(value, pixels, header), pixels, header)
    except (_RefusedError, BadCodestreamError) as error:
        reason = str(error)
    except (RuntimeError, ValueError, zlib.error) as error:  # what the codecs raise
        reason = f"the decoder refused it ({type(error).__name__}: {error})"
    raise _not_decodable(frame, transfer_syntax_uid, reason)


def _not_decodable(frame: int, transfer_syntax_uid: str, reason: str) -> NotDecodable:
    return NotDecodable(f"frame {frame} cannot be decoded from {transfer_syntax_uid}: {reason}")


class _RefusedError(ValueError):
    """A frame that does not fit the data set."""


def _codec(transfer_syntax_uid: str) -> _Codec:
    try:
        return _CODECS[transfer_syntax_uid]
    except KeyError:
        raise NotDecodable(
            f"frames of transfer syntax {transfer_syntax_uid} cannot be decoded; ask for them as stored"
        ) from None


def _length(pixels: Pixels) -> int:
    """Bytes of a decoded frame: unlike a native one never subsampled."""
    return (pixels.rows * pixels.columns * pixels.samples_per_pixel * pixels.bits_allocated + 7) // 8


def _check_size(pixels: Pixels) -> None:
    if pixels.bits_allocated not in (1, 8, 16, 32, 64):
        raise _RefusedError(f"Bits Allocated is {pixels.bits_allocated}")
    if not _length(pixels):
        raise _RefusedError("Rows, Columns or Samples per Pixel is missing")
    if _length(pixels) > MAX_FRAME_LENGTH:
        raise _RefusedError(f"a frame would take {_length(pixels)} bytes, more than {MAX_FRAME_LENGTH}")


def _checked_header(value: bytes, codec: _Codec, pixels: Pixels) -> Codestream:
    if codec.header is None:
        return Codestream(pixels.columns, pixels.rows, pixels.samples_per_pixel, pixels.bits_allocated)
    header = codec.header(value)
    if (header.rows, header.columns) != (pixels.rows, pixels.columns):
        raise _RefusedError(
            f"it is {header.columns} x {header.rows}, Columns and Rows are {pixels.columns} x {pixels.rows}"
        )
    if header.components and header.components != pixels.samples_per_pixel:
        samples = pixels.samples_per_pixel
        raise _RefusedError(f"it has {header.components} components, Samples per Pixel is {samples}")
    _check_depth(header.precision, pixels)
    return header


def _check_depth(bits: int, pixels: Pixels) -> None:
    """Refuse samples that do not fit; 1-bit frames are compressed as bytes of 0 and 1."""
    if bits > max(pixels.bits_allocated, 8):
        raise _RefusedError(f"its samples have {bits} bits, Bits Allocated is {pixels.bits_allocated}")


def _lay_out(decoded: Array, pixels: Pixels, header: Codestream) -> bytes:
    """Turn rows x columns x samples of any integer type into the bytes of the frame."""
    rows, columns, samples = pixels.rows, pixels.columns, pixels.samples_per_pixel
    if decoded.size != rows * columns * samples:
        raise _RefusedError(f"it decoded to {decoded.size} samples, {rows * columns * samples} were expected")
    if pixels.bits_allocated == 1:
        return np.packbits(decoded.reshape(-1) != 0, bitorder="little").tobytes()
    array = decoded.reshape(rows, columns, samples)
    width = array.dtype.itemsize * 8
    if array.dtype.kind not in "iu":
        raise _RefusedError("its samples are floating point numbers")
    _check_depth(header.precision or width, pixels)
    if pixels.pixel_representation == 1:
        array = array.view(f"i{width // 8}")
        if 0 < header.precision < width and not header.signed:
            # Codecs without a sign give a negative sample's bits as a large number: its top bit is the sign.
            array = (array << (width - header.precision)) >> (width - header.precision)
    if samples > 1 and pixels.planar_configuration == 1:
        array = array.transpose(2, 0, 1)
    return array.astype(f"<i{pixels.bits_allocated // 8}", copy=False).tobytes()


def _decode_jpeg(value: bytes, pixels: Pixels, header: Codestream) -> Array:
    ycbcr = header.ycbcr
    if ycbcr is None:
        ycbcr = pixels.photometric_interpretation != "RGB"
    return _libjpeg(value, header, "YCBCR" if ycbcr else "RGB")


def _decode_jpeg_lossless(value: bytes, pixels: Pixels, header: Codestream) -> Array:
    return _libjpeg(value, header, "RGB")  # no transform: the samples as they were


def _libjpeg(value: bytes, header: Codestream, colour: str) -> Array:
    _check_end(value)  # libjpeg would make up the rest
    if header.components != 3:
        return np.asarray(imagecodecs.jpeg8_decode(value))
    return np.asarray(imagecodecs.jpeg8_decode(value, colorspace=colour, outcolorspace="RGB"))


def _check_end(value: bytes) -> None:
    if value.rfind(b"\xff\xd9") < value.rfind(b"\xff\xda"):
        raise _RefusedError("its end is missing")


def _decode_jpegls(value: bytes, pixels: Pixels, header: Codestream) -> Array:
    # Where the bits of a broken frame run out too early CharLS counts zeros for 4 seconds, then refuses it.
    _check_end(value)
    return np.asarray(imagecodecs.jpegls_decode(value))


def _decode_jpeg2000(value: bytes, pixels: Pixels, header: Codestream) -> Array:
    return np.asarray(imagecodecs.jpeg2k_decode(value, numthreads=1))


def _decode_jpegxl(value: bytes, pixels: Pixels, header: Codestream) -> Array:
    return np.asarray(imagecodecs.jpegxl_decode(value, index=0, numthreads=1))


def _decode_rle(value: bytes, pixels: Pixels, header: Codestream) -> Array:
    """Decode the segments of a frame: the most significant byte of each sample first (PS3.5 Annex G)."""
    if pixels.bits_allocated == 1:
        return _decode_rle_bits(value, pixels)
    size, depth = pixels.rows * pixels.columns, pixels.bits_allocated // 8
    segments = _rle_segments(value, pixels.samples_per_pixel * depth)
    planes = np.empty((size, len(segments)), dtype=np.uint8)
    for index, segment in enumerate(segments):
        plane = _unpacked(segment, size, size, index + 1)
        at = index - index % depth + depth - 1 - index % depth
        planes[:, at] = np.frombuffer(plane, dtype=np.uint8, count=size)
    return planes.reshape(-1).view(f"<u{depth}")


def _decode_rle_bits(value: bytes, pixels: Pixels) -> Array:
    """Decode the segment of a 1-bit frame, of which writers make two kinds.

    G.2 pads a pixel to a byte; others keep eight pixels in it, as native frames do.
    """
    count = pixels.rows * pixels.columns * pixels.samples_per_pixel
    (segment,) = _rle_segments(value, 1)
    plane = np.frombuffer(_unpacked(segment, count, _length(pixels), 1), dtype=np.uint8)
    return plane[:count] if len(plane) >= count else np.unpackbits(plane, count=count, bitorder="little")


def _rle_segments(value: bytes, count: int) -> list[bytes]:
    offsets = np.frombuffer(value[:64], dtype="<u4")
    if len(value) < 64 or offsets[0] != count or count > 15:
        raise _RefusedError(f"its RLE header does not tell of {count} segments")
    bounds = [*map(int, offsets[1 : count + 1]), len(value)]
    return [value[start:stop] for start, stop in pairwise(bounds)]


def _unpacked(segment: bytes, most: int, least: int, number: int) -> bytes:
    """Decode a segment. One run more than it should hold is forgiven: padding is sometimes counted in."""
    plane = bytes(imagecodecs.packbits_decode(segment, out=most + 128))
    if len(plane) < least:
        raise _RefusedError(f"RLE segment {number} has {len(plane)} bytes, {least} were expected")
    return plane


def _inflate(value: bytes, pixels: Pixels) -> bytes:
    """Inflate a frame of native bytes (Deflated Image Frame Compression, PS3.5 A.4.13)."""
    return _cut(zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(value, pixels.frame_length), pixels)


def _cut(value: bytes, pixels: Pixels) -> bytes:
    """Return the native bytes of a frame without the padding of its item."""
    if len(value) < pixels.frame_length:
        raise _RefusedError(f"it has {len(value)} bytes, {pixels.frame_length} were expected")
    return value[: pixels.frame_length]


_JPEG_COLOUR = frozenset(("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422"))
_WAVELET_COLOUR = frozenset(("YBR_ICT", "YBR_RCT"))
_JPEG = _Codec(_decode_jpeg, read_jpeg, rgb_from=_JPEG_COLOUR)
_JPEG_LOSSLESS = _Codec(_decode_jpeg_lossless, read_jpeg)
_JPEG2000 = _Codec(_decode_jpeg2000, read_jpeg2000, rgb_from=_WAVELET_COLOUR)
_XL_COLOUR = frozenset((*_WAVELET_COLOUR, "XYB"))

_NATIVE: Mapping[str, Callable[[bytes, Pixels], bytes]] = MappingProxyType(
    {"1.2.840.10008.1.2.1.98": _cut, "1.2.840.10008.1.2.8.1": _inflate}
)
_CODECS: Mapping[str, _Codec] = MappingProxyType(
    {
        "1.2.840.10008.1.2.5": _Codec(_decode_rle, None),
        "1.2.840.10008.1.2.4.50": _JPEG,
        "1.2.840.10008.1.2.4.51": _JPEG,
        "1.2.840.10008.1.2.4.53": _JPEG,  # retired, as is .55
        "1.2.840.10008.1.2.4.55": _JPEG,
        "1.2.840.10008.1.2.4.57": _JPEG_LOSSLESS,
        "1.2.840.10008.1.2.4.70": _JPEG_LOSSLESS,
        "1.2.840.10008.1.2.4.80": _Codec(_decode_jpegls, read_jpeg),
        "1.2.840.10008.1.2.4.81": _Codec(_decode_jpegls, read_jpeg),
        "1.2.840.10008.1.2.4.90": _JPEG2000,
        "1.2.840.10008.1.2.4.91": _JPEG2000,
        "1.2.840.10008.1.2.4.201": _JPEG2000,
        "1.2.840.10008.1.2.4.202": _JPEG2000,
        "1.2.840.10008.1.2.4.203": _JPEG2000,
        "1.2.840.10008.1.2.4.110": _Codec(_decode_jpegxl, read_jpegxl, rgb_from=_XL_COLOUR),
        "1.2.840.10008.1.2.4.111": _Codec(_decode_jpegxl, read_jpegxl, rgb_from=_XL_COLOUR | _JPEG_COLOUR),
        "1.2.840.10008.1.2.4.112": _Codec(
            _decode_jpegxl, read_jpegxl, rgb_from=_XL_COLOUR | {"YBR_FULL_422"}
        ),
    }
)
