"""The encoders of compressed frames: samples in, the value of a frame out (PS3.5 Annex A.4).

Owns how each codec is called so that nothing is lost. Which pixels go to which is decided by encode.py. Each
takes rows x columns x samples of whole bytes (1-bit pixels as bytes of 0 and 1), the pixels that they are of,
and their photometric interpretation: one of three samples is RGB or YBR_FULL.

imagecodecs has all of them; measured here for 512x512 of 16 bits, with the ratio for a CT-like slice:

    RLE            packbits   0.7 ms  1.8
    HTJ2K          htj2k      1.9 ms  2.5   OpenJPH
    JPEG-LS        jpegls     4.9 ms  2.6   CharLS
    JPEG lossless  jpeg8      7.6 ms  2.5   libjpeg-turbo (ljpeg 5.3 ms and 2.3, and it has no colour)
    JPEG 2000      jpeg2k      29 ms  2.7   OpenJPEG
    JPEG baseline  jpeg8      0.3 ms        of 8 bits
"""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from archive.imaging.encode import QUALITY
from archive.model.instance import Pixels

Array = NDArray[Any]
_SSIZ = 42  # depth and sign of the first component: SOC, then SIZ first of all (T.800 A.5.1)


def _unsigned(array: Array) -> Array:
    """Return the samples as codecs without a sign take them: the bits of a negative one as a large number."""
    array = array[:, :, 0] if array.shape[2] == 1 else array
    return array.view(f"u{array.itemsize}")


def encode_rle(array: Array, pixels: Pixels, photometric: str) -> bytes:
    """Encode a segment for each byte of a sample, the most significant first (PS3.5 Annex G)."""
    rows, columns, samples = array.shape
    size = array.itemsize
    planes = array.view(np.uint8).reshape(rows, columns, samples, size)
    segments = []
    for sample in range(samples):
        for byte in reversed(range(size)):
            plane = planes[:, :, sample, byte].copy()
            segment = bytes(
                imagecodecs.packbits_encode(plane, axis=-1)
            )  # a run never goes on in the next row
            segments.append(segment + bytes(len(segment) % 2))
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    header = struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments)))
    return b"".join((header, *segments))


def encode_jpeg_ls(array: Array, pixels: Pixels, photometric: str) -> bytes:
    """Encode whole samples, as DCMTK does: it keeps unused bits, and every decoder gets the sign right."""
    # Noise grows by a twentieth, and LIMIT (T.87) allows 4 bytes for each: more than the codec reckons with.
    most = array.nbytes * 4 + 1024
    return _without_spiff(bytes(imagecodecs.jpegls_encode(_unsigned(array), out=most)))


def _without_spiff(data: bytes) -> bytes:
    """Cut out the SPIFF header that imagecodecs writes: two APP8 segments; the last holds a second SOI."""
    at = 2
    while data[at : at + 2] == b"\xff\xe8":
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:2] + data[at:]


def encode_jpeg_lossless(array: Array, pixels: Pixels, photometric: str) -> bytes:
    """Encode whole samples by first-order prediction (Process 14, Selection Value 1), colour as RGB.

    The stream that libjpeg-turbo makes of YCbCr here is one that DCMTK and GDCM cannot read.
    """
    colour = "RGB" if array.shape[2] == 3 else None
    value = imagecodecs.jpeg8_encode(
        _unsigned(array),
        lossless=True,
        predictor=1,
        bitspersample=pixels.bits_allocated,
        colorspace=colour,
        outcolorspace=colour,
    )
    return bytes(value)


def encode_jpeg_baseline(array: Array, pixels: Pixels, photometric: str) -> bytes:
    """Encode colour as YBR_FULL_422, the one that PS3.5 Table 8.2.1-1 has for it beside RGB."""
    if array.shape[2] == 1:
        return bytes(imagecodecs.jpeg8_encode(_unsigned(array), level=QUALITY))
    colour = "RGB" if photometric == "RGB" else "YCBCR"
    value = imagecodecs.jpeg8_encode(
        array, level=QUALITY, colorspace=colour, outcolorspace="YCBCR", subsampling="422"
    )
    return bytes(value)


def encode_jpeg2000(array: Array, pixels: Pixels, photometric: str) -> bytes:
    """Encode RGB by the reversible transformation: a fifth smaller, and what many IODs ask for (YBR_RCT)."""
    value = imagecodecs.jpeg2k_encode(
        array[:, :, 0] if array.shape[2] == 1 else array,
        reversible=True,
        codecformat="j2k",
        bitspersample=_precision(array, pixels),
        mct=photometric == "RGB",
        numthreads=1,
    )
    return bytes(value)


def _precision(array: Array, pixels: Pixels) -> int:
    """Return Bits Stored, or Bits Allocated where a sample has something in its unused bits."""
    bits = pixels.bits_stored or pixels.bits_allocated
    low, high = (-(1 << bits - 1), 1 << bits - 1) if pixels.pixel_representation else (0, 1 << bits)
    return bits if low <= int(array.min()) and int(array.max()) < high else pixels.bits_allocated


def encode_htj2k(array: Array, pixels: Pixels, photometric: str) -> bytes:
    """Encode with what OpenJPH takes by itself: five levels, blocks of 64 x 64, RPCL."""
    return _openjph(array, pixels, rgb=photometric == "RGB")


def encode_htj2k_rpcl(array: Array, pixels: Pixels, photometric: str) -> bytes:
    """Encode with tile-part lengths, and so many resolutions that one is a thumbnail (PS3.5 10.18)."""
    levels = 5
    while max(array.shape[:2]) > 64 << levels:
        levels += 1
    return _openjph(
        array,
        pixels,
        rgb=photometric == "RGB",
        resolutions=levels,
        tlm=True,
        tilepart=imagecodecs.HTJ2K.TILEPART.RESOLUTIONS,
    )


def _openjph(array: Array, pixels: Pixels, **options: Any) -> bytes:
    """Encode by OpenJPH, whose progression is RPCL. The codestream has as many bits as the samples.

    imagecodecs takes whole bytes only. A sample of fewer bits is moved to where its codestream has it inside,
    around 0, compressed as a signed number, and called what it is (Ssiz): the decoder moves it back.
    """
    bits, signed = _precision(array, pixels), bool(pixels.pixel_representation)
    narrow = bits < pixels.bits_allocated
    if narrow and not signed:
        array = (array.astype(np.int32) - (1 << bits - 1)).astype(f"i{array.itemsize}")
    array = array[:, :, 0] if array.shape[2] == 1 else array
    value = bytearray(imagecodecs.htj2k_encode(array, reversible=True, **options))
    if narrow:
        for component in range(pixels.samples_per_pixel):
            value[_SSIZ + 3 * component] = (bits - 1) | (0x80 if signed else 0)
    return bytes(value)
