"""Values that a query asks for and the rows of its level do not hold.

They come from one instance of each result, the first that meets the query's keys: attributes below the level
of the result where they were matched on, and attributes outside the index where they were matched on or are
to be included. Nothing is read where nothing of that kind is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from archive.dicom.segments import text
from archive.index.engine import Database
from archive.index.search_columns import COLUMNS
from archive.index.search_plan import IDS, Plan
from archive.index.search_results import Result
from archive.index.search_scan import Found
from archive.index.sql import Composed, Sql, among, sql
from archive.model.attributes import BY_TAG
from archive.model.level import Level
from archive.model.query import Query

_TABLES = "instances JOIN series ON series.id = instances.series_id"
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
        each._replace(extra=values.get(chosen.get(each.row_id, 0), {})) if each.row_id in chosen else each
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
    own = IDS[plan.level]
    statement = sql(
        "SELECT {}, min({}) {} AND {} GROUP BY {}",
        own,
        IDS[Level.INSTANCE],
        plan.source(Level.INSTANCE),
        among(own, ids),
        own,
    )
    rows = database.rows(Composed(statement, ["result_id", "instance_id"]))
    return {row.result_id: row.instance_id for row in rows}


def _values(
    database: Database, tags: set[str], ids: list[int], read_metadata: Callable[[str], bytes]
) -> dict[int, dict[str, Any]]:
    from_json = bool(tags - BY_TAG.keys())
    names = ["id", "series", "instance"]
    columns, tables = "instances.id, series.attributes, instances.attributes", _TABLES
    if from_json:
        names += ["object_key", "segments"]
        columns += ", instances.object_key, instance_metadata.segments"
        tables += " JOIN instance_metadata ON instance_metadata.instance_id = instances.id"
    these = among(IDS[Level.INSTANCE], ids)
    rows = database.rows(Composed(sql("SELECT {} FROM {} WHERE {}", Sql(columns), Sql(tables), these), names))
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
