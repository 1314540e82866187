"""What a study holds, summed up for people: its series with counts, frames and sizes, and when it came in.

Sums are made by the database in one statement, so that a study of 20,000 instances costs one pass over its
rows and gives a handful. Instances one by one are in series_instances.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index.dialect import utc
from archive.index.engine import Database
from archive.index.records import INSTANCE_ORDER, SERIES_ORDER
from archive.index.retrieve import missing, visible
from archive.index.schema import instances, series, studies, study_patients, study_state
from archive.model.instance import Element
from archive.model.level import Place
from archive.model.principal import Principal

Attributes = Mapping[str, Element]


@dataclass(frozen=True, slots=True)
class ClassSum:
    """The instances of one SOP Class in a series: how many, their bytes and frames, how many have pixels."""

    sop_class_uid: str
    instances: int
    size: int
    frames: int
    with_pixels: int


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """A series: its index attributes by tag, its instances by SOP Class, and the first of them."""

    series_uid: str
    first_uid: str
    attributes: Attributes
    classes: tuple[ClassSum, ...]

    @property
    def instances(self) -> int:
        """How many instances the series has."""
        return sum(each.instances for each in self.classes)

    @property
    def size(self) -> int:
        """Bytes of its instances as they were stored."""
        return sum(each.size for each in self.classes)

    @property
    def frames(self) -> int:
        """Frames of its images; a single-frame image has one."""
        return sum(each.frames for each in self.classes)

    @property
    def has_pixels(self) -> bool:
        """Tell whether any instance has pixel data."""
        return any(each.with_pixels for each in self.classes)


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study: its index attributes by tag, its series in the order of their numbers, when it came in.

    `other_patients` are the (PatientID, issuer) that instances have beside those of the study (B007);
    `patient_conflict` says that there are such instances. `revision` changes with the study.
    """

    study_uid: str
    attributes: Attributes
    series: tuple[SeriesSummary, ...]
    first_stored: datetime
    last_stored: datetime
    patient_conflict: bool
    other_patients: tuple[tuple[str, str], ...]
    revision: int

    @property
    def instances(self) -> int:
        """How many instances the study has."""
        return sum(each.instances for each in self.series)

    @property
    def size(self) -> int:
        """Bytes of its instances as they were stored."""
        return sum(each.size for each in self.series)


def study_summary(database: Database, principal: Principal, study_uid: str) -> StudySummary:
    """Return what a study holds; raise NotFound or Gone."""
    with database.read() as connection:
        row = connection.execute(
            sa.select(
                studies.c.id,
                studies.c.attributes,
                studies.c.patient_conflict,
                studies.c.created_at,
                sa.func.coalesce(study_state.c.revision, 0).label("revision"),
            )
            .outerjoin(study_state, study_state.c.study_id == studies.c.id)
            .where(visible(connection, principal), studies.c.study_uid == study_uid)
        ).first()
        if row is None:
            raise missing(connection, principal, Place(study_uid))
        others = connection.execute(
            sa.select(study_patients.c.patient_id, study_patients.c.issuer_of_patient_id)
            .where(study_patients.c.study_id == row.id)
            .order_by(study_patients.c.patient_id, study_patients.c.issuer_of_patient_id)
        )
        other_patients = tuple((each.patient_id, each.issuer_of_patient_id) for each in others)
        sums = _sums(connection, row.id)
        found = _series(connection, row.id, sums)
    moments = [moment for each in sums.values() for moment in (each.first, each.last)]
    return StudySummary(
        study_uid=study_uid,
        attributes=orjson.loads(row.attributes),
        series=found,
        first_stored=min(moments, default=utc(row.created_at)),
        last_stored=max(moments, default=utc(row.created_at)),
        patient_conflict=row.patient_conflict,
        other_patients=other_patients,
        revision=row.revision,
    )


@dataclass(slots=True)
class _Sum:
    classes: list[ClassSum]
    first: datetime
    last: datetime


def _sums(connection: Connection, study_id: int) -> dict[int, _Sum]:
    """Sum up the instances of a study by series and SOP Class, in one pass."""
    rows = connection.execute(
        sa.select(
            instances.c.series_id,
            instances.c.sop_class_uid,
            sa.func.count().label("number"),
            sa.func.sum(instances.c.size).label("size"),
            sa.func.sum(_frames(connection)).label("frames"),
            sa.func.count(instances.c.pixels).label("with_pixels"),
            sa.func.min(instances.c.stored_at).label("first"),
            sa.func.max(instances.c.stored_at).label("last"),
        )
        .where(instances.c.study_id == study_id)
        .group_by(instances.c.series_id, instances.c.sop_class_uid)
        .order_by(instances.c.series_id, instances.c.sop_class_uid)
    )
    sums: dict[int, _Sum] = {}
    for row in rows:
        first, last = utc(row.first), utc(row.last)
        one = sums.setdefault(row.series_id, _Sum([], first, last))
        one.first, one.last = min(one.first, first), max(one.last, last)
        one.classes.append(
            ClassSum(row.sop_class_uid, row.number, int(row.size), int(row.frames or 0), int(row.with_pixels))
        )
    return sums


def _frames(connection: Connection) -> sa.ColumnElement[int]:
    """Return the number of frames in `instances.pixels`, JSON in bytes; NULL where there are no pixels."""
    if connection.dialect.name == "sqlite":
        return sa.func.json_extract(sa.cast(instances.c.pixels, sa.Text), "$.frames")
    text = sa.func.convert_from(instances.c.pixels, "UTF8")
    return sa.cast(sa.cast(text, sa.JSON)["frames"].as_string(), sa.BigInteger)


def _series(connection: Connection, study_id: int, sums: Mapping[int, _Sum]) -> tuple[SeriesSummary, ...]:
    first = (
        sa.select(instances.c.sop_uid)
        .where(instances.c.series_id == series.c.id)
        .order_by(*INSTANCE_ORDER)
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(series.c.id, series.c.series_uid, series.c.attributes, first.label("first_uid"))
        .where(series.c.study_id == study_id)
        .order_by(*SERIES_ORDER)
    )
    return tuple(
        SeriesSummary(
            row.series_uid, row.first_uid or "", orjson.loads(row.attributes), tuple(sums[row.id].classes)
        )
        for row in rows
        if row.id in sums
    )
