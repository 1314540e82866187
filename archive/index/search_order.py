"""The order of results, and the cursor that says where the next page begins.

StudyDate and StudyTime descending, empty last, then UIDs and numbers ascending, missing numbers last. The
last term is unique, so pages neither repeat nor skip. A cursor holds the values of the last result, how many
came before it, and a digest that ties it to its query; it gives no rights.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from archive.errors import InvalidRequest
from archive.index.patterns import Condition
from archive.index.schema import instances, series, studies
from archive.model.level import Level
from archive.model.query import Query

_NONE_LAST = 2**63 - 1
_DIGEST = 9  # bytes

OrderValues = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that results are ordered by."""

    name: str
    column: sa.ColumnElement[Any]
    descending: bool = False

    def order(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return an ORDER BY element over a column that holds the term."""
        return column.desc() if self.descending else column.asc()


_STUDY_TERMS = (
    Term("study_date", studies.c.study_date, descending=True),
    Term("study_time", studies.c.study_time, descending=True),
    Term("study_uid", studies.c.study_uid),
)
_SERIES_TERMS = (
    Term("series_order", sa.func.coalesce(series.c.series_number, _NONE_LAST)),
    Term("series_uid", series.c.series_uid),
)
_INSTANCE_TERMS = (
    Term("instance_order", sa.func.coalesce(instances.c.instance_number, _NONE_LAST)),
    Term("sop_uid", instances.c.sop_uid),
)
TERMS = {
    Level.STUDY: _STUDY_TERMS,
    Level.SERIES: _STUDY_TERMS + _SERIES_TERMS,
    Level.INSTANCE: _STUDY_TERMS + _SERIES_TERMS + _INSTANCE_TERMS,
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: after the result with these order values, which `seen` results led up to."""

    seen: int
    after: OrderValues


def after(level: Level, values: OrderValues) -> Condition:
    """Return the condition that a row comes after the one with the given order values."""
    condition: Condition = sa.false()
    for term, value in reversed(list(zip(TERMS[level], values, strict=True))):
        beyond = term.column < value if term.descending else term.column > value
        condition = sa.or_(beyond, sa.and_(term.column == value, condition))
    # Said beside it, so that an index can be entered here.
    return sa.and_(studies.c.study_date <= values[0], condition)


def sort_key(level: Level, values: OrderValues) -> tuple[Any, ...]:
    """Return what Python sorts by as the database does (text by its UTF-8 bytes)."""
    return tuple(
        _Descending(_bytes(value)) if term.descending else _bytes(value)
        for term, value in zip(TERMS[level], values, strict=True)
    )


def write_cursor(cursor: Cursor, query: Query, organisation: str) -> str:
    """Return a cursor as text for an address."""
    body = orjson.dumps([cursor.seen, *cursor.after])
    return base64.urlsafe_b64encode(_digest(body, query, organisation) + body).decode().rstrip("=")


def read_cursor(text: str, query: Query, organisation: str) -> Cursor:
    """Read a cursor; raise InvalidRequest where it was not made for this query."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body = raw[_DIGEST:]
        if raw[:_DIGEST] != _digest(body, query, organisation) or _encoded(raw) != text:
            raise ValueError("the digest differs")
        seen, *values = orjson.loads(body)
        kinds = [int if term.name.endswith("_order") else str for term in TERMS[query.level]]
        if type(seen) is not int or [type(value) for value in values] != kinds:
            raise ValueError("the values are of other kinds")
    except (ValueError, TypeError, binascii.Error):
        raise InvalidRequest(
            "the cursor is not one of this search; begin again without it", where="cursor"
        ) from None
    return Cursor(seen, tuple(values))


def order_values(level: Level, row: Any) -> OrderValues:
    """Return the order values of a row that has the terms as columns."""
    return tuple(getattr(row, term.name) for term in TERMS[level])


def order_by(level: Level, columns: sa.FromClause) -> Sequence[sa.ColumnElement[Any]]:
    """Return the order of results over the columns of a subquery, which are named as the terms."""
    return [term.order(columns.c[term.name]) for term in TERMS[level]]


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _digest(body: bytes, query: Query, organisation: str) -> bytes:
    asked = repr((query.level, query.place, query.keys, organisation)).encode()
    return hashlib.blake2b(body + asked, digest_size=_DIGEST, person=b"cursor").digest()


def _bytes(value: str | int) -> bytes | int:
    return value.encode() if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class _Descending:
    value: Any

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.value < self.value)
