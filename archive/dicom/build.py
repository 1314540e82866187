"""An instance made of metadata and bulk data, as STOW-RS sends them apart (PS3.18 10.5.2, F.2).

Owns turning a data set of the DICOM JSON model into a Part 10 file: in Explicit VR Little Endian, or in the
encapsulated syntax of its pixel data. Metadata are encoded at once, so that every error is known before the
first chunk; bulk data are streamed. Finding the part of a BulkDataURI is left to the caller.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from archive.dicom import part10
from archive.dicom.compressed import Frames, encapsulated_syntax
from archive.dicom.dictionary import US_OR_SS, public_vr
from archive.dicom.encode import decode_inline, encode_value
from archive.dicom.headers import KNOWN_VRS, LONG_VRS, UNDEFINED
from archive.errors import NotDicom
from archive.model.instance import Identity
from archive.model.uid import is_uid, trim_uid

MAX_DEPTH = 64
_PIXEL_DATA, _CHARACTER_SET = 0x7FE00010, 0x00080005
_UTF_8 = part10.element(_CHARACTER_SET, "CS", b"ISO_IR 192")
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_VRS = frozenset(KNOWN_VRS.values())
_LONG = frozenset(LONG_VRS.values())
_PIECE = 2**20
_REQUIRED = {
    "0020000D": "StudyInstanceUID",
    "0020000E": "SeriesInstanceUID",
    "00080018": "SOPInstanceUID",
    "00080016": "SOPClassUID",
}

DataSet = Mapping[str, Any]


class Readable(Protocol):
    """Bytes of a bulk data part."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        ...


@dataclass(frozen=True, slots=True)
class BulkPart:
    """A bulk data part of the request; `open` gives its bytes from the start, each time it is called.

    `media_type` is lower case without parameters; `transfer_syntax_uid` is the part's own parameter.
    """

    open: Callable[[], Readable]
    length: int
    media_type: str = "application/octet-stream"
    transfer_syntax_uid: str | None = None


Resolve = Callable[[str], Sequence[BulkPart]]
"""Give the parts of a BulkDataURI as the request has them, one a frame or one in all; none where unknown."""


@dataclass(frozen=True, slots=True)
class Built:
    """An instance that can be written: `length` bytes, as often as it is asked for."""

    identity: Identity
    transfer_syntax_uid: str
    length: int
    pieces: tuple[bytes | BulkPart, ...]

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the file; raise NotDicom where a part has not the length it was said to have."""
        return part10.in_chunks(self._bytes())

    def _bytes(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            reader, left = piece.open(), piece.length
            while left:
                data = reader.read(min(left, _PIECE))
                if not data:
                    raise NotDicom("a bulk data part is shorter than it was")
                left -= len(data)
                yield data


def build_instance(dataset: DataSet, resolve: Resolve) -> Built:
    """Build an instance from its metadata; raise NotDicom naming the attribute at fault.

    Text is written in UTF-8 with SpecificCharacterSet ISO_IR 192 where any is not ASCII. Attributes of groups
    0000 and 0002 and group lengths are left out.
    """
    identity = _identity(dataset)
    try:
        builder = _Builder(dataset, resolve)
        builder.dataset(dataset)
    except NotDicom as error:
        error.sop_class_uid, error.sop_instance_uid = identity.sop_class_uid, identity.sop_uid
        raise
    meta = part10.file_meta(identity.sop_class_uid, identity.sop_uid, builder.syntax)
    pieces = (meta, *builder.pieces)
    length = sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in pieces)
    return Built(identity, builder.syntax, length, pieces)


def _identity(dataset: DataSet) -> Identity:
    uids = {}
    for tag in _REQUIRED:
        element = dataset.get(tag)
        values = element.get("Value") if isinstance(element, Mapping) else None
        value = values[0] if isinstance(values, list) and values else None
        uids[tag] = trim_uid(value) if isinstance(value, str) else ""
    for tag, keyword in _REQUIRED.items():
        if not is_uid(uids[tag]):
            text = "is no UID" if uids[tag] else "is missing"
            raise NotDicom(
                f"{keyword} ({tag}) {text}",
                attribute=tag,
                sop_class_uid=uids["00080016"] or None,
                sop_instance_uid=uids["00080018"] or None,
            )
    return Identity(*uids.values())


def _is_ascii(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii()
    if isinstance(value, Mapping):
        return all(map(_is_ascii, value.values()))
    return not isinstance(value, list) or all(map(_is_ascii, value))


class _Builder:
    """Collects the pieces of one data set, sequences included."""

    def __init__(self, root: DataSet, resolve: Resolve) -> None:
        self.pieces: list[bytes | BulkPart] = []
        self.syntax = part10.EXPLICIT_LITTLE_ENDIAN
        self._root = root
        self._resolve = resolve
        self._depth = 0
        try:
            self._utf_8 = not _is_ascii(root)
        except RecursionError:
            raise NotDicom(f"sequences are nested more than {MAX_DEPTH} deep, which is the limit") from None

    def dataset(self, dataset: DataSet) -> None:
        """Encode a data set: its attributes in the order of their tags."""
        elements = {}
        for name, element in dataset.items():
            if not _TAG.fullmatch(name):
                raise NotDicom("the metadata have a name that is no tag of 8 hex digits")
            elements[int(name, 16)] = element
        if self._utf_8 and self._depth == 0:
            elements[_CHARACTER_SET] = None
        for tag in sorted(elements):
            if tag == _CHARACTER_SET and self._utf_8:
                self.pieces.append(_UTF_8)
            elif tag & 0xFFFF and tag >> 16 not in (0x0000, 0x0002):
                self._attribute(tag, elements[tag])

    def _attribute(self, tag: int, element: object) -> None:
        if not isinstance(element, Mapping) or tag >> 16 == 0xFFFE:
            raise _bad(tag, "is no attribute of the DICOM JSON model")
        vr = element.get("vr") or _vr_of(tag)
        if vr not in _VRS:
            raise _bad(tag, "has no value representation that is known")
        try:
            if element.get("BulkDataURI") is not None:
                self._bulk(tag, vr, element["BulkDataURI"])
            elif element.get("InlineBinary") is not None:
                self._value(tag, vr, decode_inline(element["InlineBinary"]))
            else:
                self._values(tag, vr, element.get("Value"))
        except ValueError as error:
            raise _bad(tag, str(error)) from error

    def _values(self, tag: int, vr: str, values: object) -> None:
        values = [] if values is None else values
        if not isinstance(values, list):
            raise ValueError("has a Value that is no array")
        if vr == "SQ":
            self._sequence(tag, values)
        else:
            self._value(tag, vr, encode_value(vr, values))

    def _value(self, tag: int, vr: str, value: bytes) -> None:
        if vr == "SQ":
            raise ValueError("is a sequence without items")
        if len(value) > 0xFFFE and vr not in _LONG:
            raise ValueError(f"has {len(value)} bytes, more than VR {vr} can hold")
        self.pieces.append(part10.element(tag, vr, value))

    def _sequence(self, tag: int, items: list[Any]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _bad(tag, f"is nested more than {MAX_DEPTH} deep, which is the limit")
        self.pieces.append(part10.header(tag, "SQ", UNDEFINED))
        for item in items:
            if item is not None and not isinstance(item, Mapping):
                raise ValueError("has an item that is no data set")
            self.pieces.append(part10.ITEM)
            self.dataset(item or {})
            self.pieces.append(part10.ITEM_END)
        self.pieces.append(part10.SEQUENCE_END)
        self._depth -= 1

    def _bulk(self, tag: int, vr: str, uri: object) -> None:
        parts = self._resolve(uri) if isinstance(uri, str) else ()
        if not parts:
            raise ValueError("refers to bulk data that are not in the request")
        if tag == _PIXEL_DATA and self._depth == 0:
            syntax = encapsulated_syntax(parts, _first_text(self._root, "00020010", "00083002"))
            if syntax is not None:
                self.syntax = syntax
                self._encapsulated(parts, _first_text(self._root, "00280008"))
                return
            if len(parts) > 1 and _first_text(self._root, "00280100") == "1":
                raise ValueError("has frames of 1 bit in several parts; they belong in one, bit after bit")
        elif encapsulated_syntax(parts, None) is not None:
            raise ValueError("is not Pixel Data, but its bulk data are compressed")
        length = sum(part.length for part in parts)
        if length > (part10.MAX_LENGTH if vr in _LONG else 0xFFFE):
            raise ValueError(f"has {length} bytes, more than VR {vr} can hold")
        self.pieces.append(part10.header(tag, vr, length + length % 2))
        self.pieces.extend(parts)
        if length % 2:
            self.pieces.append(part10.padding(vr))

    def _encapsulated(self, parts: Sequence[BulkPart], number_of_frames: str | None) -> None:
        frames = Frames([part.length for part in parts], number_of_frames, self.syntax)
        self.pieces.append(part10.header(_PIXEL_DATA, "OB", UNDEFINED))
        self.pieces.append(frames.offset_table())
        for part in parts:
            self.pieces.append(struct.pack("<HHL", 0xFFFE, 0xE000, part.length + part.length % 2))
            self.pieces.append(part)
            self.pieces.append(bytes(part.length % 2))
        self.pieces.append(part10.SEQUENCE_END)


def _first_text(dataset: DataSet, *tags: str) -> str | None:
    for tag in tags:
        element = dataset.get(tag)
        values = element.get("Value") if isinstance(element, Mapping) else None
        if isinstance(values, list) and values and values[0] is not None:
            return str(values[0]).strip(" \0")
    return None


def _vr_of(tag: int) -> str:
    vr = public_vr(tag) or "UN"
    return "US" if vr == US_OR_SS else vr


def _bad(tag: int, text: str) -> NotDicom:
    return NotDicom(f"attribute {tag:08X} {text}", attribute=f"{tag:08X}")
