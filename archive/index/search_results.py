"""The rows of a page with what belongs to them, and the records that they become.

Nothing is read that the answer to a query does not show: for the instances of a series, no study.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from archive.index.schema import instances, series, studies
from archive.index.sql import Sql, column, joined, sql
from archive.model.attributes import BY_TAG
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
    extra: Attributes
    modalities: tuple[str, ...]
    sop_classes: tuple[str, ...]
    study_series: int
    study_instances: int
    series_instances: int
    transfer_syntax_uid: str

    def attributes(self, level: Level) -> Attributes:
        """Return the index's attributes of a level, by tag."""
        found: Attributes = orjson.loads(self.kept[level - 1])
        return found


def shown(query: Query) -> frozenset[str]:
    """Return the tags of COMPUTED that an answer shows."""
    levels, asked = query.levels, query.asked
    return frozenset(
        tag
        for tag, level in COMPUTED.items()
        if level <= query.level
        and (tag in asked or (level in levels and (tag not in _ON_REQUEST or query.include_all)))
    )


def attribute_levels(query: Query) -> frozenset[Level]:
    """Return the levels of whose attributes an answer shows some."""
    return query.levels | {
        BY_TAG[tag].level for tag in query.asked if tag in BY_TAG and BY_TAG[tag].level <= query.level
    }


@lru_cache(maxsize=256)
def details(
    level: Level, levels: frozenset[Level], tags: frozenset[str], *, sqlite: bool
) -> tuple[tuple[str, ...], Sql, Sql]:
    """Return the names and the columns of what a page of a level shows, and its tables, the page first.

    `levels` are those of `attribute_levels`, `tags` those of `shown`.
    """
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
    attributes = (
        column(table.c.attributes) if each in levels else Sql("'{}'")
        for each, table in zip(Level, (studies, series, instances), strict=True)
    )
    lists = (
        sql(_LISTED, concatenated, column(of, "below"), Sql(of.table.name), study) if tag in tags else _NULL
        for tag, of in _LISTS
    )
    others = (number if tag in tags else other for tag, number, other in _NUMBERS)
    return _NAMES, joined(", ", [*attributes, *lists, *others]), joined(" ", tables)


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
_NULL = Sql("NULL")
_LISTED = (
    "(SELECT {0}(listed.value, '\\') FROM (SELECT DISTINCT {1} AS value FROM {2} AS below"
    " WHERE below.study_id = {3} AND {1} <> '') AS listed)"
)
_LISTS = ((MODALITIES_IN_STUDY, series.c.modality), (SOP_CLASSES_IN_STUDY, instances.c.sop_class_uid))
_NUMBERS = (
    (STUDY_SERIES, Sql("coalesce(study_state.series, 0)"), Sql("0")),
    (STUDY_INSTANCES, Sql("coalesce(study_state.instances, 0)"), Sql("0")),
    (SERIES_INSTANCES, Sql("coalesce(series_state.instances, 0)"), Sql("0")),
    (TRANSFER_SYNTAX, column(instances.c.transfer_syntax_uid), Sql("''")),
)
_NAMES = (
    *("study", "series", "instance", "modalities", "sop_classes"),
    *("study_series", "study_instances", "series_instances", "transfer_syntax_uid"),
)


def to_results(level: Level, rows: Iterable[Any]) -> list[Result]:
    """Make records of rows that have the terms of the order and the columns of `details`."""
    return [
        Result(
            row.result_id,
            row.study_uid,
            row.series_uid if level >= Level.SERIES else None,
            row.sop_uid if level is Level.INSTANCE else None,
            (row.study, row.series, row.instance),
            {},
            _split(row.modalities),
            _split(row.sop_classes),
            *row[-4:],
        )
        for row in rows
    ]


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(sorted(text.split(_SEPARATOR))) if text else ()
