"""Stored bytes of one element to its value: text, numbers, tags or bytes, whatever is wrong with it.

Owns which VR is read how; nothing is checked, nothing is refused. Leaves finding the bytes to
archive/dicom/walk.py and what a value means to those who ask for it.
"""

from __future__ import annotations

import struct
from typing import Any

from archive.dicom.byte_order import swap_words, word_size
from archive.dicom.charset import Encodings, decode

PADDING = " \0"

_FORMATS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_CODED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # text in the character set of the data set
_LISTED = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"})
_SINGLE = frozenset({"LT", "ST", "UR", "UT"})


def value_of(vr: str, raw: bytes, encodings: Encodings, *, big: bool) -> Any:
    """Return a value or a list of several; None where there is none. Bytes are little endian."""
    if vr in _LISTED:
        text = decode(raw, encodings if vr in _CODED else ())
        return _one_or_all([each.strip(PADDING) for each in text.split("\\")]) if raw else None
    if vr in _SINGLE:
        return decode(raw, encodings if vr in _CODED else ()).rstrip(PADDING)
    if vr in _FORMATS:
        size = struct.calcsize(_FORMATS[vr])
        order = ">" if big else "<"
        return _one_or_all(list(struct.unpack_from(f"{order}{len(raw) // size}{_FORMATS[vr]}", raw)))
    if vr == "AT":
        numbers = struct.unpack_from(f"{'>' if big else '<'}{len(raw) // 4 * 2}H", raw)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return _one_or_all([group << 16 | element for group, element in pairs])
    return swap_words(raw, word_size(vr)) if big else raw


def _one_or_all(values: list[Any]) -> Any:
    return (values[0] if values else None) if len(values) < 2 else values
