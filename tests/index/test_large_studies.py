"""Deletes in a study of thousands: what they read, ask and hold does not grow with what the study has."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from archive.bootstrap import Services, build
from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource
from archive.index import bulk
from archive.index import delete as index
from archive.index.schema import instances, retired_objects, series_state, study_state
from archive.index.seen import look, look_at_all
from archive.index.store_rows import NewInstance
from archive.model.instance import Identity
from archive.model.keys import instance_stem
from archive.model.level import Place
from archive.model.principal import ANYONE
from archive.services.study_values import values_of
from archive.settings import Settings
from tests import builders

SMALL, LARGE = 24, 900
SERIES = 2


@pytest.fixture
def services(backend: Settings) -> Iterator[Services]:
    """Give services over a study of SMALL and one of LARGE instances, half of them in each of two series."""
    made = build(backend)
    for count in (SMALL, LARGE):
        for _ in bulk.load(made.database, ANYONE, study(count), keep=timedelta(days=1)):
            pass
    yield made
    made.close()


def study(count: int, *, strangers: int = 0) -> Iterator[NewInstance]:
    """Give the instances of a study, series by series; only the first one says when it was.

    As many as `strangers` of the last ones are of another patient.
    """
    stranger = builders.instance(PatientID="stranger", PatientComments="c" * 600)
    file = builders.instance(StudyTime=None, PatientComments="c" * 600)
    first = builders.instance(PatientComments="c" * 600)
    readings = [
        read_instance(BytesSource(f), bulk_threshold=64, max_inflated=2**20).reading
        for f in (first, file, stranger)
    ]
    sha256 = hashlib.sha256(file).hexdigest()
    for series in range(SERIES):
        for number in range(count // SERIES):
            at = place(count, series, number)
            late = series == SERIES - 1 and number >= count // SERIES - strangers
            reading = readings[2 if late else bool(series or number)]
            own = Identity(
                str(at.study_uid), str(at.series_uid), str(at.sop_uid), reading.identity.sop_class_uid
            )
            key = instance_stem("default", own, sha256) + ".dcm"
            moved = replace(reading, identity=own)
            yield NewInstance(
                moved, key, len(file), sha256, False, reading.metadata, metadata_apart=False, replace=False
            )


def place(count: int, series: int, number: int) -> Place:
    """Return where an instance of the study of `count` is."""
    words = "large", count, series
    return Place(builders.uid("large", count), builders.uid(*words), builders.uid(*words, number))


def counts(services: Services, count: int) -> tuple[int, list[int], int]:
    """Return what is counted of a study and of its series, and how many rows there are."""
    with services.database.read() as connection:
        rows = connection.execute(
            sa.select(study_state.c.study_id, study_state.c.instances, study_state.c.bytes).order_by(
                study_state.c.study_id
            )
        ).all()
        row = rows[0 if count == SMALL else -1]
        series = connection.scalars(
            sa.select(series_state.c.instances)
            .where(
                series_state.c.series_id.in_(
                    sa.select(instances.c.series_id).where(instances.c.study_id == row.study_id)
                )
            )
            .order_by(series_state.c.series_id)
        )
        found = connection.scalar(
            sa.select(sa.func.count()).select_from(instances).where(instances.c.study_id == row.study_id)
        )
        return row.instances, list(series), int(found or 0)


def test_deleting_one_instance_takes_no_more_memory_in_a_large_study(services: Services) -> None:
    peaks = []
    for count in (SMALL, SMALL, LARGE):  # the first one to load what is loaded once
        where = place(count, 1, len(peaks))
        tracemalloc.start()
        services.delete.delete(ANYONE, where)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 50_000, peaks
    assert counts(services, LARGE) == (LARGE - 1, [LARGE // 2, LARGE // 2 - 1], LARGE - 1)


def test_a_delete_asks_as_little_under_its_lock_for_a_large_study(services: Services) -> None:
    asked = []
    for count in (SMALL, LARGE):
        where = Place(place(count, 0, 0).study_uid)
        seen = look(services.database, ANYONE, where)
        values = values_of(services.database, services.objects, seen)
        statements: list[str] = []

        def count_(*event: object, to: list[str] = statements) -> None:
            to.append(str(event[2]))

        def work(connection: sa.Connection) -> None:
            index.delete(connection, ANYONE, where, seen, values, keep=timedelta(days=1))  # noqa: B023 at once

        sa.event.listen(services.database.engine, "before_cursor_execute", count_)
        services.database.write(work)
        sa.event.remove(services.database.engine, "before_cursor_execute", count_)
        asked.append(len(statements))
    assert asked[0] == asked[1], asked
    with services.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(instances)) == 0
        kept = connection.execute(sa.select(retired_objects)).all()
    assert {(each.study_uid, each.series_uid, each.sop_uid) for each in kept} == {
        (at.study_uid, at.series_uid, at.sop_uid)
        for count in (SMALL, LARGE)
        for series in range(SERIES)
        for at in (place(count, series, number) for number in range(count // SERIES))
    }
    assert {(each.reason, each.replaced_by, each.marked) for each in kept} == {("deleted", "", True)}


def test_a_series_of_a_large_study_goes_whole_and_takes_its_values_along(services: Services) -> None:
    first = place(LARGE, 0, 0)
    assert services.delete.delete(ANYONE, Place(first.study_uid, first.series_uid)) == LARGE // 2
    assert counts(services, LARGE) == (LARGE // 2, [LARGE // 2], LARGE // 2)
    assert look(services.database, ANYONE, Place(first.study_uid)).study_attributes.get("00080030", {}) == {}
    assert services.delete.delete(ANYONE, Place(first.study_uid)) == LARGE // 2
    assert counts(services, SMALL) == (SMALL, [SMALL // 2, SMALL // 2], SMALL)


def test_instances_of_another_patient_go_one_by_one_without_a_look_at_all_others(services: Services) -> None:
    count, strangers = 1_200, 6
    uid = builders.uid("large", count)
    for _ in bulk.load(services.database, ANYONE, study(count, strangers=strangers), keep=timedelta(days=1)):
        pass
    looked: list[int] = []
    rows = services.database.rows

    def counted(statement: Any, **values: Any) -> list[Any]:
        found = rows(statement, **values)
        looked.append(sum(hasattr(each, "segments") for each in found))
        return found

    services.database.rows = counted  # type: ignore[method-assign]
    for number in range(strangers):
        looked.clear()
        assert look_at_all(services.database, ANYONE, uid).patients == {("stranger", "")}  # type: ignore[union-attr]
        services.delete.delete(ANYONE, place(count, 1, count // SERIES - 1 - number))
        assert number == strangers - 1 or sum(looked) < count * 2 // 3, looked
    seen = look_at_all(services.database, ANYONE, uid)
    assert seen is not None
    assert (seen.patient_conflict, seen.patients, seen.remaining) == (False, frozenset(), count - strangers)
