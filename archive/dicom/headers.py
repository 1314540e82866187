"""Headers of data elements: what VR and length one has, in well-formed and in broken files (PS3.5 7.1).

Owns the tables of VRs and every guess about a header that breaks the standard. What is done with an element
is left to archive/dicom/walk.py.
"""

from __future__ import annotations

import struct

from archive.dicom.dictionary import US_OR_SS, VR_OF_TAG, private_vr, public_vr

UNDEFINED = 0xFFFFFFFF
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SHORT = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
SHORT_VRS = {vr.encode(): vr for vr in _SHORT.split()}
LONG_VRS = {vr.encode(): vr for vr in _LONG.split()}
KNOWN_VRS = SHORT_VRS | LONG_VRS
PLAIN = {
    tag: vr
    for tag, vr in VR_OF_TAG.items()
    if vr in KNOWN_VRS.values() and vr not in {"SQ", "UN"} and tag not in PIXEL_TAGS and tag >> 16 != 0xFFFE
}
"""Public tags whose elements need no second look in Implicit VR."""

WORD_SIZE = {"US": 2, "SS": 2, "AT": 4, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "SV": 8, "UV": 8}
EXPLICIT = {False: struct.Struct("<HH2sH"), True: struct.Struct(">HH2sH")}
IMPLICIT = {False: struct.Struct("<HHL"), True: struct.Struct(">HHL")}
GROUP_ELEMENT = {False: struct.Struct("<HH"), True: struct.Struct(">HH")}
LENGTH = {False: struct.Struct("<L"), True: struct.Struct(">L")}

Header = tuple[str, int, int, bool]
"""VR, offset of the value, its length, and whether the header had no VR."""


class Level:
    """A data set (the root or an item) or a sequence that is open, and what holds in it."""

    __slots__ = (
        "big",
        "creators",
        "doubtful",
        "end",
        "implicit",
        "is_sequence",
        "last_tag",
        "signed",
        "start",
        "tag",
        "undefined",
    )

    def __init__(
        self, tag: int, start: int, end: int, parent: Level | None, *, is_sequence: bool, undefined: bool
    ) -> None:
        self.tag = tag  # of the sequence
        self.start = start
        self.end = end  # of the file where the length is undefined
        self.is_sequence = is_sequence
        self.undefined = undefined
        self.last_tag = 0
        self.creators: dict[int, str] | None = None
        if parent is None:
            self.implicit = self.big = self.signed = self.doubtful = False
        else:
            self.implicit = parent.implicit
            self.big = parent.big
            self.signed = parent.signed  # Pixel Representation, here or further out
            self.doubtful = parent.doubtful  # inside what is only guessed to be a sequence


def vr_by_dictionary(level: Level, tag: int) -> str:
    """Return the VR that a tag has where the file does not say, "UN" where nobody knows."""
    if tag >> 16 & 1:
        block = tag >> 16 << 8 | (tag & 0xFFFF) >> 8
        return private_vr(tag, level.creators.get(block) if level.creators else None) or "UN"
    vr = public_vr(tag) or "UN"
    if vr == US_OR_SS:
        return "SS" if level.signed else "US"
    return vr


def remember(level: Level, tag: int, value: bytes | None) -> None:
    """Keep what later headers of the data set depend on: private creators and Pixel Representation."""
    if value is None:
        return
    if tag == 0x00280103:
        level.signed = any(value)
    elif tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
        level.creators = level.creators or {}
        level.creators[tag >> 16 << 8 | tag & 0xFF] = value.decode("latin-1").strip(" \0")


def parse_header(  # noqa: PLR0911 one return a kind of header
    level: Level, buffer: bytes, i: int, pos: int, size: int
) -> Header | None:
    """Read the header at `buffer[i]`, which is at `pos` of a file of `size` bytes.

    Return None where no reading of it makes sense.
    """
    group, element, code, short = EXPLICIT[level.big].unpack_from(buffer, i)
    tag = group << 16 | element
    whole = LENGTH[level.big].unpack_from(buffer, i + 4)[0]
    if level.implicit:
        return _pixels_or(vr_by_dictionary(level, tag), tag), pos + 8, whole, True
    if code in SHORT_VRS:
        return SHORT_VRS[code], pos + 8, short, False
    after = LENGTH[level.big].unpack_from(buffer, i + 8)[0] if len(buffer) - i >= 12 else None
    if code in LONG_VRS:
        return None if after is None else (LONG_VRS[code], pos + 12, after, False)
    known = vr_by_dictionary(level, tag)
    if code.isalpha() and code.isupper():
        # A VR of the future has a long header (PS3.5 7.1.2), a VR misspelt by a device a short one.
        if not short and after is not None and 0 < after <= size - pos - 12:
            return known, pos + 12, after, False
        return known, pos + 8, short, False
    if whole == UNDEFINED or whole <= size - pos - 8:
        return _pixels_or(known, tag), pos + 8, whole, True
    return ("UN" if known == "SQ" else known, pos + 8, short, False) if short <= size - pos - 8 else None


def _pixels_or(vr: str, tag: int) -> str:
    return "OW" if tag == 0x7FE00010 else vr


def is_explicit(level: Level, buffer: bytes, i: int) -> bool | None:
    """Tell by its first header whether a data set has explicit VRs; None: as expected.

    Some writers change between the two inside sequences, or name the wrong transfer syntax.
    """
    if len(buffer) - i < 8 or level.end - level.start < 8:
        return None
    group, element, code, _ = EXPLICIT[level.big].unpack_from(buffer, i)
    tag = group << 16 | element
    if group == 0xFFFE:
        return None
    length = LENGTH[level.big].unpack_from(buffer, i + 4)[0]
    fits = length == UNDEFINED or level.start + 8 + length <= level.end
    if level.implicit:
        vr = KNOWN_VRS.get(code)
        return True if vr is not None and (not fits or vr == vr_by_dictionary(level, tag)) else None
    return None if (code.isalpha() and code.isupper()) or not fits else False
