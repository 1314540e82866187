"""Values of the DICOM JSON model as bytes of Explicit VR Little Endian (PS3.18 F.2, PS3.5 6.2).

Owns one element's value at a time, text in UTF-8. Elements, sequences and bulk data are put together by
archive/dicom/build.py. Errors are ValueError with a sentence that holds no value; the caller adds the tag.
"""

from __future__ import annotations

import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archive.dicom.part10 import TEXT_VRS

_MAX_SHORT = 0xFFFE
_LONG_TEXT = frozenset({"UC", "UR", "UT"})
_INTEGERS = {"SS": "<h", "US": "<H", "SL": "<l", "UL": "<L", "SV": "<q", "UV": "<Q"}
_FLOATS = {"FL": "<f", "FD": "<d", "OF": "<f", "OD": "<d"}
_WORDS = {"OW": "<H", "OL": "<L", "OV": "<Q"}
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def encode_value(vr: str, values: Sequence[Any]) -> bytes:
    """Return the bytes of a Value array, without padding; raise ValueError where the VR cannot hold them.

    Null and "" among text values are empty values. Among numbers nothing can be empty, so a null counts only
    where it stands alone. Numbers may come as text, NaN and infinities in any of their spellings.
    """
    if all(value is None or value == "" for value in values) and (len(values) < 2 or vr not in TEXT_VRS):
        return b""
    if vr in TEXT_VRS:
        return _text(vr, values)
    if vr == "AT":
        return b"".join(map(_attribute_tag, values))
    format_ = _INTEGERS.get(vr) or _WORDS.get(vr)
    if format_:
        return _packed(format_, values, _integer)
    if vr in _FLOATS:
        return _packed(_FLOATS[vr], values, _float)
    raise ValueError(f"has values in Value, which VR {vr} cannot have")


def decode_inline(text: object) -> bytes:
    """Return the bytes of an InlineBinary, blanks and line ends inside it ignored."""
    if isinstance(text, list) and len(text) == 1:
        text = text[0]
    if not isinstance(text, str):
        raise ValueError("has an InlineBinary that is no text")
    try:
        return binascii.a2b_base64("".join(text.split()).encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("has an InlineBinary that is not base64") from error


def _text(vr: str, values: Sequence[Any]) -> bytes:
    make = {"PN": _name, "DS": _decimal, "IS": _integer_text}.get(vr, _plain)
    try:
        data = "\\".join("" if value is None else make(value) for value in values).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a character") from error
    if len(data) > _MAX_SHORT and vr not in _LONG_TEXT:
        raise ValueError(f"has {len(data)} bytes, more than VR {vr} can hold")
    return data


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value.strip("\0")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    raise ValueError("has a value that is no text")


def _name(value: object) -> str:
    if not isinstance(value, Mapping):
        return _plain(value)
    groups = [value.get(group) or "" for group in _NAME_GROUPS]
    if not all(isinstance(group, str) for group in groups) or not set(value) <= set(_NAME_GROUPS):
        raise ValueError("has a name that is not made of Alphabetic, Ideographic and Phonetic")
    return "=".join(groups).rstrip("=")


def _decimal(value: object) -> str:
    """Return at most 16 characters of a number (PS3.5 6.2); text is kept as it is."""
    if not isinstance(value, float):
        return _plain(value)
    for digits in range(17, 8, -1):
        text = repr(value) if digits == 17 else f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError("has a number that no 16 characters can say")  # pragma: no cover  9 digits always fit


def _integer_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, float):
        raise ValueError("has a number that is not whole")
    return _plain(value)


def _attribute_tag(value: object) -> bytes:
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise ValueError("has a value that is no tag of 8 hex digits")
    return struct.pack("<HH", int(value[:4], 16), int(value[4:], 16))


def _packed(format_: str, values: Sequence[Any], make: Callable[[object], int | float]) -> bytes:
    try:
        return struct.pack(f"<{len(values)}{format_[1]}", *map(make, values))
    except (struct.error, OverflowError) as error:
        raise ValueError("has a number out of the range of its VR") from error


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("has a value that is no number")
    if isinstance(value, str):
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", value, re.ASCII):
            raise ValueError("has a value that is no whole number")
        return int(value)
    if not math.isfinite(value) or value != int(value):
        raise ValueError("has a number that is not whole")
    return int(value)


def _float(value: object) -> float:
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            return float(text)
        word = text.lstrip("+-").casefold()
        if word in _NOT_FINITE:
            return -_NOT_FINITE[word] if text.startswith("-") else _NOT_FINITE[word]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError("has a value that is no number")
