"""Search the index: one statement for a page of results with its counts, in a stable order.

Owns the caller's horizon (which studies a search may see), the page and the number of matches. Conditions are
made in search_compile.py, values outside the index are read in search_extras.py. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from archive.errors import NotFound
from archive.index import search_attributes
from archive.index.engine import Database
from archive.index.organisations import asking
from archive.index.search_columns import Context
from archive.index.search_compile import compile_query
from archive.index.search_extras import add_extras
from archive.index.search_order import (
    Cursor,
    Segment,
    Term,
    flipped,
    order_by,
    order_values,
    read_cursor,
    sort_key,
    write_cursor,
)
from archive.index.search_plan import IDS, TABLES, Plan
from archive.index.search_results import Result, details, shown, to_results
from archive.index.search_scan import Found, scan
from archive.index.sql import Composed, Sql, among, joined, sql, value
from archive.model.principal import Principal
from archive.model.query import Query

MOST_COUNTED = 10_000
"""Matches that are counted beside a page; where there are more, nobody is told how many."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search.

    `total` is exact, and None beyond MOST_COUNTED; so is `remaining`, which counts what comes after the page.
    `start` counts what comes before it.

    `next_cursor` is None where nothing comes after it, `previous_cursor` where nothing comes before it.
    `notes` are sentences for the Warning header.
    """

    results: list[Result]
    remaining: int | None
    total: int | None
    next_cursor: str | None
    notes: tuple[str, ...] = ()
    start: int = 0
    previous_cursor: str | None = None


def search(
    database: Database,
    principal: Principal,
    query: Query,
    *,
    scan_limit: int,
    read_metadata: Callable[[str], bytes],
) -> SearchPage:
    """Return the page of results that the query asks for, of the studies that the caller may see.

    `read_metadata` returns the packed DICOM JSON of an instance, by its object key, where it is not in the
    index. Raise InvalidRequest for a foreign cursor, and for a key without an index that leaves more than
    `scan_limit` candidates.
    """
    cursor = read_cursor(query.cursor, query, principal.organisation) if query.cursor else None
    try:
        plan = _plan(database, principal, query)
    except NotFound:
        return SearchPage([], 0, 0, None, query.notes)
    found = None
    if plan.residual:
        found = scan(database, plan, scan_limit, read_metadata)
        page = _page_of_found(database, plan, found, query, cursor)
    elif query.limit:
        page = _page(database, plan, query, cursor)
    else:
        number = _count(database, plan)
        return SearchPage([], number, number, None, query.notes)
    results = to_results(page.rows)
    results = add_extras(database, plan, query, results, found, read_metadata)
    return _finished(plan, page, results, query, principal)


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows of a page in their order, how many come before them, whether there are more after them, and the
    number of matches (None: too many to count)."""

    rows: list[Any]
    start: int
    more: bool
    total: int | None


def _plan(database: Database, principal: Principal, query: Query) -> Plan:
    """Compile the query within the caller's horizon: the studies of its organisation."""
    context = Context(database.is_sqlite, asking(database, principal)["organisation"])
    return compile_query(query, context, lambda: search_attributes.ready(database))


def _page(database: Database, plan: Plan, query: Query, cursor: Cursor | None) -> _Page:
    """Ask for one row more than the page has, to know whether there are more; count only then."""
    backward = cursor is not None and cursor.backward
    ordered = flipped(plan.terms) if backward else plan.terms
    parts = plan.segments(ordered, cursor.beside if cursor is not None else None)
    counted = sql("({})", _counted(plan))
    if not backward:
        full = "CASE WHEN (SELECT count(*) FROM page) > {} THEN {} END"
        counted = sql(full, value(query.limit), counted)
    rows = database.rows(_statement(plan, query, _rows(plan, query, ordered, parts), ordered, counted))
    seen = cursor.seen if cursor is not None else query.offset
    if not rows:
        start = 0 if backward else seen
        return _Page([], start, more=False, total=_count(database, plan) if seen else 0)
    beyond, total = len(rows) > query.limit, rows[0].total
    del rows[query.limit :]
    if backward:
        start = max(seen - len(rows), 0) if beyond else 0
        return _Page(rows[::-1], start, more=True, total=_told(total))
    return _Page(rows, seen, beyond, _told(total if beyond else seen + len(rows)))


def _statement(plan: Plan, query: Query, page: Sql, ordered: Iterable[Term], total: Sql) -> Composed:
    """Return the statement that gives the rows of a page with their details, and the number of matches."""
    more, columns, tables = details(shown(query), sqlite=plan.sqlite)
    names = ("result_id", *(term.name for term in plan.terms))
    wanted = joined(", ", [*(Sql(f"page.{name}") for name in names), total, columns])
    order = order_by(plan.telling(ordered), "page")
    text = sql("WITH page AS ({}) SELECT {} FROM {} ORDER BY {}", page, wanted, tables, order)
    return Composed(text, (*names, "total", *more))


def _columns(plan: Plan) -> Sql:
    """Return what a page holds of a row: its id, and the terms of the order."""
    terms = [sql("{} AS {}", term.column, Sql(term.name)) for term in plan.terms]
    return joined(", ", [sql("{} AS result_id", IDS[plan.level]), *terms])


def _rows(plan: Plan, query: Query, ordered: Iterable[Term], parts: list[Segment]) -> Sql:
    """Return the statement for the rows of a page; of each segment no more is read than a page takes."""
    size, offset = query.limit + 1, query.offset
    if len(parts) == 1:
        return sql("{} LIMIT {} OFFSET {}", _segment(plan, parts[0]), value(size), value(offset))
    several = joined(
        " UNION ALL ",
        [
            sql("SELECT * FROM ({} LIMIT {}) AS {}", _segment(plan, each), value(size + offset), Sql(f"s{n}"))
            for n, each in enumerate(parts)
        ],
    )
    text = "SELECT * FROM ({}) AS parts ORDER BY {} LIMIT {} OFFSET {}"
    return sql(text, several, order_by(plan.telling(ordered), "parts"), value(size), value(offset))


def _segment(plan: Plan, part: Segment) -> Sql:
    rows = sql("SELECT {} {}", _columns(plan), plan.source(plan.level))
    if part.condition is not None:
        rows = sql("{} AND {}", rows, part.condition)
    return sql("{} ORDER BY {}", rows, plan.order_by(part.terms))


def _told(counted: int) -> int | None:
    return int(counted) if counted <= MOST_COUNTED else None


def _counted(plan: Plan) -> Sql:
    most = value(MOST_COUNTED + 1)
    parts = [sql("SELECT 1 {}", each) for each in plan.sources(plan.level)]
    if len(parts) > 1:
        parts = [sql("(SELECT * FROM ({} LIMIT {}) AS part)", each, most) for each in parts]
    matches = joined(" UNION ALL ", parts)
    return sql("SELECT count(*) FROM ({} LIMIT {}) AS matches", matches, most)


def _count(database: Database, plan: Plan) -> int | None:
    return _told(database.first(Composed(_counted(plan), ["total"])).total)


def _page_of_found(
    database: Database, plan: Plan, found: list[Found], query: Query, cursor: Cursor | None
) -> _Page:
    """Cut the page out of all matches that a scan found."""
    start, end = query.offset, query.offset + query.limit
    if cursor is not None:
        beside = sort_key(plan.terms, cursor.beside)
        before = sum(sort_key(plan.terms, each.order) < beside for each in found)
        if cursor.backward:
            start, end = max(before - query.limit, 0), before
        else:
            start = before + (before < len(found) and found[before].order == cursor.beside)
            end = start + query.limit
    chosen = found[start:end]
    rows: list[Any] = []
    if chosen:
        these = among(IDS[query.level], [each.id for each in chosen])
        page = sql("SELECT {} FROM {} WHERE {}", _columns(plan), TABLES[query.level], these)
        rows = database.rows(_statement(plan, query, page, plan.terms, Sql("NULL")))
    return _Page(rows, start, end < len(found), len(found))


def _finished(
    plan: Plan, page: _Page, results: list[Result], query: Query, principal: Principal
) -> SearchPage:
    end = page.start + len(page.rows)

    def cursor(seen: int, row: Any, *, backward: bool) -> str:
        made = Cursor(seen, order_values(plan.terms, row), backward)
        return write_cursor(made, query, principal.organisation)

    more, less = page.more and page.rows, page.start and page.rows
    remaining: int | None = 0
    if page.more:
        remaining = None if page.total is None else max(page.total - end, 1)
    return SearchPage(
        results,
        remaining,
        page.total,
        next_cursor=cursor(end, page.rows[-1], backward=False) if more else None,
        notes=query.notes,
        start=page.start,
        previous_cursor=cursor(page.start, page.rows[0], backward=True) if less else None,
    )
