"""The rows of a page with what belongs to them, and the records that they become.

Nothing is read that the answer to a query does not show: for the instances of a series, no study.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

import orjson

from archive.index.schema import instances, series, studies
from archive.index.sql import Sql, column, joined, sql
from archive.model.attributes import INDEX_ATTRIBUTES, Attribute
from archive.model.instance import Element
from archive.model.level import Level
from archive.model.query import Query

_SEPARATOR = "\\"  # separates values in DICOM, so it is in none
MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY = "00080061", "00080062"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"
TRANSFER_SYNTAX = "00083002"
COMPUTED = {
    MODALITIES_IN_STUDY: Level.STUDY,
    SOP_CLASSES_IN_STUDY: Level.STUDY,
    STUDY_SERIES: Level.STUDY,
    STUDY_INSTANCES: Level.STUDY,
    SERIES_INSTANCES: Level.SERIES,
    TRANSFER_SYNTAX: Level.INSTANCE,
}
"""Attributes that the index computes of other rows or columns, each with its level."""

_ON_REQUEST = frozenset({SOP_CLASSES_IN_STUDY, TRANSFER_SYNTAX})
# TimezoneOffsetFromUTC; NumberOfFrames, Rows, Columns and BitsAllocated of images
_IF_PRESENT = frozenset({"00080201", "00280008", "00280010", "00280011", "00280100"})

Attributes = dict[str, Element]


class Result(NamedTuple):
    """A study, series or instance that matches, with what an answer to the query may show.

    `kept` are the index's attributes of each level as DICOM JSON. `extra` holds what was read from one
    matching instance because the query asked for it. Counts are of the whole study or series. What the query
    does not show is empty or 0.
    """

    row_id: int
    study_uid: str
    series_uid: str | None
    sop_uid: str | None
    kept: tuple[bytes, bytes, bytes]
    modalities: tuple[str, ...]
    sop_classes: tuple[str, ...]
    study_series: int
    study_instances: int
    series_instances: int
    transfer_syntax_uid: str
    extra: Attributes

    def attributes(self, level: Level) -> Attributes:
        """Return the index's attributes of a level, by tag."""
        found: Attributes = orjson.loads(self.kept[level - 1])
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What answers to a query show: attributes `always`, even when empty, or `filled` where there is a value.

    `computed` are the tags of COMPUTED, `levels` the levels that an attribute comes from.
    """

    level: Level
    always: tuple[Attribute, ...]
    filled: tuple[Attribute, ...]
    computed: frozenset[str]
    levels: frozenset[Level]


def shown(query: Query) -> Shown:
    """Return what the answers to a query show (PS3.18 Tables 10.6.3-3 to 10.6.3-5)."""
    return _shown(query.level, query.levels, query.asked, include_all=query.include_all)


@lru_cache(maxsize=256)
def _shown(level: Level, levels: frozenset[Level], asked: frozenset[str], *, include_all: bool) -> Shown:
    mine = [each for each in INDEX_ATTRIBUTES if each.level <= level]
    always = tuple(
        each
        for each in mine
        if each.tag in asked or (each.level in levels and (each.required or include_all))
    )
    filled = tuple(
        each for each in mine if each not in always and each.level in levels and each.tag in _IF_PRESENT
    )
    computed = frozenset(
        tag
        for tag, of in COMPUTED.items()
        if of <= level and (tag in asked or (of in levels and (tag not in _ON_REQUEST or include_all)))
    )
    return Shown(level, always, filled, computed, frozenset(each.level for each in (*always, *filled)))


@lru_cache(maxsize=256)
def details(shown: Shown, *, sqlite: bool) -> tuple[tuple[str, ...], Sql, Sql]:
    """Return the names and the columns of what is shown of a page, and their tables, the page first."""
    level, levels, tags = shown.level, shown.levels, shown.computed
    study = _STUDY_ID[level]
    concatenated = Sql("group_concat" if sqlite else "string_agg")
    tables = [_PAGE[level]]
    if level is Level.INSTANCE and (Level.SERIES in levels or SERIES_INSTANCES in tags):
        tables.append(Sql("JOIN series ON series.id = instances.series_id"))
    if Level.STUDY in levels:
        tables.append(sql("JOIN studies ON studies.id = {}", study))
    if tags & {STUDY_SERIES, STUDY_INSTANCES}:
        tables.append(sql("LEFT JOIN study_state ON study_state.study_id = {}", study))
    if SERIES_INSTANCES in tags:
        tables.append(Sql("LEFT JOIN series_state ON series_state.series_id = series.id"))
    columns = {
        each.name.lower(): column(table.c.attributes)
        for each, table in zip(Level, (studies, series, instances), strict=True)
        if each in levels
    }
    for tag, name, of in _LISTS:
        if tag in tags:
            columns[name] = sql(_LISTED, concatenated, column(of, "below"), Sql(of.table.name), study)
    columns |= {name: number for tag, name, number in _NUMBERS if tag in tags}
    return tuple(columns), joined(", ", columns.values()), joined(" ", tables)


_STUDY_ID = {
    Level.STUDY: Sql("page.result_id"),
    Level.SERIES: column(series.c.study_id),
    Level.INSTANCE: column(instances.c.study_id),
}
_PAGE = {
    Level.STUDY: Sql("page"),
    Level.SERIES: Sql("page JOIN series ON series.id = page.result_id"),
    Level.INSTANCE: Sql("page JOIN instances ON instances.id = page.result_id"),
}
_LISTED = (
    "(SELECT {0}(listed.value, '\\') FROM (SELECT DISTINCT {1} AS value FROM {2} AS below"
    " WHERE below.study_id = {3} AND {1} <> '') AS listed)"
)
_LISTS = (
    (MODALITIES_IN_STUDY, "modalities", series.c.modality),
    (SOP_CLASSES_IN_STUDY, "sop_classes", instances.c.sop_class_uid),
)
_NUMBERS = (
    (STUDY_SERIES, "study_series", Sql("coalesce(study_state.series, 0)")),
    (STUDY_INSTANCES, "study_instances", Sql("coalesce(study_state.instances, 0)")),
    (SERIES_INSTANCES, "series_instances", Sql("coalesce(series_state.instances, 0)")),
    (TRANSFER_SYNTAX, "transfer_syntax_uid", column(instances.c.transfer_syntax_uid)),
)


def to_results(rows: Sequence[Any]) -> list[Result]:
    """Make records of rows that have the terms of the order and the columns of `details`."""
    if not rows:
        return []
    columns: dict[str, tuple[Any, ...]] = dict(zip(rows[0]._fields, zip(*rows, strict=True), strict=True))

    def of(name: str, otherwise: Any) -> Iterable[Any]:
        return columns[name] if name in columns else repeat(otherwise)

    kept = zip(*(map(bytes, of(name, b"{}")) for name in ("study", "series", "instance")), strict=False)
    fields: tuple[Iterable[Any], ...] = (
        columns["result_id"],
        columns["study_uid"],
        of("series_uid", None),
        of("sop_uid", None),
        kept,
        map(_split, of("modalities", None)),
        map(_split, of("sop_classes", None)),
        of("study_series", 0),
        of("study_instances", 0),
        of("series_instances", 0),
        of("transfer_syntax_uid", ""),
        repeat({}),
    )
    return [Result(*each) for each in zip(*fields, strict=False)]


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(sorted(text.split(_SEPARATOR))) if text else ()
