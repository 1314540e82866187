"""What attributes are called and what their values say, as text that a person reads, and words found in it.

Control characters become signs that one can see. Knows no HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from archive.dicom.dictionary import private_name, public_entry

LONGEST = 1000
"""Characters of a value that are shown."""

_CODE_MEANING = "00080104"


def text_of(value: Any) -> str:
    """Return one value of the DICOM JSON model as text; control characters as signs one can see."""
    if value is None:
        return ""
    if isinstance(value, Mapping):  # a name: its component groups (PS3.5 6.2.1)
        groups = [str(value.get(each) or "") for each in ("Alphabetic", "Ideographic", "Phonetic")]
        text = "=".join(groups).rstrip("=")
    elif isinstance(value, float):
        text = repr(value).removesuffix(".0")
    else:
        text = str(value)
    return text.translate(_VISIBLE)


_VISIBLE = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"} | {0x7F: 0x2421}


def meaning(item: Mapping[str, Any]) -> str:
    """Return the meaning of a code, for the item that holds it; empty where there is none."""
    values = (item.get(_CODE_MEANING) or {}).get("Value") or [None]
    return text_of(values[0])[:LONGEST] if isinstance(values[0], str) else ""


@lru_cache(maxsize=8192)
def names_of(tag: str, creator: str = "") -> tuple[str, str]:
    """Return the keyword (empty for none) and the name of an attribute."""
    number = int(tag, 16)
    if (number >> 16) % 2:
        if tag[4:6] == "00":
            return "", "Private creator"
        return "", _private_name(number, creator)
    entry = public_entry(number)
    return (entry[4], entry[2]) if entry else ("", "Unknown attribute")


def _private_name(number: int, creator: str) -> str:
    known = private_name(number, creator) if creator else ""
    return known or (f"Private, {creator}" if creator else "Private, no creator")


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a search."""
    return tuple(text.split()[:20])


def marked(text: str, words: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Cut a text into pieces, each with whether it is one of the words, case ignored."""
    lower = text.lower()
    if len(lower) != len(text) or not words:  # some letters change their length: nothing is marked then
        yield text, False
        return
    at = 0
    while at < len(text):
        hits = [(lower.find(word.lower(), at), -len(word)) for word in words]
        start, length = min(((start, size) for start, size in hits if start >= 0), default=(len(text), 0))
        if start > at:
            yield text[at:start], False
        if length:
            yield text[start : start - length], True
        at = start - length if length else len(text)
