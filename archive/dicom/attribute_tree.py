"""A data set in the DICOM JSON model as a tree of rows that a person can read, search and page through.

Owns names, values as text, what a search finds, and that a page holds a bounded number of rows however large
the data set is. Knows no HTML.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archive.dicom.attribute_text import LONGEST, meaning, names_of, text_of
from archive.dicom.dictionary import uid_name

_SHOWN_BYTES = 32


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


Step = tuple[str, Any]


def steps(rows: list[Row]) -> Iterator[Step]:
    """Go through a tree without recursion, for sequences may be 256 deep.

    ("rows", None) begins a list and ("end rows", None) ends it; ("row", Row) begins a row and ("end row",
    Row) ends it; between them a sequence has ("item", Item) and ("end item", None) around the list of each
    item.
    """
    left: list[Step] = [("list", rows)]
    while left:
        kind, what = left.pop()
        if kind == "list":
            left.append(("end rows", None))
            left += [("open", row) for row in reversed(what)]
            yield "rows", None
        elif kind == "open":
            left.append(("end row", what))
            for item in reversed(what.items):
                left += [("end item", None), ("list", item.rows), ("item", item)]
            yield "row", what
        else:
            yield kind, what


def _creator(dataset: Mapping[str, Any], tag: str) -> str:
    """Return the private creator of a tag (PS3.5 7.8.1); empty for public tags and where there is none."""
    if int(tag[3], 16) % 2 == 0 or tag[4:6] == "00":
        return ""
    values = (dataset.get(f"{tag[:4]}00{tag[4:6]}") or {}).get("Value") or [""]
    return str(values[0] or "").strip()
