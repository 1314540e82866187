"""Values that a query asks for and the rows of its level do not hold.

They come from one instance of each result, the first that meets the query's keys: attributes below the level
of the result where they were matched on, and attributes outside the index where they were matched on or are
to be included. Nothing is read where nothing of that kind is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa

from archive.dicom.segments import text
from archive.index.engine import Database
from archive.index.schema import instance_metadata, instances, series, studies
from archive.index.search_columns import COLUMNS
from archive.index.search_compile import Plan
from archive.index.search_results import Result
from archive.index.search_scan import Found
from archive.model.attributes import BY_TAG
from archive.model.level import Level
from archive.model.query import Query

_BINARY = ("BulkDataURI", "InlineBinary")


def add_extras(
    database: Database,
    plan: Plan,
    query: Query,
    results: list[Result],
    found: Iterable[Found] | None,
    read_metadata: Callable[[str], bytes],
) -> list[Result]:
    """Return the results with their `extra` filled, where the query asks for such values."""
    tags = _wanted(query)
    if not tags or not results:
        return results
    known = {each.id: each.instance_id for each in found or () if each.instance_id is not None}
    chosen = {each.row_id: known[each.row_id] for each in results if each.row_id in known}
    missing = [each.row_id for each in results if each.row_id not in chosen]
    if query.level is Level.INSTANCE:
        chosen |= {row_id: row_id for row_id in missing}
    elif missing:
        chosen |= _representatives(database, plan, missing)
    values = _values(database, tags, list(chosen.values()), read_metadata)
    return [
        replace(each, extra=values.get(chosen.get(each.row_id, 0), {})) if each.row_id in chosen else each
        for each in results
    ]


def _wanted(query: Query) -> set[str]:
    """Return the tags that rows of the query's level do not hold."""
    included = {path[0] for path in query.include if path[0] not in BY_TAG and path[0] not in COLUMNS}
    matched = {
        key.path[0]
        for key in query.keys
        if (key.path[0] not in BY_TAG and key.path[0] not in COLUMNS)
        or (key.path[0] in BY_TAG and BY_TAG[key.path[0]].level > query.level)
    }
    return included | matched


def _representatives(database: Database, plan: Plan, ids: list[int]) -> dict[int, int]:
    """Return the row id of the first matching instance of each result."""
    own = studies.c.id if plan.level is Level.STUDY else series.c.id
    tables, conditions = plan.source(Level.INSTANCE)
    statement = (
        sa.select(own.label("result_id"), sa.func.min(instances.c.id).label("instance_id"))
        .select_from(tables)
        .where(*conditions, own.in_(ids))
        .group_by(own)
    )
    with database.read() as connection:
        return {row.result_id: row.instance_id for row in connection.execute(statement)}


def _values(
    database: Database, tags: set[str], ids: list[int], read_metadata: Callable[[str], bytes]
) -> dict[int, dict[str, Any]]:
    from_json = bool(tags - BY_TAG.keys())
    tables: sa.FromClause = instances.join(series, series.c.id == instances.c.series_id)
    columns: list[Any] = [
        instances.c.id,
        series.c.attributes.label("series"),
        instances.c.attributes.label("instance"),
    ]
    if from_json:
        tables = tables.join(instance_metadata, instance_metadata.c.instance_id == instances.c.id)
        columns += [instances.c.object_key, instance_metadata.c.segments]
    statement = sa.select(*columns).select_from(tables).where(instances.c.id.in_(ids))
    with database.read() as connection:
        rows = connection.execute(statement).all()
    values = {}
    for row in rows:
        dataset: dict[str, Any] = {}
        if from_json:
            packed = read_metadata(row.object_key) if row.segments is None else row.segments
            dataset = orjson.loads(text(packed, b""))
        dataset |= orjson.loads(row.series) | orjson.loads(row.instance)
        values[row.id] = {tag: dataset[tag] for tag in sorted(tags) if _may_show(dataset.get(tag))}
    return values


def _may_show(element: Mapping[str, Any] | None) -> bool:
    """Leave out binary values, whose addresses belong to the metadata of an instance."""
    return element is not None and not any(word in element for word in _BINARY)
