"""The order of results, and the cursor that says where a page begins or ends.

StudyDate and StudyTime descending unless the query names another attribute; those without it last; then UIDs
and numbers ascending, missing numbers last. The last term is unique, so pages neither repeat nor skip. A
cursor holds the values of the result that it stands beside, how many come before that, and a digest that ties
it to its query; it gives no rights. `segments` cuts what comes after a cursor into ranges of an index.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from archive.errors import InvalidRequest
from archive.index.schema import instances, series, studies
from archive.index.sql import Sql, all_of, any_of, column, compare, joined, sql
from archive.model.level import Level
from archive.model.query import NEWEST_FIRST, Query

_NONE_LAST = 2**63 - 1
_DIGEST = 9  # bytes

OrderValues = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that results are ordered by: text, or a number where `numeric`."""

    name: str
    column: Sql
    descending: bool = False
    numeric: bool = False

    def order(self, column: Sql) -> Sql:
        """Return an ORDER BY element over a column that holds the term."""
        return sql("{} DESC" if self.descending else "{}", column)

    def beyond(self, value: str | int) -> Sql:
        """Return the condition that the term comes after a value."""
        return compare(self.column, "<" if self.descending else ">", value)


_COLUMNS = {
    "00080020": column(studies.c.study_date),
    "00100010": column(studies.c.patient_name_order),
    "00100020": column(studies.c.patient_id),
    "00080050": column(studies.c.accession_number),
    "00081030": column(studies.c.study_description),
}
_NEWEST = (
    Term("study_date", column(studies.c.study_date), descending=True),
    Term("study_time", column(studies.c.study_time), descending=True),
    Term("study_uid", column(studies.c.study_uid)),
)


def _none_last(number: Sql) -> Sql:
    return sql(f"coalesce({{}}, {_NONE_LAST})", number)


_BELOW = {
    Level.STUDY: (),
    Level.SERIES: (
        Term("series_order", _none_last(column(series.c.series_number)), numeric=True),
        Term("series_uid", column(series.c.series_uid)),
    ),
    Level.INSTANCE: (
        Term("instance_order", _none_last(column(instances.c.instance_number)), numeric=True),
        Term("sop_uid", column(instances.c.sop_uid)),
    ),
}
_ABSENT = "absent"
_NAMES = {
    Level.STUDY: (_ABSENT, "value", *(term.name for term in _NEWEST)),
    Level.SERIES: tuple(term.name for term in _BELOW[Level.SERIES]),
}


def terms(query: Query) -> tuple[Term, ...]:
    """Return what the results of a query are ordered by; each level repeats the terms of those above."""
    below = tuple(term for level in Level if level <= query.level for term in _BELOW[level])
    if query.order == NEWEST_FIRST:  # those without a date are last of themselves
        return _NEWEST + below
    own = Term("value", _COLUMNS[query.order.tag], descending=query.order.descending)
    absent = Term(_ABSENT, sql("CASE WHEN {} = '' THEN 1 ELSE 0 END", own.column), numeric=True)
    by_date = query.order.tag == NEWEST_FIRST.tag
    newest = _NEWEST[1:] if by_date else _NEWEST
    others = flipped(newest) if by_date or query.order.descending else newest
    return (absent, own, *others, *below)


def fixed(query: Query) -> frozenset[str]:
    """Return the names of the terms that are the same in all results, which are of one study or series."""
    levels = [level for level in Level if level < query.level]
    named = zip(levels, (query.place.study_uid, query.place.series_uid), strict=False)
    return frozenset(name for level, uid in named if uid is not None for name in _NAMES[level])


def flipped(ordered: Iterable[Term]) -> tuple[Term, ...]:
    """Return the terms of the opposite order."""
    return tuple(_flipped(each) for each in ordered)


def _flipped(term: Term) -> Term:
    return replace(term, descending=not term.descending)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Beside which result a page begins, or ends where `backward`: that with these order values.

    `seen` results come before the page that begins here, or before the one after the page that ends here.
    """

    seen: int
    beside: OrderValues
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """Results that an index gives in order: its condition, and the terms that differ within it."""

    condition: Sql | None
    terms: tuple[Term, ...]


def segments(ordered: tuple[Term, ...], beside: OrderValues | None) -> list[Segment]:
    """Return the results after `beside`, or all of them, as segments that follow each other."""
    if ordered[0].name != _ABSENT:
        return _present(ordered, beside, [])
    absent, own, *rest = ordered
    # No `<>`: an index cannot be entered by it.
    filled, empty = sql("{} > ''", own.column), sql("{} = ''", own.column)
    if beside is None:
        return [Segment(filled, (own, *rest)), Segment(empty, tuple(rest))]
    if beside[0] == 1:  # stands among those without a value
        here = [Segment(all_of((empty, _after(rest, beside[2:]))), tuple(rest))]
        return [*here, Segment(filled, (own, *rest))] if absent.descending else here
    here = _present((own, *rest), beside[1:], [filled])
    return here if absent.descending else [*here, Segment(empty, tuple(rest))]


def whole(ordered: tuple[Term, ...], beside: OrderValues | None) -> Segment:
    """Return the results after `beside`, or all of them, as one segment, for those who sort."""
    return Segment(None if beside is None else _after(ordered, beside), ordered)


def _present(ordered: Sequence[Term], beside: OrderValues | None, also: list[Sql]) -> list[Segment]:
    first, *rest = ordered
    if beside is None:
        return [Segment(None, tuple(ordered))]
    same = all_of((compare(first.column, "=", beside[0]), _after(rest, beside[1:])))
    return [Segment(same, tuple(rest)), Segment(all_of((first.beyond(beside[0]), *also)), tuple(ordered))]


def _after(ordered: Sequence[Term], values: OrderValues) -> Sql:
    """Return the condition that a row comes after the one with the given order values."""
    *before, (last, value) = zip(ordered, values, strict=True)
    condition = last.beyond(value)
    for term, value in reversed(before):
        here = all_of((compare(term.column, "=", value), condition))
        condition = any_of((term.beyond(value), here))
    # Said beside it, so that an index can be entered here.
    first = compare(ordered[0].column, "<=" if ordered[0].descending else ">=", values[0])
    return all_of((first, condition))


def sort_key(ordered: Iterable[Term], values: OrderValues) -> tuple[Any, ...]:
    """Return what Python sorts by as the database does (text by its UTF-8 bytes)."""
    return tuple(
        _Descending(_bytes(value)) if term.descending else _bytes(value)
        for term, value in zip(ordered, values, strict=True)
    )


def write_cursor(cursor: Cursor, query: Query, organisation: str) -> str:
    """Return a cursor as text for an address."""
    body = orjson.dumps([cursor.seen, int(cursor.backward), *cursor.beside])
    return base64.urlsafe_b64encode(_digest(body, query, organisation) + body).decode().rstrip("=")


def read_cursor(text: str, query: Query, organisation: str) -> Cursor:
    """Read a cursor; raise InvalidRequest where it was not made for this query."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body = raw[_DIGEST:]
        if raw[:_DIGEST] != _digest(body, query, organisation) or _encoded(raw) != text:
            raise ValueError("the digest differs")
        seen, backward, *values = orjson.loads(body)
        kinds = [int if term.numeric else str for term in terms(query)]
        if type(seen) is not int or backward not in {0, 1} or [type(value) for value in values] != kinds:
            raise ValueError("the values are of other kinds")
    except (ValueError, TypeError, binascii.Error):
        raise InvalidRequest(
            "the cursor is not one of this search; begin again without it", where="cursor"
        ) from None
    return Cursor(seen, tuple(values), bool(backward))


def order_values(ordered: Iterable[Term], row: Any) -> OrderValues:
    """Return the order values of a row that has the terms as columns."""
    return tuple(getattr(row, term.name) for term in ordered)


def order_by(ordered: Iterable[Term], table: str) -> Sql:
    """Return the order of results over the columns of a subquery, which are named as the terms."""
    return joined(", ", [term.order(Sql(f"{table}.{term.name}")) for term in ordered])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _digest(body: bytes, query: Query, organisation: str) -> bytes:
    asked = (query.level, query.place, query.keys, query.either, query.order, organisation)
    return hashlib.blake2b(body + repr(asked).encode(), digest_size=_DIGEST, person=b"cursor").digest()


def _bytes(value: str | int) -> bytes | int:
    return value.encode() if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class _Descending:
    value: Any

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.value < self.value)
