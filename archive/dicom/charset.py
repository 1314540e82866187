"""Text of data sets in every Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1), never failing.

Terms are taken in the spellings of the field. Bytes that a character set does not have become U+FFFD, so that
one bad value spoils nothing; the stored bytes keep what was sent.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CODECS = {
    "6": "",
    "13": "shift_jis",
    "14": "shift_jis",
    "58": "gb2312",
    "87": "iso2022_jp",
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "149": "euc_kr",
    "159": "iso2022_jp_2",
    "166": "tis_620",
    "192": "utf_8",
    "203": "iso8859_15",
}
_NAMES = {
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO 2022 GBK": "gbk",
    "ISO 2022 58": "gb2312",
    "UTF8": "utf_8",
    "UTF-8": "utf_8",
    "SHIFT_JIS": "shift_jis",
    "": "",
}
_IR = re.compile(r"ISO[ _]?(?:20\d\d)?[ _-]*IR[ _-]*(\d+)")
_LATIN = re.compile(r"ISO[ _-]?8859[ _-](\d+)")
# Escape sequences of PS3.3 Tables C.12-3 and C.12-4: the codec, and whether Python wants the escape itself.
_ESCAPES = {
    b"\x1b(B": ("", False),
    b"\x1b(J": ("shift_jis", False),
    b"\x1b)I": ("shift_jis", False),
    b"\x1b-A": ("latin_1", False),
    b"\x1b-B": ("iso8859_2", False),
    b"\x1b-C": ("iso8859_3", False),
    b"\x1b-D": ("iso8859_4", False),
    b"\x1b-F": ("iso8859_7", False),
    b"\x1b-G": ("iso8859_6", False),
    b"\x1b-H": ("iso8859_8", False),
    b"\x1b-L": ("iso8859_5", False),
    b"\x1b-M": ("iso8859_9", False),
    b"\x1b-T": ("tis_620", False),
    b"\x1b-b": ("iso8859_15", False),
    b"\x1b$B": ("iso2022_jp", True),
    b"\x1b$@": ("iso2022_jp", True),
    b"\x1b$(D": ("iso2022_jp_2", True),
    b"\x1b$)C": ("euc_kr", False),
    b"\x1b$)A": ("gb2312", False),
}
_ESCAPE = re.compile(rb"(\x1b(?:\$[()][A-Z]|\$[@A-Z]|[-()][A-Za-z]))")
_DELIMITERS = re.compile(rb"([\\^=\r\n\f\t])")


class Charset:
    """One value of Specific Character Set; `known` is False where a term of it is not."""

    def __init__(self, terms: list[str]) -> None:
        codecs = [_codec(term) for term in terms]
        self.known = None not in codecs
        self._first = codecs[0] or ""

    def decode(self, value: bytes) -> str:
        """Decode a whole value, delimiters included; they end what an escape sequence began."""
        if b"\x1b" not in value:
            return _decode(value, self._first)
        start, *rest = _ESCAPE.split(value)
        out = [_decode(start, self._first)]
        for escape, piece in zip(rest[::2], rest[1::2], strict=True):
            codec, keeps_escape = _ESCAPES.get(escape, (self._first, False))
            if keeps_escape:  # two bytes a character: a delimiter's byte is none here
                out.append(_decode(escape + piece, codec))
            elif self._first:
                inside, *outside = _DELIMITERS.split(piece, maxsplit=1)
                out += (_decode(inside, codec or self._first), _decode(b"".join(outside), self._first))
            else:  # nothing to fall back on: what was designated last holds on, as writers expect
                out.append(_decode(piece, codec))
        return "".join(out)


def _decode(value: bytes, codec: str) -> str:
    if codec:
        return value.decode(codec, "replace")
    try:  # outside of the default repertoire only ASCII is legal: UTF-8 proves itself, Latin-1 loses nothing
        return value.decode("utf_8")
    except UnicodeDecodeError:
        return value.decode("latin_1")


def _codec(term: str) -> str | None:
    """Return the codec of a term, "" for the default repertoire, None where the term is not known."""
    word = term.strip(" \0").upper()
    if word in _NAMES:
        return _NAMES[word]
    if found := _IR.fullmatch(word):
        return _CODECS.get(found[1])
    if (found := _LATIN.fullmatch(word)) and 1 <= int(found[1]) <= 16 and found[1] != "12":
        return f"iso8859_{int(found[1])}"
    return None


@lru_cache(maxsize=256)
def charset_of(value: bytes) -> Charset:
    """Return the character set that the bytes of (0008,0005) name; unknown terms count as the default."""
    return Charset(value[:256].decode("latin-1").split("\\"))


DEFAULT = charset_of(b"")
