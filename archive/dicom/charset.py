"""Text of a data set to Unicode: character repertoires and ISO 2022 escapes (PS3.3 C.12.1.1.2, PS3.5 6.1).

It never fails: bytes that a repertoire has not become U+FFFD. Spellings of the field are understood. Without
a declared repertoire, text that is not ASCII is taken for UTF-8 where it is that, else for Latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_SINGLE = {
    "13": "shift_jis",  # JIS X 0201: its katakana are one byte each there
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "166": "tis_620",
    "192": "utf_8",
    "203": "iso8859_15",
}
_MULTI = {"58": "gb2312", "87": "iso2022_jp", "149": "euc_kr", "159": "iso2022_jp_2"}
_CODECS = {
    **_SINGLE,
    **_MULTI,
    "6": "ascii",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "GB2312": "gbk",
    "UTF8": "utf_8",
    "88591": "latin_1",
    "88592": "iso8859_2",
    "88595": "iso8859_5",
    "88597": "iso8859_7",
    "885915": "iso8859_15",
    "SHIFTJIS": "shift_jis",
}
_NAME = re.compile(r"^(?:ISO)?(?:IR|2022IR|2020IR)?(?=.)")

# What an escape selects: codec, and whether the characters after it are two bytes each in G0.
_ESCAPES: dict[bytes, tuple[str, bool]] = {
    b"(B": ("ascii", False),
    b"(J": ("shift_jis", False),
    b")I": ("shift_jis", False),
    b"-A": ("latin_1", False),
    b"-B": ("iso8859_2", False),
    b"-C": ("iso8859_3", False),
    b"-D": ("iso8859_4", False),
    b"-F": ("iso8859_7", False),
    b"-G": ("iso8859_6", False),
    b"-H": ("iso8859_8", False),
    b"-L": ("iso8859_5", False),
    b"-M": ("iso8859_9", False),
    b"-T": ("tis_620", False),
    b"-b": ("iso8859_15", False),
    b"$B": ("iso2022_jp", True),
    b"$@": ("iso2022_jp", True),
    b"$(D": ("iso2022_jp_2", True),
    b"$)A": ("gb2312", False),
    b"$)C": ("euc_kr", False),
}
_ESCAPE = re.compile(rb"\x1b(" + b"|".join(re.escape(each) for each in _ESCAPES) + b")")
_RESETS = re.compile(r"[\\^=\t\n\f\r]")  # what brings back the first repertoire (PS3.5 6.1.2.5.3)

Encodings = tuple[str, ...]
"""Python codecs of a Specific Character Set, the first one's at the start; empty where none is declared."""


@lru_cache(maxsize=1024)
def encodings_of(value: bytes) -> Encodings:
    """Return the codecs for the bytes of a Specific Character Set (0008,0005); unknown names are left out."""
    names = value.decode("latin-1").strip(" \0").split("\\")
    codecs = [_codec(name) for name in names]
    if codecs and codecs[0] is None and len(codecs) > 1:
        codecs[0] = "ascii"
    return tuple(codec for codec in codecs if codec is not None)


def _codec(name: str) -> str | None:
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    return _CODECS.get(plain) or _CODECS.get(_NAME.sub("", plain))


def decode(value: bytes, encodings: Encodings) -> str:
    """Return the text of a value, all of it: values, groups and components are split afterwards."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    if not encodings:
        return _undeclared(value)
    if b"\x1b" in value and encodings[0] != "utf_8" and not encodings[0].startswith("gb"):
        return _with_escapes(value, encodings)
    return _by(value, encodings[0])


def _undeclared(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _by(value: bytes, codec: str) -> str:
    if codec == "ascii" and not value.isascii():
        return _undeclared(value)
    return value.decode(codec, "replace")


def _with_escapes(value: bytes, encodings: Sequence[str]) -> str:
    first, *others = _ESCAPE.split(value)
    parts = [_by(first, encodings[0])]
    for escape, run in zip(others[::2], others[1::2], strict=True):
        codec, double = _ESCAPES[escape]
        if double:
            parts.append((b"\x1b" + escape + run).decode(codec, "replace"))
        else:
            parts.append(_until_reset(run, codec, encodings[0]))
    return "".join(parts)


def _until_reset(run: bytes, codec: str, initial: str) -> str:
    """Decode a run whose escape ends with the next delimiter, which is one byte in all these repertoires."""
    found = _RESETS.search(run.decode("latin-1"))
    if found is None:
        return _by(run, codec)
    return _by(run[: found.start()], codec) + _by(run[found.start() :], initial)
