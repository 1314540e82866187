"""Search the index: one statement for a page of results with its counts, in a stable order.

Owns the caller's horizon (which studies a search may see), the page and the number of matches. Conditions are
made in search_compile.py, values outside the index are read in search_extras.py. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    TERMS,
    Cursor,
    after,
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

    `next_cursor` is None where nothing comes after it. `notes` are sentences for the Warning header.
    """

    results: list[Result]
    remaining: int | None
    total: int | None
    next_cursor: str | None
    notes: tuple[str, ...] = ()


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
        page = _page_of_found(database, found, query, cursor)
    results = [to_result(query.level, row) for row in page.rows]
    results = add_extras(database, plan, query, results, found, read_metadata)
    return _finished(page, results, query, cursor, principal)


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows of a page, whether more come after them, and the number of matches (None: too many to count)."""

    rows: list[Any]
    more: bool
    total: int | None


def _plan(connection: Connection, database: Database, principal: Principal, query: Query) -> Plan:
    """Compile the query within the caller's horizon: the studies of its organisation."""
    context = Context(database.is_sqlite, organisation_id(connection, principal.organisation))
    return compile_query(query, context, search_attributes.known(connection))


def _page(connection: Connection, plan: Plan, query: Query, cursor: Cursor | None) -> _Page:
    """Ask for one row more than the page has, to know whether there are more; count only then."""
    tables, conditions = plan.source(plan.level)
    columns = [_IDS[plan.level].label("result_id")]
    columns += [term.column.label(term.name) for term in TERMS[plan.level]]
    select = sa.select(*columns).select_from(tables).where(*conditions)
    if cursor is not None:
        select = select.where(after(plan.level, cursor.after))
    ordered = select.order_by(*plan.order_by()).limit(query.limit + 1).offset(query.offset)
    page = ordered.cte("page")
    taken = sa.select(sa.func.count()).select_from(page).scalar_subquery()
    total = sa.case((taken > query.limit, _counted(plan).scalar_subquery()), else_=sa.null())
    statement = details(query, page).add_columns(taken.label("taken"), total.label("total"))
    rows = connection.execute(statement.order_by(*order_by(plan.level, page)).limit(query.limit)).all()
    seen = cursor.seen if cursor is not None else query.offset
    if not rows:
        return _Page([], more=False, total=_count(connection, plan) if seen else 0)
    more = rows[0].taken > query.limit
    counted = int(rows[0].total) if more else seen + len(rows)
    return _Page(list(rows), more, counted if counted <= MOST_COUNTED else None)


def _counted(plan: Plan) -> sa.Select[Any]:
    tables, conditions = plan.source(plan.level)
    matches = sa.select(sa.literal(1)).select_from(tables).where(*conditions).limit(MOST_COUNTED + 1)
    return sa.select(sa.func.count()).select_from(matches.subquery())


def _count(connection: Connection, plan: Plan) -> int | None:
    number = int(connection.execute(_counted(plan)).scalar_one())
    return number if number <= MOST_COUNTED else None


def _page_of_found(database: Database, found: list[Found], query: Query, cursor: Cursor | None) -> _Page:
    """Cut the page out of all matches that a scan found."""
    rest = found[query.offset :]
    if cursor is not None:
        start = sort_key(query.level, cursor.after)
        rest = [each for each in found if start < sort_key(query.level, each.order)]
    chosen = rest[: query.limit]
    rows: list[Any] = []
    if chosen:
        ids = [each.id for each in chosen]
        tables = joined(query.level)
        columns = [_IDS[query.level].label("result_id")]
        columns += [term.column.label(term.name) for term in TERMS[query.level]]
        page = sa.select(*columns).select_from(tables).where(_IDS[query.level].in_(ids)).cte("page")
        with database.read() as connection:
            rows = list(connection.execute(details(query, page).order_by(*order_by(query.level, page))))
    total = len(found) if len(found) <= MOST_COUNTED else None
    return _Page(rows, len(rest) > len(chosen), total)


def _finished(
    page: _Page, results: list[Result], query: Query, cursor: Cursor | None, principal: Principal
) -> SearchPage:
    seen = (cursor.seen if cursor is not None else query.offset) + len(page.rows)
    next_cursor = None
    if page.more and page.rows:
        last = Cursor(seen, order_values(query.level, page.rows[-1]))
        next_cursor = write_cursor(last, replace(query, cursor=None), principal.organisation)
    remaining: int | None = 0
    if page.more:
        remaining = None if page.total is None else max(page.total - seen, 1)
    return SearchPage(results, remaining, page.total, next_cursor, query.notes)
