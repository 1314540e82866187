"""An object store that fails in the middle of stores and of the work behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from archive.errors import Unavailable
from archive.jobs.worker import work_once
from archive.settings import Settings
from storage.errors import StorageError, StoreFull, StoreUnavailable
from tests import builders
from tests.conformance.archive import Archive
from tests.conformance.faults import Faulty

STUDY, SERIES, SOP = builders.uid("study", 1), builders.uid("series", 1), builders.uid("instance", 1)


@pytest.fixture
def replacing(backend: Settings) -> Iterator[Archive]:
    """Give an archive that replaces instances."""
    made = Archive(
        Settings(
            data=backend.data,
            database_url=backend.database_url,
            storage_url=backend.storage_url,
            on_duplicate="replace",
            keep_deleted_days=0,
        )
    )
    yield made
    made.close()


def keys(archive: Archive, end: str = "") -> list[str]:
    return [each.key for each in archive.services.objects.list() if each.key.endswith(end)]


def test_a_store_that_does_not_answer_is_not_asked_again_for_every_object(archive: Archive) -> None:
    """A silent store costs its whole timeout each time: the request must end."""
    deletes: list[str] = []

    def refuse(*_: object) -> None:
        raise StoreUnavailable("does not answer")

    def count(key: str) -> None:
        deletes.append(key)
        refuse()

    store = archive.services.store
    store.objects = Faulty(store.objects, put=refuse, delete=count)
    files = [builders.instance(SOPInstanceUID=builders.uid("silent", n)) for n in range(20)]
    answer = archive.stow(*files)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert len(deletes) <= 1
    assert archive.json("/studies") == []


def test_an_instance_that_finds_no_room_leaves_nothing_behind(archive: Archive) -> None:
    """Its derived objects may be large, and the disk is full."""
    store, real = archive.services.store, archive.services.objects
    full = builders.instance(syntax=builders.DEFLATED, SOPInstanceUID=builders.uid("full"))

    def put(key: str, *rest: object) -> None:
        if key.endswith(".dcm") and builders.uid("full") in key:
            raise StoreFull("no space left")
        real.put(key, *rest)

    store.objects = Faulty(real, put=put)
    answer = archive.stow(full, builders.instance())
    assert answer.status_code == 202
    assert json.loads(answer.data)["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]
    assert all(builders.uid("full") not in key for key in keys(archive))


def test_a_replacement_is_a_success_and_its_marker_is_made_up_for(replacing: Archive) -> None:
    """The rows say what was replaced, so that the worker marks it; its bytes do not go before that."""
    store, real = replacing.services.store, replacing.services.objects
    replacing.stored(builders.instance())

    def put(key: str, *rest: object) -> None:
        if key.endswith(".replaced"):
            raise StoreUnavailable("does not answer")
        real.put(key, *rest)

    store.objects = Faulty(real, put=put)
    new = builders.instance(ImageComments="mended")
    assert replacing.stow(new).status_code == 200
    assert replacing.instance(STUDY, SERIES, SOP) == new
    assert len(keys(replacing, ".dcm")) == 2
    assert keys(replacing, ".replaced") == []
    work_once(replacing.services)
    (marker,) = keys(replacing, ".replaced")
    content = json.loads(real.read(marker))
    (live,) = keys(replacing, ".dcm")  # the old bytes went, once they were marked
    assert content["by"] == live
    assert len(content["keys"]) == 1
    work_once(replacing.services)
    assert keys(replacing, ".replaced") == [marker], "marked once"


def test_an_object_that_cannot_be_removed_stops_no_other_work(replacing: Archive) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("held")

    replacing.stored(builders.instance())
    assert replacing.request("DELETE", f"/studies/{STUDY}").status_code == 204
    replacing.stored(builders.instance())
    attributes = replacing.services.search.attributes
    attributes.add("ImageComments")
    housekeeping = replacing.services.housekeeping
    housekeeping.objects = Faulty(housekeeping.objects, delete=refuse)
    for _ in range(3):
        with pytest.raises((StorageError, Unavailable)):
            work_once(replacing.services)
    assert [each.ready for each in attributes.list()] == [True]
