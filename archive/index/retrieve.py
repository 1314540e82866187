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
from archive.index.organisations import asking, organisation_id
from archive.index.prepared import Prepared, is_among
from archive.index.records import INSTANCE_COLUMNS, INSTANCE_JOIN, INSTANCE_ORDER, SERIES_ORDER, to_instance
from archive.index.schema import BigId, instances, series, series_state, studies, study_state, tombstones
from archive.model.instance import Element, StoredInstance
from archive.model.level import Level, Place
from archive.model.principal import Principal

CHUNK = 500


def visible(connection: Connection, principal: Principal) -> sa.ColumnElement[bool]:
    """Return the condition under which a caller may see a study: the one place that says so."""
    return _visible_to(sa.literal(organisation_id(connection, principal.organisation), BigId))


def _visible_to(organisation: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return studies.c.organisation_id == organisation


VISIBLE = _visible_to(sa.bindparam("organisation", type_=BigId))
"""The same in prepared statements; `asking` gives their parameters."""


def at(place: Place) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a place puts on INSTANCE_JOIN."""
    return _at(place.study_uid, place.series_uid, place.sop_uid)


def _at(
    study: str | sa.BindParameter[str] | None,
    series_: str | sa.BindParameter[str] | None,
    instance: str | sa.BindParameter[str] | None,
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if study is not None:
        conditions.append(studies.c.study_uid == study)
    if series_ is not None:
        conditions.append(series.c.series_uid == series_)
    if instance is not None:
        # With the organisation the unique index leads to the one row; without it every instance of the study
        # would be looked at.
        conditions += [
            instances.c.organisation_id == studies.c.organisation_id,
            instances.c.sop_uid == instance,
        ]
    return conditions


def at_level(level: Level) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of `at` for prepared statements; `uids` gives their parameters."""
    study, series_, instance = (
        sa.bindparam(name, type_=sa.Text) if each <= level else None
        for each, name in zip(Level, ("study", "series", "instance"), strict=True)
    )
    return _at(study, series_, instance)


def uids(place: Place) -> dict[str, str | None]:
    """Return the parameters of `at_level`."""
    return {"study": place.study_uid, "series": place.series_uid, "instance": place.sop_uid}


def _ids(*conditions: sa.ColumnElement[bool]) -> Prepared:
    return Prepared(
        sa.select(instances.c.id)
        .select_from(INSTANCE_JOIN)
        .where(VISIBLE, *conditions)
        .order_by(*SERIES_ORDER, *INSTANCE_ORDER)
    )


_IDS = {level: _ids(*at_level(level)) for level in Level}
_ALL_IDS = _ids()


def instance_ids(database: Database, principal: Principal, place: Place) -> array[int]:
    """Return the row ids of the instances at a place, in order; raise NotFound or Gone."""
    statement = _ALL_IDS if place.study_uid is None else _IDS[place.level]
    rows = database.rows(statement, **asking(database, principal), **uids(place))
    if not rows:
        raise _missing(database, principal, place)
    return array("q", [row[0] for row in rows])


_OF_IDS = Prepared(
    lambda dialect: (
        sa.select(*INSTANCE_COLUMNS)
        .select_from(INSTANCE_JOIN)
        .where(is_among(instances.c.id, "ids", dialect))
    )
)


def fetch_instances(database: Database, ids: array[int]) -> Iterator[StoredInstance]:
    """Go through the records of row ids, in their order. What was deleted meanwhile is left out."""
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        found = {row.id: row for row in database.rows(_OF_IDS, ids=chunk)}
        yield from (to_instance(found[i]) for i in chunk if i in found)


def instance_statement(source: sa.FromClause = INSTANCE_JOIN, *more: sa.ColumnElement[Any]) -> Prepared:
    """Return the statement for `find_one` that gives INSTANCE_COLUMNS and `more` of an instance."""
    return Prepared(
        sa.select(*INSTANCE_COLUMNS, *more).select_from(source).where(VISIBLE, *at_level(Level.INSTANCE))
    )


_ONE = instance_statement()


def one_instance(database: Database, principal: Principal, place: Place) -> StoredInstance:
    """Return the instance at a place of the instance level; raise NotFound or Gone."""
    return to_instance(find_one(database, principal, place, _ONE))


def find_one(
    database: Database, principal: Principal, place: Place, statement: Prepared, **values: Any
) -> Any:
    """Return the row that an `instance_statement` gives at a place; raise NotFound or Gone."""
    row = database.first(statement, **asking(database, principal), **uids(place), **values)
    if row is None:
        raise _missing(database, principal, place)
    return row


def _revision(level: Level) -> Prepared:
    source = studies.join(study_state, study_state.c.study_id == studies.c.id)
    columns = [studies.c.id, study_state.c.revision]
    if level is not Level.STUDY:
        source = source.join(series, series.c.study_id == studies.c.id)
        source = source.join(series_state, series_state.c.series_id == series.c.id)
        columns = [series.c.id, series_state.c.revision]
    return Prepared(sa.select(*columns).select_from(source).where(VISIBLE, *at_level(level)))


_REVISIONS = {level: _revision(level) for level in (Level.STUDY, Level.SERIES)}


def revision(database: Database, principal: Principal, place: Place) -> str:
    """Return a text that changes whenever an instance at a place (study or series) comes, changes or goes."""
    above = Place(place.study_uid, place.series_uid)
    row = database.first(_REVISIONS[above.level], **asking(database, principal), **uids(above))
    if row is None:
        raise _missing(database, principal, above)
    return f"{row[0]}.{row[1]}"


def _missing(database: Database, principal: Principal, place: Place) -> NotFound | Gone:
    with database.read() as connection:
        return missing(connection, principal, place)


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
