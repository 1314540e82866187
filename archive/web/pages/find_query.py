"""What is filled in on the find page becomes a query.

Owns the rule of the one box: every word of it is part of the name, the patient ID or the accession number, in
any order, so "smith 4711" is the Smith with that number. A word of one or two letters begins such a value, a
longer one is anywhere in it; a word with `*` or `?` is taken as it stands. A word that is a UID is a study's.
Raises InvalidRequest, named by the field, for a date that is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta

from archive.errors import InvalidRequest
from archive.model.level import Level
from archive.model.query import AnyOf, FuzzyName, Key, Order, Query, Range, Wildcard
from archive.model.uid import is_uid

_NAME, _ID, _ACCESSION = "00100010", "00100020", "00080050"
_DATE, _DESCRIPTION, _MODALITIES = "00080020", "00081030", "00080061"
_STUDY_UID = "0020000D"
_MOST_WORDS = 8
_LONGEST = 200  # characters of a field
_LETTER = re.compile(r"[^\W_]")

ORDERS: Mapping[str, Order] = {
    "date": Order(_DATE),
    "name": Order(_NAME),
    "id": Order(_ID),
    "accession": Order(_ACCESSION),
    "description": Order(_DESCRIPTION),
}
"""Names of orders in the address; with `-` before them the opposite."""

NEWEST = "-date"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of the page as they were filled in; their names are those in the address."""

    q: str = ""
    name: str = ""
    id: str = ""
    accession: str = ""
    date_from: str = ""
    date_to: str = ""
    modality: str = ""
    description: str = ""
    order: str = NEWEST

    @classmethod
    def read(cls, arguments: Mapping[str, str]) -> Form:
        """Read the parameters of an address; what it lacks is empty, an unknown order the usual one."""
        read = {
            each.name: " ".join(arguments.get(PARAMETERS[each.name], "").split())[:_LONGEST]
            for each in fields(cls)
        }
        if read["order"].removeprefix("-") not in ORDERS:
            read["order"] = NEWEST
        return cls(**read)

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the address, those that say nothing left out."""
        usual = Form()
        return {
            PARAMETERS[each.name]: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != getattr(usual, each.name)
        }

    def narrows(self) -> bool:
        """Tell whether any field asks for something."""
        return replace(self, order=NEWEST) != Form()

    def filters(self) -> int:
        """Return how many fields beside the one box are filled in."""
        return len(replace(self, q="", order=NEWEST).parameters())


PARAMETERS = {each.name: each.name for each in fields(Form)} | {"date_from": "from", "date_to": "to"}


def to_query(form: Form, *, limit: int, cursor: str | None = None) -> Query:
    """Return the search for what is filled in."""
    keys = [
        *_named(form.name),
        *_coded(_ID, "LO", form.id),
        *_coded(_ACCESSION, "SH", form.accession),
        *_dates(form),
    ]
    if form.modality:
        wanted = tuple(re.split(r"[\s,\\]+", form.modality.upper().strip(" ,\\")))
        keys.append(
            Key((_MODALITIES,), "CS", Wildcard(wanted) if _is_pattern(form.modality) else AnyOf(wanted))
        )
    if form.description:
        keys.append(Key((_DESCRIPTION,), "LO", Wildcard((_anywhere(form.description),))))
    return Query(
        Level.STUDY,
        keys=tuple(keys),
        either=tuple(_either(word) for word in form.q.split()[:_MOST_WORDS]),
        order=_order(form.order),
        limit=limit,
        cursor=cursor,
    )


def _order(text: str) -> Order:
    order = ORDERS[text.removeprefix("-")]
    return replace(order, descending=True) if text.startswith("-") else order


def _either(word: str) -> tuple[Key, ...]:
    keys = [*_named(word), *_coded(_ID, "LO", word), *_coded(_ACCESSION, "SH", word)]
    if "." in word and is_uid(word):
        keys.append(Key((_STUDY_UID,), "UI", AnyOf((word,))))
    return tuple(keys)


def _named(text: str) -> Iterator[Key]:
    """Give a key for a name: each word is part of it."""
    words = tuple(_part(word) for word in text.replace("=", " ").split() if _LETTER.search(word))
    if words:
        yield Key((_NAME,), "PN", FuzzyName(words))


def _part(word: str) -> str:
    """Return a word so that it is found anywhere in a word of the name; a short one at the beginning."""
    return word if _is_pattern(word) or len(_LETTER.findall(word)) < 3 else f"*{word}"


def _coded(tag: str, vr: str, text: str) -> Iterator[Key]:
    """Give a key for an identifier. These are kept as sent, so it is looked for in capitals as well."""
    if text:
        patterns = (_anywhere(each) for each in (text, text.upper()))
        yield Key((tag,), vr, Wildcard(tuple(dict.fromkeys(patterns))))


def _anywhere(text: str) -> str:
    if _is_pattern(text):
        return text
    return f"{text}*" if len(text) < 3 else f"*{text}*"


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _dates(form: Form) -> Iterator[Key]:
    low, high = (_day(form.date_from, "from"), _day(form.date_to, "to"))
    if low or high:
        yield Key((_DATE,), "DA", Range(low, high))


def _day(text: str, field: str) -> str | None:
    """Read a date as browsers send it (2026-11-25), or as DICOM writes it."""
    if not text:
        return None
    try:
        return date.fromisoformat(text).strftime("%Y%m%d")
    except ValueError:
        raise InvalidRequest(f"{text[:20]!r} is no date: write it as 2026-11-25", where=field) from None


def quick_dates(today: date) -> tuple[tuple[str, int, str, str], ...]:
    """Return the ranges that one click chooses: what it says, how many days, and the two dates."""
    return tuple(
        (label, days, (today - timedelta(days=days - 1)).isoformat(), today.isoformat())
        for label, days in (("Today", 1), ("7 days", 7), ("30 days", 30))
    )
