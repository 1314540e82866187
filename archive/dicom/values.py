"""Values of data elements as the DICOM JSON model writes them (PS3.18 F.2): bytes in, JSON text out.

One bad value never spoils a data set: what a number cannot say stays as a string, and what has no meaning at
all is left out; both are noted, by tag and without the value. Every function gives what follows `"vr":"XX"`.
"""

from __future__ import annotations

import math
import re
import struct
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import orjson

from archive.dicom.byte_order import swap_words, word_size
from archive.dicom.charset import Encodings, decode

Note = Callable[[str], None]
"""Called with what is wrong with a value."""

_dumps = orjson.dumps
_JSON_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?")
_DS = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_IS = re.compile(r"[+-]?[0-9]+")
_SAFE_DIGITS = 15  # of a decimal that a double gives back
_SAFE_INTEGER = 2**53
_PADDING = " \0"
_BLANKS = b" \0"
_HARMLESS = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
"""Characters that stand in JSON as they are and separate no values."""

_TIME = r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?"
_MONTH, _DAY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12][0-9]|3[01])"
_VALID = {
    # Possessive: a value of any length is looked at once (nothing that is passed is tried another way).
    vr: re.compile(rf" *+(?:{one})? *+(?:\\ *+(?:{one})? *+)*+[ \0]*+".encode())
    for vr, one in {
        "AE": r"[ -\[\]-~]{1,16}",
        "AS": r"[0-9]{3}[DWMY]",
        "CS": r"[A-Z0-9 _]{1,16}",
        "DA": rf"[0-9]{{4}}{_MONTH}{_DAY}",
        "DT": rf"[0-9]{{4}}(?:{_MONTH}(?:{_DAY}(?:{_TIME})?)?)?(?:[+-][0-9]{{4}})?",
        "TM": _TIME,
        "UI": r"(?=[0-9.]{1,64}(?:[\\ \0]|$))(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*",
    }.items()
}
"""What values may look like (PS3.5 Table 6.2-1): one or several, padded."""
_LONGEST = {"LO": 64, "LT": 10_240, "SH": 16, "ST": 1024}  # characters of a value
_LONGEST_GROUP = 64  # characters of a component group of a name

_FORMATS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_SMALL_INTEGERS = frozenset({"SL", "SS", "UL", "US"})
_SIZES = {vr: struct.calcsize(code) for vr, code in _FORMATS.items()}


def value_json(vr: str, value: bytes, encodings: Encodings, big: bool, note: Note) -> bytes:
    """Return `,"Value":[…]` or `,"InlineBinary":"…"`; b"" for an empty value or one that cannot be said."""
    return WRITERS[vr](vr, value, encodings, big, note) if value else b""


def _plain(vr: str, value: bytes, _encodings: Encodings, _big: bool, note: Note) -> bytes:
    if not _VALID[vr].fullmatch(value):
        note(f"has a value that {vr} does not allow")
    text = value.strip(_BLANKS)
    if text and not text.translate(None, _HARMLESS):
        return b',"Value":["%s"]' % text
    return _texts(text, ())


def _free(vr: str, value: bytes, encodings: Encodings, _big: bool, note: Note) -> bytes:
    if len(value) > 16 and len(value) > _LONGEST.get(vr, len(value)):
        _check_length(value, encodings, "\\", _LONGEST[vr], note)
    # Outer blanks mean nothing, but for those that UC begins with (PS3.5 Table 6.2-1).
    text = value.rstrip(_BLANKS) if vr == "UC" else value.strip(_BLANKS)
    if text and not text.translate(None, _HARMLESS):
        return b',"Value":["%s"]' % text
    return _texts(text, encodings)


def _check_length(value: bytes, encodings: Encodings, separators: str, longest: int, note: Note) -> None:
    """Tell of a value, between any of the separators, of more than `longest` characters."""
    text = decode(value, encodings)
    for separator in separators:
        text = text.replace(separator, "\n")
    values = text.split("\n") if separators else [text]
    if any(len(each.strip(_PADDING)) > longest for each in values):
        note(f"has a value of more than {longest} characters")


def _binary(vr: str, value: bytes, _encodings: Encodings, big: bool, _note: Note) -> bytes:
    return b',"InlineBinary":"%s"' % b64encode(swap_words(value, word_size(vr)) if big else value)


def _texts(value: bytes, encodings: Encodings) -> bytes:
    if value.isascii() and b"\x1b" not in value:
        text = value.rstrip(_BLANKS).decode("ascii")
    else:
        text = decode(value, encodings).rstrip(_PADDING)
    if "\\" not in text:
        return b',"Value":[%s]' % _string(text) if text else b""
    values = [each.strip(_PADDING) for each in text.split("\\")]
    return _listed([_string(each) if each else b"null" for each in values])


def _string(text: str) -> bytes:
    try:
        return _dumps(text)
    except TypeError:  # a lone surrogate, which some codecs give
        return _dumps(text.encode("utf-8", "replace").decode())


def _listed(values: list[bytes]) -> bytes:
    return b',"Value":[%s]' % b",".join(values)


def _long_text(vr: str, value: bytes, encodings: Encodings, _big: bool, note: Note) -> bytes:
    if len(value) > _LONGEST.get(vr, len(value)):
        _check_length(value, encodings, "", _LONGEST[vr], note)
    text = decode(value, () if vr == "UR" else encodings).rstrip(_PADDING)
    return b',"Value":[%s]' % _string(text) if text else b""


def _decimals(_vr: str, value: bytes, _encodings: Encodings, _big: bool, note: Note) -> bytes:
    texts = value.strip(_BLANKS).split(b"\\")
    if texts == [b""]:
        return b""
    return _listed([_decimal(text, note) for text in texts])


def _decimal(raw: bytes, note: Note) -> bytes:
    if _JSON_NUMBER.fullmatch(raw) and len(raw) <= _SAFE_DIGITS:
        return raw
    text = raw.decode("latin-1").strip(_PADDING)
    if not text:
        return b"null"
    if not _DS.fullmatch(text):
        note("has a value that is no decimal string")
        return _string(text)
    try:
        exact = Decimal(text)
        number = float(exact)
    except (InvalidOperation, OverflowError):
        return _string(text)
    if math.isfinite(number) and Decimal(repr(number)) == exact:
        whole = abs(exact) < _SAFE_INTEGER and exact == exact.to_integral()
        return _dumps(int(exact) if whole else number)
    return _string(text)  # a double would not give it back (PS3.18 F.2.2, DS as String)


def _integers(_vr: str, value: bytes, _encodings: Encodings, _big: bool, note: Note) -> bytes:
    texts = value.strip(_BLANKS).split(b"\\")
    if texts == [b""]:
        return b""
    return _listed([_integer(text, note) for text in texts])


def _integer(raw: bytes, note: Note) -> bytes:
    text = raw.decode("latin-1").strip(_PADDING)
    if not text:
        return b"null"
    if not _IS.fullmatch(text):
        note("has a value that is no integer string")
        return _string(text)
    if len(text) > _SAFE_DIGITS:
        note("has an integer string that is too long")
        return _string(text)
    number = int(text)
    if not -(2**31) <= number < 2**31:
        note("has an integer string beyond 32 bits")
    return b"%d" % number


def _names(_vr: str, value: bytes, encodings: Encodings, _big: bool, note: Note) -> bytes:
    if len(value) > _LONGEST_GROUP:
        _check_length(value, encodings, "\\=", _LONGEST_GROUP, note)
    text = decode(value, encodings).rstrip(_PADDING)
    if not text:
        return b""
    if "\\" not in text and "=" not in text:
        return b',"Value":[{"Alphabetic":%s}]' % _string(text)
    return _listed([_name(each) for each in text.split("\\")])


def _name(text: str) -> bytes:
    keys = (b"Alphabetic", b"Ideographic", b"Phonetic")
    groups = [group.strip(_PADDING) for group in text.split("=", 2)]
    pairs = [b'"%s":%s' % (key, _string(group)) for key, group in zip(keys, groups, strict=False) if group]
    return b"{%s}" % b",".join(pairs) if pairs else b"null"


def _numbers(vr: str, value: bytes, _encodings: Encodings, big: bool, note: Note) -> bytes:
    size = _SIZES[vr]
    if len(value) == size and vr in _SMALL_INTEGERS:
        return b',"Value":[%d]' % int.from_bytes(value, "big" if big else "little", signed=vr[0] == "S")
    count = len(value) // size
    if len(value) % size:
        note(f"has a length that is not a multiple of {size} bytes")
    if not count:
        return b""
    numbers = struct.unpack_from(f"{'>' if big else '<'}{count}{_FORMATS[vr]}", value)
    if vr in ("FL", "FD"):
        return _listed([_dumps(n) if math.isfinite(n) else _NOT_FINITE[str(n)] for n in numbers])
    if vr in ("SV", "UV"):
        return _listed([b"%d" % n if abs(n) <= _SAFE_INTEGER else b'"%d"' % n for n in numbers])
    return b',"Value":%s' % _dumps(numbers)


_NOT_FINITE = {"nan": b'"NaN"', "inf": b'"Infinity"', "-inf": b'"-Infinity"'}


def _tags(_vr: str, value: bytes, _encodings: Encodings, big: bool, note: Note) -> bytes:
    count = len(value) // 4
    if len(value) % 4:
        note("has a length that is not a multiple of 4 bytes")
    if not count:
        return b""
    numbers = struct.unpack_from(f"{'>' if big else '<'}{2 * count}H", value)
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return _listed([b'"%04X%04X"' % pair for pair in pairs])


WRITERS = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "TM", "UI"), _plain),  # the default repertoire
    **dict.fromkeys(("LO", "SH", "UC"), _free),
    **dict.fromkeys(("LT", "ST", "UR", "UT"), _long_text),  # one value: backslashes are characters
    **dict.fromkeys(_FORMATS, _numbers),
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"), _binary),  # SQ: one that is none
    "AT": _tags,
    "DS": _decimals,
    "IS": _integers,
    "PN": _names,
}
