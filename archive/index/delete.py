"""Take instances out of the index: rows, counts and values in one transaction; bytes stay until later.

Nothing goes that was not seen beforehand: the study's revision is compared under a lock that waits for every
store into the study, so an instance that came meanwhile makes the delete look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import FilmroomError
from archive.index.dialect import insert
from archive.index.folding import series_columns, study_columns
from archive.index.organisations import organisation_id
from archive.index.schema import (
    BigId,
    instances,
    retired_objects,
    series,
    series_state,
    studies,
    study_patients,
    study_state,
    tombstones,
)
from archive.index.seen import Attributes, Seen
from archive.model.level import Level, Place
from archive.model.principal import Principal


class Changed(FilmroomError):
    """The study changed between looking and deleting: look again."""


@dataclass(frozen=True, slots=True)
class Values:
    """What study and series are worth without the doomed instances. `patients` are further identities."""

    study: Attributes
    series: Mapping[int, Attributes]
    patients: frozenset[tuple[str, str]]


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


def set_values(connection: Connection, seen: Seen, values: Values) -> None:
    """Write the values of a study and its series; raise Changed when the study is no longer as seen."""
    _lock(connection, seen)
    _write_values(connection, seen, values)
    state = study_state.c
    connection.execute(
        sa.update(study_state).where(state.study_id == seen.study_id).values(revision=state.revision + 1)
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
    """Take the rows out by two statements, whatever their number: others may wait for this to end.

    The revision is that of the look, so they are the rows that were seen.
    """
    now = datetime.now(UTC)
    going = _going(place, seen)
    values = {
        "object_key": instances.c.object_key,
        "organisation_id": sa.literal(organisation, BigId),
        "study_uid": sa.literal(place.study_uid, sa.Text),
        "series_uid": series.c.series_uid,
        "sop_uid": instances.c.sop_uid,
        "reason": sa.literal("deleted", sa.Text),
        "retired_at": sa.literal(now, retired_objects.c.retired_at.type),
        "remove_after": sa.literal(now + keep, retired_objects.c.remove_after.type),
    }
    source = sa.select(*values.values()).join(series, series.c.id == instances.c.series_id).where(going)
    connection.execute(sa.insert(retired_objects).from_select(list(values), source))
    connection.execute(sa.delete(instances).where(going))


def _going(place: Place, seen: Seen) -> sa.ColumnElement[bool]:
    if place.level is Level.STUDY:
        return instances.c.study_id == seen.study_id
    if place.level is Level.SERIES:
        return instances.c.series_id == seen.doomed[0].series_id
    return instances.c.id == seen.doomed[0].id


def _count_down(connection: Connection, seen: Seen) -> None:
    for series_id, number in sorted(seen.lost.items()):
        if series_id in seen.emptied:
            connection.execute(sa.delete(series).where(series.c.id == series_id))
            continue
        state = series_state.c
        connection.execute(
            sa.update(series_state)
            .where(state.series_id == series_id)
            .values(instances=state.instances - number, revision=state.revision + 1)
        )
    connection.execute(
        sa.update(study_state)
        .where(study_state.c.study_id == seen.study_id)
        .values(
            series=study_state.c.series - len(seen.emptied),
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
