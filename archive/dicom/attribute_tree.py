"""A data set in the DICOM JSON model as a tree of rows that a person can read, search and page through.

Owns names, values as text, what a search finds, and that a page holds a bounded number of rows however large
the data set is. Knows no HTML.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_description, keyword_for_tag, private_dictionary_description
from pydicom._uid_dict import UID_dictionary

LONGEST = 1000
"""Characters of a value that a row shows."""

_SHOWN_BYTES = 32
_CODE_MEANING = "00080104"


@dataclass(slots=True)
class Row:
    """An attribute. `tag` is 8 hex digits; `path` leads to it from the top: 00400275/1/00400007.

    `note` says what a value means (the name of a UID, the meanings of codes in a sequence). `length` is the
    number of characters of a value that is longer than `value`, else 0. `uri` and `size` (bytes) belong to
    bulk values, `size` to inline binary ones too. `found`: the search found this very attribute.
    """

    path: str
    tag: str
    keyword: str
    name: str
    vr: str
    value: str = ""
    note: str = ""
    length: int = 0
    uri: str | None = None
    size: int | None = None
    found: bool = False
    items: list[Item] = field(default_factory=list)
    item_count: int = 0

    @property
    def label(self) -> str:
        """The tag as people write it."""
        return f"({self.tag[:4]},{self.tag[4:]})"


@dataclass(slots=True)
class Item:
    """An item of a sequence, counted from 1."""

    number: int
    note: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Tree:
    """Some rows of a data set, under the sequences that they are in.

    `total` is of all attributes, `found` of those that the search finds, `listed` of those that could be on a
    page: found ones and what sequences among them hold. The page has those from `first` (counted from 0) to
    before `last`. `complete`: every attribute is there, whole, so that a search needs nothing else.
    """

    rows: list[Row]
    total: int
    found: int
    listed: int
    first: int
    last: int
    complete: bool


def attribute_tree(
    dataset: Mapping[str, Any], sizes: Mapping[str, int], *, words: tuple[str, ...], first: int, limit: int
) -> Tree:
    """Return the rows of a data set that hold every word in tag, keyword, name or value, `limit` of them.

    `sizes` are bytes of bulk values by path. No words: all attributes.
    """
    return _Walk(sizes, tuple(word.lower() for word in words), first, limit).run(dataset)


class _Walk:
    def __init__(self, sizes: Mapping[str, int], words: tuple[str, ...], first: int, limit: int) -> None:
        self._sizes = sizes
        self._words = words
        self._first = first
        self._last = first + limit
        self._total = self._found = self._listed = 0
        self._cut = False

    def run(self, dataset: Mapping[str, Any]) -> Tree:
        rows = self._rows(dataset, "", inside=False)
        last = min(self._last, self._listed)
        complete = not self._words and not self._cut and self._first == 0 and last == self._listed
        return Tree(rows, self._total, self._found, self._listed, self._first, last, complete)

    def _rows(self, dataset: Mapping[str, Any], path: str, *, inside: bool) -> list[Row]:
        """Return the rows of a data set on the page; `inside`: in a sequence that the search found."""
        rows = []
        for tag, element in dataset.items():
            self._total += 1
            on_page = self._first <= self._listed < self._last
            row = None
            if self._words or on_page:
                row = self._row(dataset, tag, element, path)
                row.found = self._matches(row)
            if inside or row is None or row.found:
                self._listed += 1
                self._found += row is None or row.found
            else:
                on_page = False
            if element.get("vr") == "SQ":
                row = self._sequence(row, dataset, tag, element, path, on_page=on_page, inside=inside)
            elif not on_page:
                row = None
            if row is not None:
                rows.append(row)
        return rows

    def _sequence(
        self,
        row: Row | None,
        dataset: Mapping[str, Any],
        tag: str,
        element: Mapping[str, Any],
        path: str,
        *,
        on_page: bool,
        inside: bool,
    ) -> Row | None:
        """Return the row of a sequence with its items, if it or any of what it holds is on the page."""
        inside = inside or bool(self._words and row is not None and row.found)
        items = []
        for number, item in enumerate(element.get("Value") or (), 1):
            if isinstance(item, Mapping):  # an empty item may be null (PS3.18 F.2.5)
                rows = self._rows(item, f"{path}{tag}/{number}/", inside=inside)
                if rows:
                    items.append(Item(number, meaning(item), rows))
        if not on_page and not items:
            return None
        row = row or self._row(dataset, tag, element, path)
        row.items = items
        return row

    def _row(self, dataset: Mapping[str, Any], tag: str, element: Mapping[str, Any], path: str) -> Row:
        keyword, name = names_of(tag, _creator(dataset, tag))
        row = Row(f"{path}{tag}", tag, keyword, name, str(element.get("vr", "")))
        if row.vr == "SQ":
            items = element.get("Value") or ()
            row.item_count = len(items)
            row.note = ", ".join(
                dict.fromkeys(
                    filter(None, (meaning(each) for each in items[:5] if isinstance(each, Mapping)))
                )
            )
        elif "BulkDataURI" in element:
            row.uri = str(element["BulkDataURI"])
            size = self._sizes.get(row.path, -1)
            row.size = size if size >= 0 else None
        elif "InlineBinary" in element:
            data = b64decode(element["InlineBinary"])
            row.size = len(data)
            row.value = data[:_SHOWN_BYTES].hex(" ").upper() + (" …" if len(data) > _SHOWN_BYTES else "")
        else:
            self._text(row, element.get("Value") or ())
        return row

    def _text(self, row: Row, values: Any) -> None:
        texts = [text_of(each) for each in values]
        row.value = "\\".join(texts)
        if row.vr == "UI":
            row.note = ", ".join(filter(None, (uid_name(each) for each in texts[:5])))
        if len(row.value) > LONGEST:
            row.length = len(row.value)

    def _matches(self, row: Row) -> bool:
        """Tell whether every word is in the row; then shorten what is too long to be shown."""
        found = True
        if self._words:
            text = f"{row.label} {row.tag} {row.keyword} {row.name} {row.value} {row.note}".lower()
            found = all(word in text for word in self._words)
        if row.length:
            row.value = row.value[:LONGEST]
            self._cut = True
        return found


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


def uid_name(uid: str) -> str:
    """Return the name of a UID of PS3.6; empty for one that has none."""
    entry = UID_dictionary.get(uid)
    return entry[0] if entry else ""


def _creator(dataset: Mapping[str, Any], tag: str) -> str:
    """Return the private creator of a tag (PS3.5 7.8.1); empty for public tags and where there is none."""
    if int(tag[3], 16) % 2 == 0 or tag[4:6] == "00":
        return ""
    values = (dataset.get(f"{tag[:4]}00{tag[4:6]}") or {}).get("Value") or [""]
    return str(values[0] or "").strip()


@lru_cache(maxsize=8192)
def names_of(tag: str, creator: str = "") -> tuple[str, str]:
    """Return the keyword (empty for none) and the name of an attribute."""
    number = int(tag, 16)
    if (number >> 16) % 2:
        if tag[4:6] == "00":
            return "", "Private creator"
        return "", _private_name(number, creator)
    try:
        return keyword_for_tag(number), dictionary_description(number)
    except KeyError:
        return "", "Unknown attribute"


def _private_name(number: int, creator: str) -> str:
    known = ""
    if creator:
        try:
            known = private_dictionary_description(number, creator)
        except KeyError:
            known = ""
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
