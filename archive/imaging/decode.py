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

from archive.imaging.codestream import BadCodestreamError, Codestream, read_jpeg, read_jpeg2000, read_jpegxl
from archive.imaging.syntaxes import RefusedError, check_decodable, decoded_length, not_decodable
from archive.model.instance import Pixels

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Codec:
    """How the frames of a transfer syntax are read; `header` is None where a frame has none."""

    decode: Callable[[bytes, Pixels, Codestream], Array]
    header: Callable[[bytes], Codestream] | None


def decode_frame(value: bytes, transfer_syntax_uid: str, pixels: Pixels, frame: int) -> bytes:
    """Return a frame as little-endian native bytes, `pixels.rows` x `columns` x samples of Bits Allocated.

    `value` is the joined value of its fragments. Colour lies as Planar Configuration says, signed samples are
    sign-extended to Bits Allocated, 1-bit frames are packed from a byte on. Nothing is allocated for a frame
    whose own header disagrees with the data set. Raise NotDecodable naming the syntax and the frame.
    """
    check_decodable(pixels, transfer_syntax_uid, frame)
    try:
        if not value:
            raise RefusedError("it is empty")
        if transfer_syntax_uid in _NATIVE:
            return _NATIVE[transfer_syntax_uid](value, pixels)
        codec = _CODECS[transfer_syntax_uid]
        header = _checked_header(value, codec, pixels)
        return _lay_out(codec.decode(value, pixels, header), pixels, header)
    except (RefusedError, BadCodestreamError) as error:
        reason = str(error)
    except (RuntimeError, ValueError, zlib.error) as error:  # what the codecs raise
        reason = f"the decoder refused it ({type(error).__name__}: {error})"
    raise not_decodable(frame, transfer_syntax_uid, reason)


def _checked_header(value: bytes, codec: _Codec, pixels: Pixels) -> Codestream:
    if codec.header is None:
        return Codestream(pixels.columns, pixels.rows, pixels.samples_per_pixel, pixels.bits_allocated)
    header = codec.header(value)
    if (header.rows, header.columns) != (pixels.rows, pixels.columns):
        raise RefusedError(
            f"it is {header.columns} x {header.rows}, Columns and Rows are {pixels.columns} x {pixels.rows}"
        )
    if header.components and header.components != pixels.samples_per_pixel:
        samples = pixels.samples_per_pixel
        raise RefusedError(f"it has {header.components} components, Samples per Pixel is {samples}")
    _check_depth(header.precision, pixels)
    return header


def _check_depth(bits: int, pixels: Pixels) -> None:
    """Refuse samples that do not fit; 1-bit frames are compressed as bytes of 0 and 1."""
    if bits > max(pixels.bits_allocated, 8):
        raise RefusedError(f"its samples have {bits} bits, Bits Allocated is {pixels.bits_allocated}")


def _lay_out(decoded: Array, pixels: Pixels, header: Codestream) -> bytes:
    """Turn rows x columns x samples of any integer type into the bytes of the frame."""
    rows, columns, samples = pixels.rows, pixels.columns, pixels.samples_per_pixel
    if decoded.size != rows * columns * samples:
        raise RefusedError(f"it decoded to {decoded.size} samples, {rows * columns * samples} were expected")
    if pixels.bits_allocated == 1:
        return np.packbits(decoded.reshape(-1) != 0, bitorder="little").tobytes()
    array = decoded.reshape(rows, columns, samples)
    width = array.dtype.itemsize * 8
    if array.dtype.kind not in "iu":
        raise RefusedError("its samples are floating point numbers")
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
        raise RefusedError("its end is missing")


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
    plane = np.frombuffer(_unpacked(segment, count, decoded_length(pixels), 1), dtype=np.uint8)
    return plane[:count] if len(plane) >= count else np.unpackbits(plane, count=count, bitorder="little")


def _rle_segments(value: bytes, count: int) -> list[bytes]:
    offsets = np.frombuffer(value[:64], dtype="<u4")
    if len(value) < 64 or offsets[0] != count or count > 15:
        raise RefusedError(f"its RLE header does not tell of {count} segments")
    bounds = [*map(int, offsets[1 : count + 1]), len(value)]
    return [value[start:stop] for start, stop in pairwise(bounds)]


def _unpacked(segment: bytes, most: int, least: int, number: int) -> bytes:
    """Decode a segment. One run more than it should hold is forgiven: padding is sometimes counted in."""
    plane = bytes(imagecodecs.packbits_decode(segment, out=most + 128))
    if len(plane) < least:
        raise RefusedError(f"RLE segment {number} has {len(plane)} bytes, {least} were expected")
    return plane


def _inflate(value: bytes, pixels: Pixels) -> bytes:
    """Inflate a frame of native bytes (Deflated Image Frame Compression, PS3.5 A.4.13)."""
    return _cut(zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(value, pixels.frame_length), pixels)


def _cut(value: bytes, pixels: Pixels) -> bytes:
    """Return the native bytes of a frame without the padding of its item."""
    if len(value) < pixels.frame_length:
        raise RefusedError(f"it has {len(value)} bytes, {pixels.frame_length} were expected")
    return value[: pixels.frame_length]


_JPEG = _Codec(_decode_jpeg, read_jpeg)
_JPEG_LOSSLESS = _Codec(_decode_jpeg_lossless, read_jpeg)
_JPEG2000 = _Codec(_decode_jpeg2000, read_jpeg2000)

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
        "1.2.840.10008.1.2.4.110": _Codec(_decode_jpegxl, read_jpegxl),
        "1.2.840.10008.1.2.4.111": _Codec(_decode_jpegxl, read_jpegxl),
        "1.2.840.10008.1.2.4.112": _Codec(_decode_jpegxl, read_jpegxl),
    }
)
