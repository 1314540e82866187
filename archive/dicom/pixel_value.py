"""What is written in place of Pixel Data: decoded frames as one value, or compressed frames as items.

Owns the header and the layout of that element (PS3.5 8.1.1, A.4). Where it stands in a data set is left to
convert.py; the frames come from the caller, one at a time, and neither class knows a codec.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from archive.dicom import part10
from archive.dicom.derivation import Derivation
from archive.dicom.headers import UNDEFINED
from archive.errors import NotDecodable
from archive.model.instance import Pixels

Attributes = Mapping[str, str | int]
"""New values by tag, 8 hex digits: text is a CS, a number a US."""

_ITEM = struct.Struct("<HHL")
_NO_TABLE = _ITEM.pack(0xFFFE, 0xE000, 0)


@dataclass(frozen=True, slots=True)
class DecodedFrames:
    """What takes the place of encapsulated pixel data in a native data set.

    `frames` gives each of `pixels.frames` frames, little endian and beginning on a byte. `bits_per_frame` is
    without the bits that fill up the last byte.
    """

    pixels: Pixels
    frames: Iterable[bytes]
    bits_per_frame: int
    attributes: Attributes = field(default_factory=dict)
    derivation: None = None

    @property
    def length(self) -> int:
        """Bytes of the native value, padding included."""
        size = (self.pixels.frames * self.bits_per_frame + 7) // 8
        return size + size % 2

    def pieces(self, tag: int) -> Iterator[bytes]:
        """Yield the element; raise NotDecodable where the frames are too few or too many."""
        yield part10.header(tag, "OW" if self.pixels.bits_allocated > 8 else "OB", self.length)
        written = 0
        for piece in self._joined():
            written += len(piece)
            yield piece
        if self.length - written not in (0, 1):
            raise NotDecodable(f"the frames have {written} bytes together, {self.length} were expected")
        yield bytes(self.length - written)

    def _joined(self) -> Iterator[bytes]:
        """Yield frames as they follow each other in a native value, bit after bit (PS3.5 8.1.1)."""
        size = self.bits_per_frame
        if not size % 8:
            yield from self.frames
            return
        carried, count = 0, 0  # bits that fill no byte yet, and how many
        for frame in self.frames:
            bits = carried | (int.from_bytes(frame, "little") & ((1 << size) - 1)) << count
            whole, count = divmod(count + size, 8)
            joined = bits.to_bytes(whole + 1, "little")
            yield joined[:whole]
            carried = joined[whole]
        yield carried.to_bytes((count + 7) // 8, "little")


@dataclass(frozen=True, slots=True)
class EncodedFrames:
    """What takes the place of pixel data, native or compressed otherwise, in a compressed data set.

    `frames` gives each of `pixels.frames` frames as its codec wrote it. `derivation` is there where something
    was lost on the way.
    """

    pixels: Pixels
    frames: Iterable[bytes]
    attributes: Attributes = field(default_factory=dict)
    derivation: Derivation | None = None

    def pieces(self, tag: int) -> Iterator[bytes]:
        """Yield the element: an item for each frame, and an empty Basic Offset Table (PS3.5 A.4).

        The table would have to be written before the frames are made.
        """
        yield part10.header(tag, "OB", UNDEFINED)
        yield _NO_TABLE
        count = 0
        for frame in self.frames:
            count += 1
            yield _ITEM.pack(0xFFFE, 0xE000, len(frame) + len(frame) % 2)
            yield frame
            yield bytes(len(frame) % 2)
        if count != self.pixels.frames:
            raise NotDecodable(f"there are {count} frames, {self.pixels.frames} were expected")
        yield part10.SEQUENCE_END
