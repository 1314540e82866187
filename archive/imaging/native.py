"""Frames of native pixel data, found by arithmetic (PS3.5 8.1.1 and PS3.18 8.7.3.3.2).

Owns which bytes of the object hold a frame, and how these bytes become the frame that is sent: little endian,
beginning on a byte. Leaves reading the object to its caller.
"""

from __future__ import annotations

from archive.dicom.byte_order import pixel_word_size, swap_words
from archive.errors import NotDecodable, NotFound
from archive.model.instance import Pixels


def frame_range(pixels: Pixels, frame: int) -> tuple[int, int]:
    """Return offset and length in the object of the bytes that hold a frame, counted from 1.

    The range covers whole words where the value is Big Endian, so it can begin and end a few bytes outside
    the frame. Raise NotFound for a frame that the instance has not, NotDecodable for one its value has not.
    """
    start, stop = _bits(pixels, frame)
    word = word_size(pixels)
    first = start // 8 // word * word
    last = -(-stop // 8)
    if last > pixels.length:
        raise NotDecodable(
            f"Pixel Data is too short: frame {frame} of {pixels.frames} ends at byte {last}, "
            f"and the value has {pixels.length}"
        )
    return pixels.offset + first, min(-(-last // word) * word, pixels.length) - first


def frame_value(pixels: Pixels, frame: int, data: bytes) -> bytes:
    """Return a frame, little endian and beginning on a byte, from the bytes of its range.

    Bits after the last pixel of a frame that does not end on a byte are 0.
    """
    offset, length = frame_range(pixels, frame)
    if len(data) != length:
        raise NotDecodable(f"frame {frame} needs {length} bytes of the object, {len(data)} could be read")
    start, stop = _bits(pixels, frame)
    skipped = start - (offset - pixels.offset) * 8
    value = swap_words(data, word_size(pixels))
    if skipped % 8 or stop % 8:
        bits = int.from_bytes(value, "little") >> skipped & ((1 << stop - start) - 1)
        return bits.to_bytes((stop - start + 7) // 8, "little")
    if skipped or len(value) * 8 != stop - start:
        return value[skipped // 8 : (skipped + stop - start) // 8]
    return value


def bits_per_frame(pixels: Pixels) -> int:
    """Return the bits of one frame as they lie in the value.

    Instances whose header says YBR_FULL_422 and whose value is as long as three full samples a pixel are
    common: the length is believed.
    """
    if pixels.photometric_interpretation == "YBR_FULL_422":
        full = pixels.rows * pixels.columns * 3 * pixels.bits_allocated
        if 0 < full * pixels.frames <= pixels.length * 8:
            return full
    return pixels.bits_per_frame


def _bits(pixels: Pixels, frame: int) -> tuple[int, int]:
    if not 1 <= frame <= pixels.frames:
        raise NotFound(f"frame {frame} does not exist: the instance has {pixels.frames}")
    size = bits_per_frame(pixels)
    if not size:
        raise NotDecodable(
            "Rows, Columns, Samples per Pixel or Bits Allocated is missing: frames have no size"
        )
    return (frame - 1) * size, frame * size


def word_size(pixels: Pixels) -> int:
    """Return the bytes of the words that are swapped on the way out, 1 for none."""
    return pixel_word_size(pixels.vr, pixels.bits_allocated) if pixels.big_endian else 1
