"""The rows of a page with what belongs to them, and the records that they become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from archive.index.schema import instances, series, series_state, studies, study_state
from archive.model.instance import Element
from archive.model.level import Level
from archive.model.query import Query

_SEPARATOR = "\\"  # separates values in DICOM, so it is in none
SOP_CLASSES_IN_STUDY = "00080062"

Attributes = dict[str, Element]


@dataclass(frozen=True, slots=True)
class Result:
    """A study, series or instance that matches.

    `study`, `series` and `instance` are the index's attributes of each level as DICOM JSON, by tag; those
    below the level of the result are empty. `extra` holds what was read from one matching instance because
    the query asked for it. Counts are of the whole study or series; `revision` changes with the resource.
    """

    study_uid: str
    series_uid: str | None
    sop_uid: str | None
    study: Attributes
    series: Attributes
    instance: Attributes
    extra: Attributes
    modalities: tuple[str, ...]
    sop_classes: tuple[str, ...]
    study_series: int
    study_instances: int
    series_instances: int
    transfer_syntax_uid: str | None
    revision: int
    row_id: int


def details(query: Query, page: sa.CTE) -> sa.Select[Any]:
    """Return the statement that gives each row of a page its attributes, counts and modalities."""
    columns: list[Any] = [
        *page.c,
        studies.c.attributes.label("study"),
        sa.func.coalesce(study_state.c.series, 0).label("study_series"),
        sa.func.coalesce(study_state.c.instances, 0).label("study_instances"),
        sa.func.coalesce(study_state.c.revision, 0).label("revision"),
        _joined(series, series.c.modality).label("modalities"),
        _classes(query).label("sop_classes"),
    ]
    tables: sa.FromClause
    if query.level is Level.STUDY:
        tables = page.join(studies, studies.c.id == page.c.result_id)
    elif query.level is Level.SERIES:
        tables = page.join(series, series.c.id == page.c.result_id)
        tables = tables.join(studies, studies.c.id == series.c.study_id)
    else:
        tables = page.join(instances, instances.c.id == page.c.result_id)
        tables = tables.join(series, series.c.id == instances.c.series_id)
        tables = tables.join(studies, studies.c.id == instances.c.study_id)
        columns += [instances.c.attributes.label("instance"), instances.c.transfer_syntax_uid]
    tables = tables.outerjoin(study_state, study_state.c.study_id == studies.c.id)
    if query.level >= Level.SERIES:
        tables = tables.outerjoin(series_state, series_state.c.series_id == series.c.id)
        columns += [
            series.c.attributes.label("series"),
            sa.func.coalesce(series_state.c.instances, 0).label("series_instances"),
            sa.func.coalesce(series_state.c.revision, 0).label("series_revision"),
        ]
    return sa.select(*columns).select_from(tables)


def to_result(level: Level, row: Any) -> Result:
    """Make a record of a row of `details`."""
    return Result(
        study_uid=row.study_uid,
        series_uid=row.series_uid if level >= Level.SERIES else None,
        sop_uid=row.sop_uid if level is Level.INSTANCE else None,
        study=orjson.loads(row.study),
        series=orjson.loads(row.series) if level >= Level.SERIES else {},
        instance=orjson.loads(row.instance) if level is Level.INSTANCE else {},
        extra={},
        modalities=_split(row.modalities),
        sop_classes=_split(row.sop_classes),
        study_series=row.study_series,
        study_instances=row.study_instances,
        series_instances=row.series_instances if level >= Level.SERIES else 0,
        transfer_syntax_uid=row.transfer_syntax_uid if level is Level.INSTANCE else None,
        revision=row.revision if level is Level.STUDY else row.series_revision,
        row_id=row.result_id,
    )


def asks_for(query: Query, tag: str) -> bool:
    """Tell whether a query matches on an attribute or wants it included."""
    paths = (*query.include, *(key.path for key in query.keys))
    return any(path[0] == tag for path in paths)


def _classes(query: Query) -> sa.ColumnElement[Any]:
    if query.include_all or asks_for(query, SOP_CLASSES_IN_STUDY):
        return _joined(instances, instances.c.sop_class_uid)
    return sa.null()


def _joined(table: sa.Table, column: sa.ColumnElement[str]) -> sa.ScalarSelect[Any]:
    """Return the different values of a column below the study, as one text."""
    other = table.alias()
    name = column.name
    values = (
        sa.select(other.c[name].label("value"))
        .where(other.c.study_id == studies.c.id, other.c[name] != "")
        .correlate(studies)
        .distinct()
        .subquery()
    )
    return sa.select(sa.func.aggregate_strings(values.c.value, _SEPARATOR)).scalar_subquery()


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(sorted(text.split(_SEPARATOR))) if text else ()
