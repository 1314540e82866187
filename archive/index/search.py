"""Search the index: one statement for a page of results with its counts, in a stable order.

Owns the caller's horizon (which studies a search may see), the page and the number of matches. Conditions are
made in search_compile.py, values outside the index are read in search_extras.py. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import NotFound
from archive.index import search_attributes
from archive.index.engine import Database
from archive.index.organisations import organisation_id
from archive.index.schema import instances, series, studies
from archive.index.search_columns import Context
from archive.index.search_compile import Plan, compile_query, joined
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
from archive.index.search_results import Result, details, to_result
from archive.index.search_scan import Found, scan
from archive.model.level import Level
from archive.model.principal import Principal
from archive.model.query import Query

MOST_COUNTED = 10_000
_IDS = {Level.STUDY: studies.c.id, Level.SERIES: series.c.id, Level.INSTANCE: instances.c.id}


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search.

    `total` is exact, and None beyond 10,000; so is `remaining`, which counts what comes after the page.
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
    with database.read() as connection:
        try:
            plan = _plan(connection, database, principal, query)
        except NotFound:
            return SearchPage([], 0, 0, None, query.notes)
        page = _page(connection, plan, query, cursor) if not plan.residual and query.limit else None
        if page is None and not plan.residual:
            number = _count(connection, plan)
            return SearchPage([], number, number, None, query.notes)
    found = None
    if page is None:
        found = scan(database, plan, scan_limit, read_metadata)
        page = _page_of_found(database, plan, found, query, cursor)
    results = [to_result(query.level, row) for row in page.rows]
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


def _plan(connection: Connection, database: Database, principal: Principal, query: Query) -> Plan:
    """Compile the query within the caller's horizon: the studies of its organisation."""
    context = Context(database.is_sqlite, organisation_id(connection, principal.organisation))
    return compile_query(query, context, search_attributes.known(connection))


def _page(connection: Connection, plan: Plan, query: Query, cursor: Cursor | None) -> _Page:
    """Ask for one row more than the page has, to know whether there are more; count only then."""
    backward = cursor is not None and cursor.backward
    ordered = flipped(plan.terms) if backward else plan.terms
    parts = plan.segments(ordered, cursor.beside if cursor is not None else None)
    page = _rows(plan, query, ordered, parts).cte("page")
    taken = sa.select(sa.func.count()).select_from(page).scalar_subquery()
    counted = _counted(plan).scalar_subquery()
    total = counted if backward else sa.case((taken > query.limit, counted), else_=sa.null())
    statement = details(query, page).add_columns(taken.label("taken"), total.label("total"))
    rows = connection.execute(statement.order_by(*order_by(ordered, page)).limit(query.limit)).all()
    seen = cursor.seen if cursor is not None else query.offset
    if not rows:
        start = 0 if backward else seen
        return _Page([], start, more=False, total=_count(connection, plan) if seen else 0)
    beyond = bool(rows[0].taken > query.limit)
    if backward:
        start = max(seen - len(rows), 0) if beyond else 0
        return _Page(list(reversed(rows)), start, more=True, total=_told(rows[0].total))
    return _Page(list(rows), seen, beyond, _told(rows[0].total if beyond else seen + len(rows)))


def _rows(plan: Plan, query: Query, ordered: Iterable[Term], parts: list[Segment]) -> Any:
    """Return the statement for the rows of a page; of each segment no more is read than a page takes."""
    tables, conditions = plan.source(plan.level)
    columns = [_IDS[plan.level].label("result_id")]
    columns += [term.column.label(term.name) for term in plan.terms]
    size = query.limit + 1
    selects = [
        sa.select(*columns)
        .select_from(tables)
        .where(*conditions, *([part.condition] if part.condition is not None else []))
        .order_by(*plan.order_by(part.terms))
        for part in parts
    ]
    if len(selects) == 1:
        return selects[0].limit(size).offset(query.offset)
    several = [sa.select(each.limit(size + query.offset).subquery()) for each in selects]
    joined_up = sa.union_all(*several).subquery()
    return sa.select(joined_up).order_by(*order_by(ordered, joined_up)).limit(size).offset(query.offset)


def _told(counted: int) -> int | None:
    return int(counted) if counted <= MOST_COUNTED else None


def _counted(plan: Plan) -> sa.Select[Any]:
    tables, conditions = plan.source(plan.level)
    matches = sa.select(sa.literal(1)).select_from(tables).where(*conditions).limit(MOST_COUNTED + 1)
    return sa.select(sa.func.count()).select_from(matches.subquery())


def _count(connection: Connection, plan: Plan) -> int | None:
    return _told(connection.execute(_counted(plan)).scalar_one())


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
        ids = [each.id for each in chosen]
        tables = joined(query.level)
        columns = [_IDS[query.level].label("result_id")]
        columns += [term.column.label(term.name) for term in plan.terms]
        page = sa.select(*columns).select_from(tables).where(_IDS[query.level].in_(ids)).cte("page")
        with database.read() as connection:
            rows = list(connection.execute(details(query, page).order_by(*order_by(plan.terms, page))))
    return _Page(rows, start, end < len(found), _told(len(found)))


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
