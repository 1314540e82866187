"""A stored instance as Explicit VR Little Endian, streamed in fixed memory (PS3.5 A.2, PS3.18 8.7.3).

Owns what changes in the data set on the way: byte order, VRs, delimiters, the file meta, and the attributes
that must agree with decoded pixels. Values and character sets stay as they are. It knows no codec: decoded
frames come from its caller. Sequences get undefined lengths, so that nothing is held back to be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from archive.dicom import part10, walk
from archive.dicom.byte_order import pixel_word_size, swap_words, word_size
from archive.dicom.headers import PIXEL_TAGS, UNDEFINED
from archive.dicom.source import Source
from archive.errors import NotDecodable, NotDicom
from archive.model.instance import Identity, Pixels

IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
_OFFSET_TABLES = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00003))
_BITS_ALLOCATED = 0x00280100
_PIECE = 2**20  # a multiple of every word
_MAX_OPAQUE = 16  # each of them means another pass; the reader takes no more


@dataclass(frozen=True, slots=True)
class DecodedFrames:
    """What takes the place of encapsulated pixel data.

    `frames` gives each of `pixels.frames` frames, little endian and beginning on a byte. `bits_per_frame` is
    without the bits that fill up the last byte. `attributes` are new values of text attributes by tag.
    """

    pixels: Pixels
    frames: Iterable[bytes]
    bits_per_frame: int
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Bytes of the native value, padding included."""
        size = (self.pixels.frames * self.bits_per_frame + 7) // 8
        return size + size % 2


def to_explicit_little_endian(
    source: Source,
    offset: int,
    transfer_syntax_uid: str,
    identity: Identity,
    decoded: DecodedFrames | None = None,
) -> Iterator[bytes]:
    """Return the chunks of a Part 10 file in Explicit VR Little Endian.

    The data set begins at `offset` of `source`; of Deflated instances it is the inflated form. Encapsulated
    pixel data need `decoded`, whose frames are taken one at a time, when their turn comes. What can be known
    before the first chunk is raised by this call: NotDicom for a data set that cannot be walked, NotDecodable
    for pixel data that cannot stand in a native data set.
    """
    if decoded is not None:
        if decoded.length > part10.MAX_LENGTH:
            raise NotDecodable("decoded pixel data would be longer than the 4 GiB of a native value")
        source = _WithoutFragments(source, decoded.pixels)
    converter = _Converter(source, offset, transfer_syntax_uid, decoded)
    meta = part10.file_meta(identity.sop_class_uid, identity.sop_uid, part10.EXPLICIT_LITTLE_ENDIAN)
    return part10.in_chunks(_chain(meta, converter.pieces()))


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class _WithoutFragments:
    """A source whose encapsulated pixel data have no items: nobody scans them for headers again."""

    def __init__(self, source: Source, pixels: Pixels) -> None:
        self._source = source
        self._start = pixels.offset
        self._skipped = pixels.length
        self.size = source.size - pixels.length

    def read_at(self, offset: int, length: int) -> bytes:
        if offset >= self._start:
            return self._source.read_at(offset + self._skipped, length)
        before = self._source.read_at(offset, min(length, self._start - offset))
        left = offset + length - self._start
        return before + self._source.read_at(self._start + self._skipped, left) if left > 0 else before


class _Converter:
    """The conversion of one data set, looked through once before it is written."""

    def __init__(
        self, source: Source, offset: int, transfer_syntax_uid: str, decoded: DecodedFrames | None
    ) -> None:
        self._source = source
        self._offset = offset
        self._implicit = transfer_syntax_uid == IMPLICIT
        self._big = transfer_syntax_uid == BIG_ENDIAN
        self._decoded = decoded
        self._opaque: frozenset[int] = frozenset()
        self._dropped: set[int] = set()
        self._look_through()

    def _walk(self) -> walk.Walk:
        return walk.Walk(
            self._source,
            self._offset,
            implicit=self._implicit,
            big_endian=self._big,
            opaque=self._opaque,
        )

    def _look_through(self) -> None:
        """Find sequences that are none, and those whose pixels are encapsulated where none can be."""
        while True:
            try:
                self._find_encapsulated()
            except walk.Unreadable as error:
                if error.sequence is None or error.sequence in self._opaque:
                    raise
                self._opaque |= {error.sequence}
                if len(self._opaque) > _MAX_OPAQUE:
                    raise NotDicom(f"more than {_MAX_OPAQUE} sequences cannot be read") from error
            else:
                return

    def _find_encapsulated(self) -> None:
        sequences: list[int] = []
        self._dropped.clear()
        for kind, tag, _, start, *_ in self._walk():
            if kind == walk.SEQUENCE:
                sequences.append(start)
            elif kind == walk.SEQUENCE_END:
                sequences.pop()
            elif kind == walk.ENCAPSULATED and sequences:
                # An icon compressed like the image it belongs to: native data sets hold no such thing.
                self._dropped.add(sequences[-1])
            elif kind == walk.ENCAPSULATED and self._decoded is None:
                raise NotDecodable(f"{tag:08X} is encapsulated; its frames must be decoded first")

    def pieces(self) -> Iterator[bytes]:
        """Yield the elements of the data set in their order."""
        skipping = 0
        bits = [0]  # Bits Allocated of each open data set
        for event in self._walk():
            kind, tag, _, start, *_ = event
            if kind == walk.SEQUENCE and (skipping or start in self._dropped):
                skipping += 1
            elif kind == walk.SEQUENCE_END and skipping:
                skipping -= 1
            elif skipping:
                continue
            elif kind == walk.ELEMENT:
                if tag == _BITS_ALLOCATED and event[5]:
                    bits[-1] = int.from_bytes(event[5], "big" if event[6] else "little")
                yield from self._element(event, bits)
            elif kind == walk.SEQUENCE:
                yield part10.header(tag, "SQ", UNDEFINED)
            elif kind == walk.ITEM:
                bits.append(bits[-1])
                yield part10.ITEM
            elif kind == walk.ITEM_END:
                bits.pop()
                yield part10.ITEM_END
            elif kind == walk.SEQUENCE_END:
                yield part10.SEQUENCE_END
            else:
                yield from self._pixels(tag)

    def _element(self, event: walk.Event, bits: list[int]) -> Iterator[bytes]:
        _, tag, vr, start, length, value, big = event
        if not tag & 0xFFFF or tag >> 16 in (0x0000, 0x0002):
            return  # group lengths are retired and would be wrong; these groups are no part of a data set
        if self._decoded is not None and len(bits) == 1:
            if tag in _OFFSET_TABLES:
                return
            new = self._decoded.attributes.get(f"{tag:08X}")
            if new is not None:
                yield part10.element(tag, vr, new.encode())
                return
        word = 1
        if big:
            word = pixel_word_size(vr, bits[-1]) if tag in PIXEL_TAGS else word_size(vr)
        yield part10.header(tag, vr, length + length % 2)
        if value is not None:
            yield swap_words(value, word)
        else:
            yield from self._long_value(start, length, word)
        if length % 2:
            yield part10.padding(vr)

    def _long_value(self, start: int, length: int, word: int) -> Iterator[bytes]:
        for at in range(0, length, _PIECE):
            wanted = min(_PIECE, length - at)
            piece = self._source.read_at(start + at, wanted)
            if len(piece) != wanted:
                raise NotDicom("the object ends in the middle of a value")
            yield swap_words(piece, word)

    def _pixels(self, tag: int) -> Iterator[bytes]:
        decoded = self._decoded
        if decoded is None:  # seen before the first chunk
            raise NotDecodable(f"{tag:08X} is encapsulated; its frames must be decoded first")
        vr = "OW" if decoded.pixels.bits_allocated > 8 else "OB"
        yield part10.header(tag, vr, decoded.length)
        written = 0
        for piece in _joined(decoded):
            written += len(piece)
            yield piece
        if decoded.length - written not in (0, 1):
            raise NotDecodable(f"the frames have {written} bytes together, {decoded.length} were expected")
        yield bytes(decoded.length - written)


def _joined(decoded: DecodedFrames) -> Iterator[bytes]:
    """Yield frames as they follow each other in a native value, bit after bit (PS3.5 8.1.1)."""
    size = decoded.bits_per_frame
    if not size % 8:
        yield from decoded.frames
        return
    carried = np.empty(0, dtype=np.uint8)
    for frame in decoded.frames:
        new = np.unpackbits(np.frombuffer(frame, dtype=np.uint8), count=size, bitorder="little")
        bits = np.concatenate((carried, new))
        whole = len(bits) - len(bits) % 8
        yield np.packbits(bits[:whole], bitorder="little").tobytes()
        carried = bits[whole:]
    yield np.packbits(carried, bitorder="little").tobytes()
