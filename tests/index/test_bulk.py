"""A bulk load gives exactly the rows that storing the same instances gives, on both back ends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom import Dataset
from pydicom.sequence import Sequence

from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource
from archive.index import bulk, schema, search_attributes, store
from archive.index.engine import Database
from archive.index.store import Verdict
from archive.index.store_rows import NewInstance
from archive.model.keys import instance_stem
from archive.model.principal import ANYONE
from tests import builders

_KEEP = timedelta(days=1)


def new_instance(file: bytes, *, apart: bool = False, replace_: bool = False) -> NewInstance:
    """Return what a store writes for a file."""
    reading = read_instance(BytesSource(file), bulk_threshold=64, max_inflated=2**20).reading
    sha256 = hashlib.sha256(file).hexdigest()
    key = instance_stem("default", reading.identity, sha256) + ".dcm"
    return NewInstance(
        reading, key, len(file), sha256, False, reading.metadata, metadata_apart=apart, replace=replace_
    )


def request(step: str) -> Dataset:
    """Return an item of RequestAttributesSequence."""
    item = Dataset()
    item.ScheduledProcedureStepID = step
    item.RequestedProcedureID = f"R{step}"
    return item


def crowd() -> Iterator[NewInstance]:
    """Give instances of several studies, which differ in whatever a row can."""
    for study in range(7):
        for number in range(9):
            uids = {
                "StudyInstanceUID": builders.uid("bulk study", study),
                "SeriesInstanceUID": builders.uid("bulk series", study, number % 2),
                "SOPInstanceUID": builders.uid("bulk", study, number),
            }
            values: dict[str, Any] = {
                "PatientID": "P1\\P2" if study == 3 else None if number == 0 else f"P{study}",
                "IssuerOfPatientID": "elsewhere" if number == 5 else None,
                "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう" if study % 2 else "Ångström^Zoë",
                "StudyDescription": "Head\tand Neck" if number else "",
                "AccessionNumber": f"A{study}",
                "SeriesDescription": f"Series {number % 2}",
                "InstanceNumber": number if number < 8 else None,
                "RequestAttributesSequence": Sequence([request("1"), request("2")]) if number == 1 else None,
                "KVP": "120" if number % 2 else "80",
            }
            if study == 4 and number > 6:
                values["PatientID"] = "another"  # B007
            if number == 2:
                file = builders.encapsulated([b"\1\2\3\4" * 20] * 1500, NumberOfFrames=1500, **values, **uids)
            else:
                file = builders.part10(builders.dataset(**values, **uids))
            yield new_instance(file, apart=number == 3)


@pytest.fixture(params=["sqlite", "postgresql"])
def two(request: pytest.FixtureRequest) -> Iterator[tuple[Database, Database]]:
    """Give two empty indexes of one kind, with an attribute that the site chose."""
    kind = "new_sqlite_database" if request.param == "sqlite" else "new_database"
    new: Callable[[], str] = request.getfixturevalue(kind)
    both = Database(new(), pool=2, timeout=30), Database(new(), pool=2, timeout=30)
    for each in both:
        search_attributes.add(each, ("00180060",), "DS")
    yield both
    for each in both:
        each.close()


_KEYS = {
    "study_id": (schema.studies, "study_uid"),
    "series_id": (schema.series, "series_uid"),
    "instance_id": (schema.instances, "sop_uid"),
}


def rows_of(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, row ids as the UIDs that they stand for; moments only as there."""
    with database.read() as connection:
        uids = {
            column: {row.id: row.uid for row in connection.execute(sa.select(t.c.id, t.c[uid].label("uid")))}
            for column, (t, uid) in _KEYS.items()
        }
        found = {}
        for table in schema.metadata.sorted_tables:
            rows = []
            for row in connection.execute(sa.select(table)).mappings():
                keys = uids if table is not schema.studies else {}  # whose study_id is the attribute
                values = {name: keys[name][value] if name in keys else value for name, value in row.items()}
                if table.name != "search_attributes":
                    values.pop("id", None)
                for name, value in values.items():
                    if isinstance(value, datetime):
                        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
                        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
                        values[name] = None
                rows.append(tuple(values.items()))
            found[table.name] = sorted(rows, key=repr)
    return found


def ordered(new: list[NewInstance]) -> list[NewInstance]:
    """Return instances as both ways take them."""
    return sorted(
        new,
        key=lambda n: (
            n.reading.identity.study_uid,
            n.reading.identity.series_uid,
            n.reading.identity.sop_uid,
        ),
    )


def stored(database: Database, new: list[NewInstance]) -> dict[str, store.Written]:
    """Store instances as one request does."""
    return database.write(lambda connection: store.write(connection, ANYONE, new, keep=_KEEP))


def loaded(database: Database, new: list[NewInstance]) -> list[bulk.Loaded]:
    """Load instances."""
    return list(bulk.load(database, ANYONE, new, keep=_KEEP))


def test_the_rows_are_those_of_a_store(
    two: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 20)
    new = ordered(list(crowd()))
    by_store, by_bulk = two
    stored(by_store, new)
    chunks = loaded(by_bulk, new)
    assert [each.instances for each in chunks] == [27, 27, 9]
    assert not any(each.others for each in chunks)
    wanted = rows_of(by_store)
    assert rows_of(by_bulk) == wanted
    filled = {name for name, rows in wanted.items() if rows}
    assert filled >= {table.name for table in bulk._ORDER}


def test_what_is_there_goes_the_way_of_a_store(two: tuple[Database, Database]) -> None:
    new = ordered(list(crowd()))
    half, changed = new[: len(new) // 2 + 3], [replace(each, sha256="0" * 64) for each in new[:2]]
    by_store, by_bulk = two
    for each in two:
        stored(each, half)
    verdicts = stored(by_store, [*changed, *new[2:]])
    (chunk,) = loaded(by_bulk, [*changed, *new[2:]])
    assert rows_of(by_bulk) == rows_of(by_store)
    assert chunk.others == {uid: each for uid, each in verdicts.items() if each.verdict is not Verdict.NEW}
    assert {each.verdict for each in chunk.others.values()} == {Verdict.ALREADY, Verdict.DUPLICATE}
    assert chunk.instances == len(new) - len(half)


def test_a_uid_in_two_studies_is_stored_once(two: tuple[Database, Database]) -> None:
    first, second = (
        new_instance(builders.part10(builders.dataset(StudyInstanceUID=builders.uid("bulk twice", n))))
        for n in range(2)
    )
    new = ordered([first, second])
    by_store, by_bulk = two
    for each in new:
        stored(by_store, [each])
    (chunk,) = loaded(by_bulk, new)
    assert chunk.instances == 1
    assert [each.verdict for each in chunk.others.values()] == [Verdict.ELSEWHERE]
    assert rows_of(by_bulk) == rows_of(by_store)


def test_loading_again_and_storing_after_it(two: tuple[Database, Database]) -> None:
    """Row ids that a load took are not given to others."""
    new = ordered(list(crowd()))
    _, database = two
    loaded(database, new[:20])
    again = loaded(database, new[:30])
    assert [(each.instances, len(each.others)) for each in again] == [(10, 20)]
    more = new_instance(builders.part10(builders.dataset(StudyInstanceUID=builders.uid("bulk more"))))
    assert [each.verdict for each in stored(database, [more]).values()] == [Verdict.NEW]
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.instances)) == 31


def test_a_store_meanwhile(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that is stored after it was looked for is not lost, nor is what was loaded with it."""
    url = new_database()
    database, other = Database(url, pool=2, timeout=30), Database(url, pool=1, timeout=30)
    new = ordered(list(crowd()))
    real = bulk.copy
    waiting = [new[:1]]

    def copy(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        while waiting:
            stored(other, waiting.pop())
        real(connection, table, rows)

    monkeypatch.setattr(bulk, "copy", copy)
    (chunk,) = loaded(database, new)
    assert chunk.instances == len(new) - 1
    assert [each.verdict for each in chunk.others.values()] == [Verdict.ALREADY]
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.instances)) == len(new)
    database.close()
    other.close()
