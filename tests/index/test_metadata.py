"""Kept metadata of more instances than one statement gives: all of them, in order, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from archive.errors import Gone, NotFound
from archive.index.engine import Database
from archive.index.metadata import CHUNK
from archive.model.level import Place
from archive.model.principal import ANYONE, Principal
from archive.services.metadata import MetadataService, as_gzip, as_json, datasets
from storage.open import open_store
from tests.search.corpus import fill, instance

MANY = CHUNK + 3


@pytest.fixture(scope="module", params=["new_sqlite_database", "new_database"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MetadataService]:
    """Give metadata of two series, one of which is longer than a statement's rows."""
    new: Callable[[], str] = request.getfixturevalue(request.param)
    database = Database(new(), pool=2, timeout=10)
    numbers = sorted(range(MANY), key=lambda number: number * 7 % 31)  # not stored in order
    fill(database, [*(instance(1, 2, number) for number in numbers), *(instance(1, 1, n) for n in (2, 1))])
    store = open_store(tmp_path_factory.mktemp("objects").as_uri(), connections=2, timeout=10)
    yield MetadataService(database, store)
    store.close()
    database.close()


def uids(service: MetadataService, place: Place) -> list[str]:
    """Return the SOP Instance UIDs of what is kept at a place, in its order."""
    return [each["00080018"]["Value"][0] for each in datasets(service.at(ANYONE, place), "")]


def test_all_come_in_order_however_many_there_are(service: MetadataService) -> None:
    first, second = ["1.2.1.1.1", "1.2.1.1.2"], [f"1.2.1.2.{number}" for number in range(MANY)]
    assert uids(service, Place("1.2.1", "1.2.1.1")) == first
    assert uids(service, Place("1.2.1", "1.2.1.2")) == second
    assert uids(service, Place("1.2.1")) == first + second
    assert uids(service, Place("1.2.1", "1.2.1.2", "1.2.1.2.5")) == ["1.2.1.2.5"]


def test_a_length_is_told_where_it_is_known_and_is_right(service: MetadataService) -> None:
    few, many = (service.at(ANYONE, Place("1.2.1", series)) for series in ("1.2.1.1", "1.2.1.2"))
    for join in (as_json, as_gzip):
        joined = join(few, "http://archive.example")
        assert joined.length == len(b"".join(joined.chunks))
    assert as_json(many, "").length is None


def test_revisions_are_those_that_are_asked_for_alone(service: MetadataService) -> None:
    for place in (Place("1.2.1"), Place("1.2.1", "1.2.1.1"), Place("1.2.1", "1.2.1.1", "1.2.1.1.1")):
        assert service.at(ANYONE, place).revision == service.revision(ANYONE, place)


def test_what_is_not_there_is_not_found(service: MetadataService) -> None:
    for place in (Place("1.9"), Place("1.2.1", "1.9"), Place("1.2.1", "1.2.1.1", "1.2.1.2.1")):
        with pytest.raises((NotFound, Gone)):
            service.at(ANYONE, place)
    with pytest.raises(NotFound):
        service.at(Principal("someone", "another organisation"), Place("1.2.1"))
