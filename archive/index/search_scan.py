"""Matching by reading: for keys that neither columns nor a site's own indexed attributes decide.

Goes through the candidates that the indexed keys leave, at most `scan_limit`, in the order of results. An
attribute that the index keeps at a level is read from that level's row; any other one from the stored DICOM
JSON of the instance. No connection is held while that is read from the object store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from archive.dicom.segments import text
from archive.dicomweb.attribute_names import name_of
from archive.errors import InvalidRequest
from archive.index.engine import Database
from archive.index.search_compile import level_of
from archive.index.search_match import matches_all
from archive.index.search_order import OrderValues, order_values
from archive.index.search_plan import IDS, TABLES, Plan
from archive.index.sql import Composed, Sql, among, joined, sql, value
from archive.model.attributes import BY_TAG
from archive.model.level import Level
from archive.model.query import DateTimeRange, Empty, Key

_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A result that matches, and an instance of it that does (None where no instance was looked at)."""

    id: int
    order: OrderValues
    instance_id: int | None


def scan(
    database: Database, plan: Plan, scan_limit: int, read_metadata: Callable[[str], bytes]
) -> list[Found]:
    """Return every match of a plan with residual keys, in order; `read_metadata` takes an object key.

    Raise InvalidRequest naming the attribute where there are more than `scan_limit` candidates.
    """
    depth = _depth(plan)
    reader = _Reader(database, plan.residual, depth, read_metadata)
    candidates = iter(_candidates(database, plan, depth, scan_limit))
    matches: dict[int, Found] = {}
    while chunk := list(islice(candidates, _CHUNK)):
        # One match is enough for a study, so what else it has is passed over.
        wanted = [row for row in chunk if row.result_id not in matches]
        for row in reader.matching(wanted):
            instance_id = row.row_id if depth is Level.INSTANCE else None
            found = Found(row.result_id, order_values(plan.terms, row), instance_id)
            matches.setdefault(row.result_id, found)
    return list(matches.values())


def _depth(plan: Plan) -> Level:
    """Return the level whose rows are looked at one by one: that where all keys below a result meet."""
    deepest = max([plan.level, *(_read_at(key) for key in plan.residual)])
    if deepest is plan.level:
        return deepest
    return max([deepest, *(each for each in Level if plan.conditions[each])])


def _read_at(key: Key) -> Level:
    return max(level_of((tag,)) for tag in _roots(key))


def _roots(key: Key) -> set[str]:
    roots = {key.path[0]}
    return roots | {key.match.time_path[0]} if isinstance(key.match, DateTimeRange) else roots


def _candidates(database: Database, plan: Plan, depth: Level, scan_limit: int) -> list[Any]:
    columns = [IDS[plan.level], IDS[depth], *(term.column for term in plan.terms)]
    order = joined(", ", [plan.order_by(plan.terms), IDS[depth]])
    most = value(scan_limit + 1)
    text = sql("SELECT {} {} ORDER BY {} LIMIT {}", joined(", ", columns), plan.source(depth), order, most)
    names = ["result_id", "row_id", *(term.name for term in plan.terms)]
    rows = database.rows(Composed(text, names))
    if len(rows) > scan_limit:
        name = name_of(plan.residual[0].path)
        raise InvalidRequest(
            f"{name} has no index, and more than {scan_limit} candidates would have to be read: narrow the "
            f"search by a date or a patient, or index it with `filmroom attributes add {name}`",
            where=name,
        )
    return rows


class _Reader:
    """Reads the attributes of residual keys for rows of one level, and matches them."""

    def __init__(
        self, database: Database, keys: list[Key], depth: Level, read_metadata: Callable[[str], bytes]
    ) -> None:
        self._database = database
        self._keys = keys
        self._depth = depth
        self._read_metadata = read_metadata
        tags = {tag for key in keys for tag in _roots(key)}
        self._levels = {BY_TAG[tag].level for tag in tags if tag in BY_TAG}
        self._outside = sorted(tags - BY_TAG.keys())
        self._from_metadata = bool(self._outside)
        # An instance whose JSON does not hold such a tag cannot match, so it need not be parsed.
        self._must_hold = [
            f'"{tag}"'.encode()
            for key in keys
            for tag in key.path
            if not isinstance(key.match, Empty) and key.path[0] not in BY_TAG
        ]

    def matching(self, rows: list[Any]) -> Iterator[Any]:
        """Go through the rows whose attributes match."""
        if not rows:
            return
        stored = self._database.rows(self._statement([row.row_id for row in rows]))
        by_id = {row.row_id: row for row in stored}
        for row in rows:
            dataset = self._dataset(by_id[row.row_id]) if row.row_id in by_id else None
            if dataset is not None and matches_all(self._keys, dataset):
                yield row

    def _statement(self, ids: list[int]) -> Composed:
        columns = {"row_id": IDS[self._depth]}
        tables = TABLES[self._depth]
        for level, table in zip(Level, ("studies", "series", "instances"), strict=True):
            if level in self._levels:
                columns[level.name.lower()] = Sql(f"{table}.attributes")
        if self._from_metadata:
            tables = sql(
                "{} JOIN instance_metadata ON instance_metadata.instance_id = {}",
                tables,
                IDS[Level.INSTANCE],
            )
            columns["object_key"] = Sql("instances.object_key")
            columns["segments"] = Sql("instance_metadata.segments")
        wanted, these = joined(", ", columns.values()), among(IDS[self._depth], ids)
        return Composed(sql("SELECT {} FROM {} WHERE {}", wanted, tables, these), list(columns))

    def _dataset(self, row: Any) -> Mapping[str, Any] | None:
        dataset: dict[str, Any] = {}
        if self._from_metadata:
            packed = self._read_metadata(row.object_key) if row.segments is None else row.segments
            body = text(packed, b"")
            if not all(each in body for each in self._must_hold):
                return None
            whole = orjson.loads(body)
            dataset = {tag: whole[tag] for tag in self._outside if tag in whole}
        for name in ("study", "series", "instance"):
            if name in row._fields:
                dataset |= orjson.loads(getattr(row, name))
        return dataset
