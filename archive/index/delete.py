"""Take instances out of the index: rows, counts and values in one transaction; bytes stay until later.

Nothing goes that was not seen beforehand: the study's revision is compared under a lock that waits for every
store into the study, so an instance that came meanwhile makes the delete look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import FilmroomError
from archive.index.dialect import insert
from archive.index.engine import Database
from archive.index.folding import series_columns, study_columns
from archive.index.organisations import organisation_id
from archive.index.records import INSTANCE_JOIN
from archive.index.retrieve import at, missing, visible
from archive.index.schema import (
    instances,
    retired_objects,
    series,
    series_state,
    studies,
    study_patients,
    study_state,
    tombstones,
)
from archive.model.instance import Element
from archive.model.level import Place
from archive.model.principal import Principal

Attributes = Mapping[str, Element]
_CHUNK = 500


class Changed(FilmroomError):
    """The study changed between looking and deleting: look again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A study as it was when a delete looked at it. `doomed` goes, `remaining` stays."""

    study_id: int
    revision: int
    patient_conflict: bool
    study_attributes: Attributes
    series_attributes: Mapping[int, Attributes]  # of series that lose some instances and keep others
    doomed: tuple[DoomedInstance, ...]
    remaining: tuple[tuple[int, int], ...]  # (instance id, series id), in the order they were stored


@dataclass(frozen=True, slots=True)
class DoomedInstance:
    """One instance that goes."""

    id: int
    series_id: int
    series_uid: str
    sop_uid: str
    object_key: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Values:
    """What study and series are worth without the doomed instances. `patients` are further identities."""

    study: Attributes
    series: Mapping[int, Attributes]
    patients: frozenset[tuple[str, str]]


def look(database: Database, principal: Principal, place: Place) -> Seen:
    """Return what deleting a place would take and leave; raise NotFound or Gone where there is nothing."""
    with database.read() as connection:
        study = connection.execute(_study(connection, principal, place.study_uid)).first()
        if study is None:
            raise missing(connection, principal, place)
        doomed = _doomed(connection, study.id, place)
        if not doomed:
            raise missing(connection, principal, place)
        gone = {each.id for each in doomed}
        rows = connection.execute(
            sa.select(instances.c.id, instances.c.series_id)
            .where(instances.c.study_id == study.id)
            .order_by(instances.c.id)
        )
        remaining = tuple((row.id, row.series_id) for row in rows if row.id not in gone)
        shrunk = {each.series_id for each in doomed} & {series_id for _, series_id in remaining}
        many = connection.execute(sa.select(series.c.id, series.c.attributes).where(series.c.id.in_(shrunk)))
        series_attributes = {row.id: orjson.loads(row.attributes) for row in many}
    return Seen(
        study_id=study.id,
        revision=study.revision,
        patient_conflict=study.patient_conflict,
        study_attributes=orjson.loads(study.attributes),
        series_attributes=series_attributes,
        doomed=doomed,
        remaining=remaining,
    )


def _doomed(connection: Connection, study_id: int, place: Place) -> tuple[DoomedInstance, ...]:
    rows = connection.execute(
        sa.select(
            instances.c.id,
            instances.c.series_id,
            series.c.series_uid,
            instances.c.sop_uid,
            instances.c.object_key,
            instances.c.size,
        )
        .select_from(INSTANCE_JOIN)
        .where(instances.c.study_id == study_id, *at(place))
        .order_by(instances.c.id)
    )
    return tuple(DoomedInstance(*row) for row in rows)


def delete(
    connection: Connection,
    principal: Principal,
    place: Place,
    seen: Seen,
    values: Values,
    *,
    keep: timedelta,
) -> None:
    """Take the doomed instances out; raise Changed when the study is no longer as seen."""
    organisation = organisation_id(connection, principal.organisation)
    _lock(connection, seen)
    _retire(connection, organisation, place, seen, keep)
    _count_down(connection, seen)
    if seen.remaining:
        _write_values(connection, seen, values)
    else:
        connection.execute(sa.delete(studies).where(studies.c.id == seen.study_id))
    _bury(connection, organisation, place)


def look_at_all(database: Database, principal: Principal, study_uid: str) -> Seen | None:
    """Return a study of which nothing goes, with all its series; None where there is none."""
    with database.read() as connection:
        study = connection.execute(_study(connection, principal, study_uid)).first()
        if study is None:
            return None
        rows = connection.execute(
            sa.select(instances.c.id, instances.c.series_id)
            .where(instances.c.study_id == study.id)
            .order_by(instances.c.id)
        )
        many = connection.execute(
            sa.select(series.c.id, series.c.attributes).where(series.c.study_id == study.id)
        )
        return Seen(
            study_id=study.id,
            revision=study.revision,
            patient_conflict=study.patient_conflict,
            study_attributes=orjson.loads(study.attributes),
            series_attributes={row.id: orjson.loads(row.attributes) for row in many},
            doomed=(),
            remaining=tuple((row.id, row.series_id) for row in rows),
        )


def set_values(connection: Connection, seen: Seen, values: Values) -> None:
    """Write the values of a study and its series; raise Changed when the study is no longer as seen."""
    _lock(connection, seen)
    _write_values(connection, seen, values)
    state = study_state.c
    connection.execute(
        sa.update(study_state).where(state.study_id == seen.study_id).values(revision=state.revision + 1)
    )


def _study(connection: Connection, principal: Principal, study_uid: str | None) -> sa.Select[Any]:
    return (
        sa.select(studies, study_state.c.revision)
        .join(study_state)
        .where(visible(connection, principal), studies.c.study_uid == study_uid)
    )


def _lock(connection: Connection, seen: Seen) -> None:
    """Wait for every store into the study and keep others out; raise Changed where one came."""
    connection.execute(sa.select(studies.c.id).where(studies.c.id == seen.study_id).with_for_update())
    revision = connection.scalar(
        sa.select(study_state.c.revision).where(study_state.c.study_id == seen.study_id)
    )
    if revision != seen.revision:
        raise Changed("the study changed since it was looked at")


def _retire(connection: Connection, organisation: int, place: Place, seen: Seen, keep: timedelta) -> None:
    now = datetime.now(UTC)
    for start in range(0, len(seen.doomed), _CHUNK):
        chunk = seen.doomed[start : start + _CHUNK]
        rows: list[dict[str, Any]] = [
            {
                "object_key": each.object_key,
                "organisation_id": organisation,
                "study_uid": place.study_uid,
                "series_uid": each.series_uid,
                "sop_uid": each.sop_uid,
                "reason": "deleted",
                "retired_at": now,
                "remove_after": now + keep,
            }
            for each in chunk
        ]
        connection.execute(sa.insert(retired_objects), rows)
        connection.execute(sa.delete(instances).where(instances.c.id.in_([each.id for each in chunk])))


def _count_down(connection: Connection, seen: Seen) -> None:
    lost: dict[int, int] = {}
    for each in seen.doomed:
        lost[each.series_id] = lost.get(each.series_id, 0) + 1
    kept = {series_id for _, series_id in seen.remaining}
    for series_id, number in sorted(lost.items()):
        if series_id not in kept:
            connection.execute(sa.delete(series).where(series.c.id == series_id))
            continue
        state = series_state.c
        connection.execute(
            sa.update(series_state)
            .where(state.series_id == series_id)
            .values(instances=state.instances - number, revision=state.revision + 1)
        )
    emptied = len(lost.keys() - kept)
    connection.execute(
        sa.update(study_state)
        .where(study_state.c.study_id == seen.study_id)
        .values(
            series=study_state.c.series - emptied,
            instances=study_state.c.instances - len(seen.doomed),
            bytes=study_state.c.bytes - sum(each.size for each in seen.doomed),
            revision=study_state.c.revision + 1,
        )
    )


def _write_values(connection: Connection, seen: Seen, values: Values) -> None:
    connection.execute(
        sa.update(studies)
        .where(studies.c.id == seen.study_id)
        .values(
            attributes=orjson.dumps(values.study),
            patient_conflict=bool(values.patients),
            **study_columns(values.study),
        )
    )
    for series_id, attributes in values.series.items():
        connection.execute(
            sa.update(series)
            .where(series.c.id == series_id)
            .values(attributes=orjson.dumps(attributes), **series_columns(attributes))
        )
    if not seen.patient_conflict:
        return
    connection.execute(sa.delete(study_patients).where(study_patients.c.study_id == seen.study_id))
    if values.patients:
        connection.execute(
            sa.insert(study_patients),
            [
                {"study_id": seen.study_id, "patient_id": patient, "issuer_of_patient_id": issuer}
                for patient, issuer in sorted(values.patients)
            ],
        )


def _bury(connection: Connection, organisation: int, place: Place) -> None:
    row = {
        "organisation_id": organisation,
        "study_uid": place.study_uid,
        "series_uid": place.series_uid or "",
        "sop_uid": place.sop_uid or "",
        "deleted_at": datetime.now(UTC),
    }
    statement = insert(connection, tombstones)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "study_uid", "series_uid", "sop_uid"],
            set_={"deleted_at": statement.excluded.deleted_at},
        ),
        row,
    )
