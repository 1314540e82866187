"""Instances one by one, as people list them: those of a series a page at a time, the documents of a study,
and an instance between its neighbours.

A page is cut out of the keys, which an index has, before any wide row is read, so that a series of 5,000
costs little more than one of 50. Everything stands under `visible`, the one condition of access.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from archive.index.dialect import utc
from archive.index.engine import Database
from archive.index.records import INSTANCE_COLUMNS, INSTANCE_JOIN, INSTANCE_ORDER, SERIES_ORDER, to_instance
from archive.index.retrieve import at, find_one, instance_statement, missing, visible
from archive.index.schema import instances, series, series_state, studies
from archive.model.instance import Element, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal

Attributes = Mapping[str, Element]


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance of a list, with its index attributes by tag and the moment it was stored."""

    instance: StoredInstance
    attributes: Attributes
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class SeriesPage:
    """Some instances of a series in the order of their numbers, from `first` (counted from 0) of `total`."""

    study: Attributes
    series: Attributes
    instances: tuple[Listed, ...]
    first: int
    total: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """An instance among those of its series: its position from 1 of `total`, and who stands beside it."""

    listed: Listed
    study: Attributes
    series: Attributes
    position: int
    total: int
    previous_uid: str | None
    next_uid: str | None


_LISTED = (*INSTANCE_COLUMNS, instances.c.attributes, instances.c.stored_at)


def _listed(row: Any) -> Listed:
    return Listed(to_instance(row), orjson.loads(row.attributes), utc(row.stored_at))


def series_page(database: Database, principal: Principal, place: Place, first: int, limit: int) -> SeriesPage:
    """Return `limit` instances of the series at a place, from number `first` on; raise NotFound or Gone."""
    with database.read() as connection:
        head = connection.execute(
            sa.select(
                series.c.id,
                series.c.attributes.label("of_series"),
                studies.c.attributes.label("of_study"),
                sa.func.coalesce(series_state.c.instances, 0).label("total"),
            )
            .join(studies)
            .outerjoin(series_state, series_state.c.series_id == series.c.id)
            .where(visible(connection, principal), *at(place))
        ).first()
        if head is None:
            raise missing(connection, principal, place)
        page = (  # of keys alone: the index has them
            sa.select(instances.c.id)
            .where(instances.c.series_id == head.id)
            .order_by(*INSTANCE_ORDER)
            .offset(first)
            .limit(limit)
        )
        rows = connection.execute(
            sa.select(*_LISTED)
            .select_from(INSTANCE_JOIN)
            .where(instances.c.id.in_(page))
            .order_by(*INSTANCE_ORDER)
        )
        listed = tuple(_listed(row) for row in rows)
    return SeriesPage(
        orjson.loads(head.of_study), orjson.loads(head.of_series), listed, first, int(head.total)
    )


def instances_of_classes(
    database: Database, principal: Principal, study_uid: str, classes: frozenset[str], limit: int
) -> tuple[Listed, ...]:
    """Return the instances of a study that are of some SOP Classes, the first `limit`, series by series."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(*_LISTED)
            .select_from(INSTANCE_JOIN)
            .where(
                visible(connection, principal),
                studies.c.study_uid == study_uid,
                instances.c.sop_class_uid.in_(classes),
            )
            .order_by(*SERIES_ORDER, *INSTANCE_ORDER)
            .limit(limit)
        )
        return tuple(_listed(row) for row in rows)


_WITH_ABOVE = instance_statement(
    INSTANCE_JOIN,
    instances.c.attributes,
    instances.c.stored_at,
    instances.c.series_id,
    series.c.attributes.label("of_series"),
    studies.c.attributes.label("of_study"),
)


def neighbours(database: Database, principal: Principal, place: Place) -> Neighbours:
    """Return the instance at a place among those of its series; raise NotFound or Gone."""
    row = find_one(database, principal, place, _WITH_ABOVE)
    with database.read() as connection:
        ordered = (
            sa.select(
                instances.c.id,
                sa.func.row_number().over(order_by=INSTANCE_ORDER).label("position"),
                sa.func.lag(instances.c.sop_uid).over(order_by=INSTANCE_ORDER).label("before"),
                sa.func.lead(instances.c.sop_uid).over(order_by=INSTANCE_ORDER).label("after"),
                sa.func.count().over().label("total"),
            )
            .where(instances.c.series_id == row.series_id)
            .subquery()
        )
        beside = connection.execute(sa.select(ordered).where(ordered.c.id == row.id)).first()
        if beside is None:  # deleted between the two statements
            raise missing(connection, principal, place)
    return Neighbours(
        listed=_listed(row),
        study=orjson.loads(row.of_study),
        series=orjson.loads(row.of_series),
        position=beside.position,
        total=beside.total,
        previous_uid=beside.before,
        next_uid=beside.after,
    )
