"""A study as it stands: what taking something out of it would take and leave, row by row where it must be.

Taking it out is left to delete.py, which sees under a lock that the revision is still the one seen here.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index.engine import Database
from archive.index.organisations import asking
from archive.index.prepared import Prepared
from archive.index.records import INSTANCE_JOIN
from archive.index.retrieve import VISIBLE, at_level, missing, uids, visible
from archive.index.schema import BigId, instances, series, series_state, studies, study_patients, study_state
from archive.model.instance import Element
from archive.model.level import Level, Place
from archive.model.principal import Principal

Attributes = Mapping[str, Element]
_FEW = 16
_MANY = 2**31


@dataclass(frozen=True, slots=True)
class Seen:
    """A study as it was when a delete looked at it. `doomed` goes; how many stay is counted, not listed."""

    study_id: int
    revision: int
    patient_conflict: bool
    patients: frozenset[tuple[str, str]]  # identities beside the study's own
    study_attributes: Attributes
    series_attributes: Mapping[int, Attributes]  # of series that lose some instances and keep others
    doomed: tuple[DoomedInstance, ...]
    lost: Mapping[int, int]  # how many instances each series loses
    emptied: frozenset[int]  # series that lose all
    remaining: int  # instances that stay


class DoomedInstance(NamedTuple):
    """One instance that goes."""

    id: int
    series_id: int
    object_key: str
    size: int  # bytes


def _doomed(level: Level) -> Prepared:
    return Prepared(
        sa.select(instances.c.id, instances.c.series_id, instances.c.object_key, instances.c.size)
        .select_from(INSTANCE_JOIN)
        .where(VISIBLE, *at_level(level))
        .order_by(instances.c.id)
    )


_DOOMED = {level: _doomed(level) for level in Level}


def look(database: Database, principal: Principal, place: Place) -> Seen:
    """Return what deleting a place would take and leave; raise NotFound or Gone where there is nothing."""
    with database.read() as connection:
        study = connection.execute(_study(connection, principal, place.study_uid)).first()
        if study is None:
            raise missing(connection, principal, place)
    rows = database.rows(_DOOMED[place.level], **asking(database, principal), **uids(place))
    doomed = tuple(DoomedInstance(*row) for row in rows)
    lost = Counter(each.series_id for each in doomed)
    with database.read() as connection:
        if not doomed:
            raise missing(connection, principal, place)
        of_series = _counted_series(connection, study.id, lost.keys())
        patients = _patients(connection, study)
    return _seen(study, of_series, patients, doomed, lost)


def look_at_all(database: Database, principal: Principal, study_uid: str) -> Seen | None:
    """Return a study of which nothing goes, with all its series; None where there is none."""
    with database.read() as connection:
        study = connection.execute(_study(connection, principal, study_uid)).first()
        if study is None:
            return None
        of_series = _counted_series(connection, study.id)
        patients = _patients(connection, study)
    return _seen(study, of_series, patients, (), Counter())


def _seen(
    study: Any,
    of_series: list[Any],
    patients: frozenset[tuple[str, str]],
    doomed: tuple[DoomedInstance, ...],
    lost: Counter[int],
) -> Seen:
    """Put together what was read; `lost` counts the doomed instances by series."""
    emptied = frozenset(row.id for row in of_series if lost[row.id] and row.instances <= lost[row.id])
    return Seen(
        study_id=study.id,
        revision=study.revision,
        patient_conflict=study.patient_conflict,
        patients=patients,
        study_attributes=orjson.loads(study.attributes),
        series_attributes={
            row.id: orjson.loads(row.attributes) for row in of_series if row.id not in emptied
        },
        doomed=doomed,
        lost=lost,
        emptied=emptied,
        remaining=study.instances - len(doomed),
    )


def _counted_series(connection: Connection, study_id: int, ids: Collection[int] | None = None) -> list[Any]:
    """Return id, attributes and number of instances of a study's series; of some, where ids are given."""
    statement = (
        sa.select(series.c.id, series.c.attributes, series_state.c.instances)
        .join(series_state)
        .where(series.c.study_id == study_id)
    )
    if ids is not None and len(ids) <= _FEW:
        statement = statement.where(series.c.id.in_(ids))
    return [row for row in connection.execute(statement) if ids is None or row.id in ids]


def _patients(connection: Connection, study: Any) -> frozenset[tuple[str, str]]:
    if not study.patient_conflict:
        return frozenset()
    rows = connection.execute(
        sa.select(study_patients.c.patient_id, study_patients.c.issuer_of_patient_id).where(
            study_patients.c.study_id == study.id
        )
    )
    return frozenset((row[0], row[1]) for row in rows)


def _some(column: sa.Column[int]) -> Prepared:
    """Return the statement for the first ids of a study or a series, in the order they were stored.

    All of them are found first: to find few in this order, PostgreSQL may go through every study's.
    """
    within = column == sa.bindparam("within", type_=BigId)
    found = (
        sa.select(instances.c.id).where(within).cte("found").prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return Prepared(
        sa.select(found.c.id)
        .where(found.c.id > sa.bindparam("after", type_=BigId))
        .order_by(found.c.id)
        .limit(sa.bindparam("most", type_=BigId))
    )


_OF_STUDY, _OF_SERIES = _some(instances.c.study_id), _some(instances.c.series_id)


def remaining_ids(database: Database, seen: Seen, series_id: int | None = None) -> Iterator[array[int]]:
    """Give the row ids of the instances that stay, of one series where it is named, in the order of storing.

    A few first: they have all values, as a rule.
    """
    gone = {each.id for each in seen.doomed}
    statement, within = (_OF_STUDY, seen.study_id) if series_id is None else (_OF_SERIES, series_id)
    after, most = 0, _FEW
    while ids := [row[0] for row in database.rows(statement, within=within, after=after, most=most)]:
        yield array("q", (each for each in ids if each not in gone))
        after, most = ids[-1], _MANY


def _study(connection: Connection, principal: Principal, study_uid: str | None) -> sa.Select[Any]:
    return (
        sa.select(studies, study_state.c.revision, study_state.c.instances)
        .join(study_state)
        .where(visible(connection, principal), studies.c.study_uid == study_uid)
    )
