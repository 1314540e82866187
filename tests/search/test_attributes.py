"""Attributes of the site's choice: added while instances come in, filled in the background, then used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from archive.errors import Conflict, InvalidRequest, NotFound
from archive.index import schema
from archive.index.engine import Database
from archive.index.search_attributes import SearchAttribute, forget, values_for
from archive.services.search import AttributesService
from tests.search.corpus import dataset, element, fill, find, instance, uids


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Give an empty index."""
    database = Database(database_url, pool=2, timeout=10)
    yield database
    database.close()


def no_object(key: str) -> bytes:
    """Fail: the metadata of these tests is in the index."""
    raise AssertionError(key)


def test_life_of_an_attribute(database: Database) -> None:
    service = AttributesService(database, no_object)
    fill(database, [instance(n, SliceThickness=n) for n in range(1, 6)])
    added = service.add("SliceThickness")
    assert (added.path, added.vr, added.ready) == (("00180050",), "DS", False)
    fill(database, [instance(9, SliceThickness=9)])  # while it is not ready
    asked = [("SliceThickness", "3,9.0"), ("multiplevaluematching", "true")]
    assert uids(find(database, *asked, scan_limit=6)) == ["3", "9"]
    assert service.fill()
    assert service.fill()
    assert not service.fill()
    assert [each.ready for each in service.list()] == [True]
    # No more reading: the limit on that does not matter now.
    assert uids(find(database, *asked, scan_limit=1)) == ["3", "9"]
    with pytest.raises(Conflict):
        service.add("00180050")
    service.remove("SliceThickness")
    assert service.list() == ()
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.search_values)) == 0
    with pytest.raises(NotFound):
        service.remove("SliceThickness")
    with pytest.raises(InvalidRequest):
        find(database, *asked, scan_limit=1)


def test_an_instance_that_is_replaced_is_forgotten(database: Database) -> None:
    service = AttributesService(database, no_object)
    service.add("SliceThickness")
    while service.fill():
        pass
    fill(database, [instance(1, SliceThickness=1)])
    with database.read() as connection:
        row = connection.execute(sa.select(schema.search_values)).one()
    assert row.value == "1"
    database.write(lambda connection: forget(connection, row.instance_id))
    assert uids(find(database, ("SliceThickness", "1"))) == []


@pytest.mark.parametrize(
    "name", ["Nonsense", "PatientID", "PixelData", "ProcedureCodeSequence", "PatientName.x"]
)
def test_what_cannot_or_need_not_be_indexed(database: Database, name: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        AttributesService(database, no_object).add(name)
    assert error.value.where == "attribute"


def test_values() -> None:
    each = dataset(
        {
            "OperatorsName": ["Müller^Eva=山田", "B"],
            "SliceThickness": "",
            "AcquisitionDate": "1993.08.22",
            "RequestAttributesSequence": [{"AccessionNumber": "A"}, {}, {"AccessionNumber": "B"}],
        }
    ) | dict([element("00091001", " Text ")])
    paths = {
        ("00081070",): ("PN", ["Amüller^eva", "I山田", "W muller eva 山田", "Ab", "W b"]),
        ("00180050",): ("DS", []),
        ("00080022",): ("DA", ["19930822"]),
        ("00400275", "00080050"): ("SH", ["A", "B"]),
        ("00091001",): ("UN", ["Text"]),
        ("00091002",): ("UN", []),
    }
    for path, (vr, expected) in paths.items():
        found = values_for([SearchAttribute(7, path, vr, ready=True)], each)
        assert found == [(7, position, value) for position, value in enumerate(expected)]
