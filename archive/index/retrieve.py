"""Find stored instances by their place, in the order people expect: series by number, then instance number.

The row ids of a place are taken in one statement, a snapshot of 8 bytes each; the records follow in chunks,
so that a study of 20,000 instances needs no more memory than one of 20 and no connection is held meanwhile.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import Gone, NotFound
from archive.index.engine import Database
from archive.index.organisations import organisation_id
from archive.index.records import INSTANCE_COLUMNS, INSTANCE_JOIN, INSTANCE_ORDER, SERIES_ORDER, to_instance
from archive.index.schema import instances, series, series_state, studies, study_state, tombstones
from archive.model.instance import Element, StoredInstance
from archive.model.level import Level, Place
from archive.model.principal import Principal

CHUNK = 500


def visible(connection: Connection, principal: Principal) -> sa.ColumnElement[bool]:
    """Return the condition under which a caller may see a study: the one place that says so."""
    return studies.c.organisation_id == organisation_id(connection, principal.organisation)


def at(place: Place) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a place puts on INSTANCE_JOIN."""
    conditions: list[sa.ColumnElement[bool]] = []
    if place.study_uid is not None:
        conditions.append(studies.c.study_uid == place.study_uid)
    if place.series_uid is not None:
        conditions.append(series.c.series_uid == place.series_uid)
    if place.sop_uid is not None:
        conditions.append(instances.c.sop_uid == place.sop_uid)
    return conditions


def instance_ids(database: Database, principal: Principal, place: Place) -> array[int]:
    """Return the row ids of the instances at a place, in order; raise NotFound or Gone."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(instances.c.id)
            .select_from(INSTANCE_JOIN)
            .where(visible(connection, principal), *at(place))
            .order_by(*SERIES_ORDER, *INSTANCE_ORDER)
        )
        ids = array("q", rows.scalars())
        if not ids:
            raise missing(connection, principal, place)
    return ids


def fetch_instances(database: Database, ids: array[int]) -> Iterator[StoredInstance]:
    """Go through the records of row ids, in their order. What was deleted meanwhile is left out."""
    statement = sa.select(*INSTANCE_COLUMNS).select_from(INSTANCE_JOIN)
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        with database.read() as connection:
            rows = connection.execute(statement.where(instances.c.id.in_(chunk.tolist()))).all()
        found = {row.id: row for row in rows}
        yield from (to_instance(found[i]) for i in chunk if i in found)


def one_instance(database: Database, principal: Principal, place: Place) -> StoredInstance:
    """Return the instance at a place of the instance level; raise NotFound or Gone."""
    with database.read() as connection:
        row = select_one(connection, principal, place, INSTANCE_JOIN, ())
    return to_instance(row)


def select_one(
    connection: Connection,
    principal: Principal,
    place: Place,
    source: sa.FromClause,
    more: tuple[sa.ColumnElement[Any], ...],
) -> Any:
    """Return one row of INSTANCE_COLUMNS and `more` from `source`; raise NotFound or Gone."""
    row = connection.execute(
        sa.select(*INSTANCE_COLUMNS, *more)
        .select_from(source)
        .where(visible(connection, principal), *at(place))
    ).first()
    if row is None:
        raise missing(connection, principal, place)
    return row


def revision(database: Database, principal: Principal, place: Place) -> str:
    """Return a text that changes whenever an instance at a place (study or series) comes, changes or goes."""
    source = studies.join(study_state, study_state.c.study_id == studies.c.id)
    columns = [studies.c.id, study_state.c.revision]
    if place.level is not Level.STUDY:
        source = source.join(series, series.c.study_id == studies.c.id)
        source = source.join(series_state, series_state.c.series_id == series.c.id)
        columns = [series.c.id, series_state.c.revision]
    above = Place(place.study_uid, place.series_uid)
    with database.read() as connection:
        row = connection.execute(
            sa.select(*columns).select_from(source).where(visible(connection, principal), *at(above))
        ).first()
        if row is None:
            raise missing(connection, principal, above)
    return f"{row[0]}.{row[1]}"


def missing(connection: Connection, principal: Principal, place: Place) -> NotFound | Gone:
    """Return the error for a place where the caller sees nothing: Gone when it was deleted here."""
    dead = tombstones.c  # of a place or of one above it: three rows at most, by their key
    found = connection.execute(
        sa.select(sa.literal(1)).where(
            dead.organisation_id == organisation_id(connection, principal.organisation),
            dead.study_uid == place.study_uid,
            dead.series_uid.in_({"", place.series_uid or ""}),
            dead.sop_uid.in_({"", place.sop_uid or ""}),
        )
    ).first()
    if found is not None:
        return Gone(f"{place} was deleted from this archive")
    return NotFound(f"{place} is not in this archive")


@dataclass(frozen=True, slots=True)
class SeriesLabel:
    """What a person knows a series by."""

    patient_id: str
    study_date: str
    study_description: str
    series_number: int | None
    modality: str
    series_description: str


def series_labels(database: Database, principal: Principal, place: Place) -> dict[str, SeriesLabel]:
    """Return the labels of the series at a place, by Series Instance UID."""
    above = Place(place.study_uid, place.series_uid)
    with database.read() as connection:
        rows = connection.execute(
            sa.select(
                series.c.series_uid,
                studies.c.attributes,
                series.c.series_number,
                series.c.attributes.label("of_series"),
            )
            .join(studies)
            .where(visible(connection, principal), *at(above))
        )
        return {row.series_uid: _label(row) for row in rows}


def _label(row: Any) -> SeriesLabel:
    """Take the texts as they were sent: the columns hold them folded."""
    study, of_series = orjson.loads(row.attributes), orjson.loads(row.of_series)
    return SeriesLabel(
        patient_id=_text(study, "00100020"),
        study_date=_text(study, "00080020"),
        study_description=_text(study, "00081030"),
        series_number=row.series_number,
        modality=_text(of_series, "00080060"),
        series_description=_text(of_series, "0008103E"),
    )


def _text(attributes: dict[str, Element], tag: str) -> str:
    values = attributes.get(tag, {}).get("Value") or [None]
    return values[0] if isinstance(values[0], str) else ""
