"""A stored instance in another transfer syntax, streamed in fixed memory (PS3.5 A.2 and A.4, PS3.18 8.7.3).

Owns what changes in the data set on the way: byte order, VRs, delimiters, the file meta, and the attributes
that must agree with other pixels. Values and character sets stay as they are. It knows no codec: frames come
from its caller. Sequences get undefined lengths, so that nothing is held back to be counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archive.dicom import part10, walk
from archive.dicom.byte_order import pixel_word_size, swap_words, word_size
from archive.dicom.changes import Changes
from archive.dicom.derivation import FRAME_TYPE, READS, derived_type
from archive.dicom.headers import PIXEL_TAGS, UNDEFINED
from archive.dicom.pixel_value import DecodedFrames, EncodedFrames
from archive.dicom.source import Source
from archive.errors import NotDecodable, NotDicom
from archive.model.instance import Identity, Pixels

IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
_OFFSET_TABLES = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00003))
_BITS_ALLOCATED, _PIXEL_DATA = 0x00280100, 0x7FE00010
_BEGINNINGS = frozenset((walk.ELEMENT, walk.SEQUENCE, walk.ENCAPSULATED))
_BEYOND = 1 << 32  # behind every tag
_PIECE = 2**20  # a multiple of every word
_MAX_OPAQUE = 16  # each of them means another pass; the reader takes no more


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
    if decoded is not None and decoded.length > part10.MAX_LENGTH:
        raise NotDecodable("decoded pixel data would be longer than the 4 GiB of a native value")
    converter = _Converter(source, offset, transfer_syntax_uid, decoded)
    return _file(identity, part10.EXPLICIT_LITTLE_ENDIAN, converter)


def to_encapsulated(
    source: Source,
    offset: int,
    transfer_syntax_uid: str,
    identity: Identity,
    target: str,
    encoded: EncodedFrames | None,
) -> Iterator[bytes]:
    """Return the chunks of a Part 10 file in the encapsulated transfer syntax `target`.

    It has an empty Basic Offset Table and an item for each frame of `encoded`, which are taken one at a time,
    when their turn comes. A data set without pixel data needs none: it is the same in all of these syntaxes.
    Icons that were compressed like the image are left out. Raise NotDicom as to_explicit_little_endian does.
    """
    converter = _Converter(source, offset, transfer_syntax_uid, encoded)
    if encoded is not None and encoded.derivation is not None:
        identity = replace(identity, sop_uid=encoded.derivation.sop_uid)
    return _file(identity, target, converter)


def _file(identity: Identity, transfer_syntax_uid: str, converter: _Converter) -> Iterator[bytes]:
    meta = part10.file_meta(identity.sop_class_uid, identity.sop_uid, transfer_syntax_uid)
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
        self,
        source: Source,
        offset: int,
        transfer_syntax_uid: str,
        frames: DecodedFrames | EncodedFrames | None,
    ) -> None:
        if frames is not None and frames.pixels.encapsulated:
            source = _WithoutFragments(source, frames.pixels)
        self._source = source
        self._offset = offset
        self._implicit = transfer_syntax_uid == IMPLICIT
        self._big = transfer_syntax_uid == BIG_ENDIAN
        self._frames = frames
        self._derivation = frames.derivation if frames is not None else None
        self._opaque: frozenset[int] = frozenset()
        self._dropped: set[int] = set()
        self._before: dict[int, bytes] = {}
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
        for kind, tag, _, start, _, value, _ in self._walk():
            if kind == walk.SEQUENCE:
                sequences.append(start)
            elif kind == walk.SEQUENCE_END:
                sequences.pop()
            elif kind == walk.ENCAPSULATED and sequences:
                # An icon compressed like the image it belongs to: no other transfer syntax holds it.
                self._dropped.add(sequences[-1])
            elif kind == walk.ENCAPSULATED and self._frames is None:
                raise NotDecodable(f"{tag:08X} is encapsulated; its frames must be decoded first")
            elif kind == walk.ELEMENT and tag in READS and not sequences and value:
                self._before[tag] = value

    def _changes(self) -> Changes:
        if self._frames is None:
            return Changes({}, {})
        elements = {
            int(tag, 16): part10.element(int(tag, 16), "CS", value.encode())
            if isinstance(value, str)
            else part10.element(int(tag, 16), "US", value.to_bytes(2, "little"))
            for tag, value in self._frames.attributes.items()
        }
        if self._derivation is None:
            return Changes(elements, {})
        return Changes(elements | self._derivation.values(self._before), self._derivation.items())

    def pieces(self) -> Iterator[bytes]:
        """Yield the elements of the data set in their order."""
        skipping = 0
        bits = [0]  # Bits Allocated of each open data set
        changes = self._changes()
        for event in self._walk():
            kind, tag, _, start, *_ = event
            top = len(bits) == 1 and not skipping
            if top and kind in _BEGINNINGS:
                yield from changes.before(tag)
            if kind == walk.SEQUENCE and (skipping or start in self._dropped):
                skipping += 1
            elif kind == walk.SEQUENCE_END and skipping:
                skipping -= 1
            elif skipping:
                continue
            elif kind == walk.ENCAPSULATED or (top and self._replaces(tag)):
                yield from self._pixels(tag)
            elif kind == walk.ELEMENT:
                if tag == _BITS_ALLOCATED and event[5]:
                    bits[-1] = int.from_bytes(event[5], "big" if event[6] else "little")
                new = changes.instead(tag) if top else None
                yield from self._element(event, bits) if new is None else (new,)
            elif kind == walk.SEQUENCE and top and not changes.keeps_sequence(tag):
                skipping += 1
            else:
                yield from self._structure(kind, tag, bits, changes)
        yield from changes.before(_BEYOND)

    def _replaces(self, tag: int) -> bool:
        """Tell whether a native element of the top level is left to the frames, or out."""
        return self._frames is not None and (tag == _PIXEL_DATA or tag in _OFFSET_TABLES)

    def _structure(self, kind: int, tag: int, bits: list[int], changes: Changes) -> Iterator[bytes]:
        """Yield the beginning or the end of a sequence or an item."""
        if kind == walk.SEQUENCE:
            yield part10.header(tag, "SQ", UNDEFINED)
        elif kind == walk.ITEM:
            bits.append(bits[-1])
            yield part10.ITEM
        elif kind == walk.ITEM_END:
            bits.pop()
            yield part10.ITEM_END
        else:
            if len(bits) == 1:
                yield changes.last_items(tag)
            yield part10.SEQUENCE_END

    def _pixels(self, tag: int) -> Iterator[bytes]:
        if tag in _OFFSET_TABLES:
            return  # they are of the frames before
        if self._frames is None:  # seen before the first chunk
            raise NotDecodable(f"{tag:08X} is encapsulated; its frames must be decoded first")
        yield from self._frames.pieces(tag)

    def _element(self, event: walk.Event, bits: list[int]) -> Iterator[bytes]:
        _, tag, vr, start, length, value, big = event
        if not tag & 0xFFFF or tag >> 16 in (0x0000, 0x0002):
            return  # group lengths are retired and would be wrong; these groups are no part of a data set
        if tag == FRAME_TYPE and value and self._derivation is not None:
            yield part10.element(tag, vr, derived_type(value))
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
