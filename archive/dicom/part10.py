"""Pieces of Part 10 files in Explicit VR Little Endian: headers, delimiters, file meta.

Owns how an element is framed and padded. What its value is comes from archive/dicom/convert.py and build.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from archive.dicom.headers import LONG_VRS, UNDEFINED

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLEMENTATION_CLASS_UID = "2.25.225373938110393064214018310838527103811"
IMPLEMENTATION_VERSION_NAME = "FILMROOM"
MAX_LENGTH = 0xFFFFFFFE

ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2sHL")
_LONG_VRS = frozenset(LONG_VRS.values())
TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_CHUNK = 65_536


def header(tag: int, vr: str, length: int) -> bytes:
    """Return the header of an element.

    A value too long for the 16 bits of its VR's length gets VR UN (PS3.5 6.2.2): only Implicit VR holds it.
    """
    if vr not in _LONG_VRS and length <= 0xFFFF:
        return _SHORT.pack(tag >> 16, tag & 0xFFFF, vr.encode(), length)
    return _LONG.pack(tag >> 16, tag & 0xFFFF, (vr if vr in _LONG_VRS else "UN").encode(), 0, length)


def padding(vr: str) -> bytes:
    """Return the byte that makes a value even (PS3.5 6.2): NUL for UIDs and all that is no text."""
    return b"\0" if vr == "UI" or vr not in TEXT_VRS else b" "


def element(tag: int, vr: str, value: bytes) -> bytes:
    """Return a whole element, padded."""
    if len(value) % 2:
        value += padding(vr)
    return header(tag, vr, len(value)) + value


def item(elements: bytes) -> bytes:
    """Return an item of elements."""
    return ITEM + elements + ITEM_END


def sequence(tag: int, items: bytes) -> bytes:
    """Return a sequence element of items."""
    return header(tag, "SQ", UNDEFINED) + items + SEQUENCE_END


def file_meta(sop_class_uid: str, sop_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and file meta group of a file that Filmroom writes."""
    group = b"".join(
        (
            element(0x00020001, "OB", b"\0\1"),
            element(0x00020002, "UI", sop_class_uid.encode()),
            element(0x00020003, "UI", sop_uid.encode()),
            element(0x00020010, "UI", transfer_syntax_uid.encode()),
            element(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode()),
            element(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode()),
        )
    )
    return bytes(128) + b"DICM" + element(0x00020000, "UL", len(group).to_bytes(4, "little")) + group


def in_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces to chunks of about 64 KiB; large pieces pass as they are."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
