"""DELETE beside stores, crashes and the worker that removes bytes: what was answered for is never lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource
from archive.index import store as store_index
from archive.index.schema import instances, retired_objects
from archive.index.store_rows import NewInstance
from archive.model.keys import instance_stem
from archive.model.level import Place
from archive.model.principal import ANYONE
from archive.settings import Settings
from storage.errors import StoreUnavailable
from tests import builders
from tests.conformance.archive import Archive
from tests.conformance.deletes import (
    S1,
    S2,
    STUDY,
    A,
    B,
    C,
    delete,
    fill,
    image,
    keys,
    markers,
    path,
    resources,
    value,
)


@pytest.fixture
def hasty(backend: Settings) -> Iterator[Archive]:
    """Give an archive that keeps deleted bytes no longer than it must."""
    made = Archive(replace(backend, keep_deleted_days=0, on_duplicate="replace"))
    yield made
    made.close()


def test_bytes_go_when_their_time_has_come_and_what_lives_stays(backend: Settings, hasty: Archive) -> None:
    kept = Archive(backend)
    fill(kept)
    assert delete(kept, path(S2)) == 204  # kept for 30 days
    assert delete(hasty, path(S1)) == 204
    hasty.stored(image(A))  # again, while the old bytes wait
    hasty.stored(image(A, PatientComments="replaced"))
    live = hasty.instance(STUDY, S1, A)
    with hasty.services.database.read() as connection:
        (key,) = connection.scalars(sa.select(instances.c.object_key).where(instances.c.sop_uid == A))
        row = connection.execute(sa.select(retired_objects)).mappings().first()
    assert row is not None
    wrong = {**row, "object_key": key}  # whatever the reason, a note never costs a live object
    hasty.services.database.write(lambda connection: connection.execute(sa.insert(retired_objects), [wrong]))
    assert hasty.services.housekeeping.remove_retired() == 3
    assert hasty.services.housekeeping.remove_retired() == 0
    assert len(keys(hasty, ".dcm")) == 3  # A, C until its time, and the other study
    assert hasty.instance(STUDY, S1, A) == live
    kept.close()


class Faulty:
    """An object store whose `put` and `delete` do something else first, or after."""

    def __init__(self, objects: Any, **instead: Callable[[str], None]) -> None:
        self._objects = objects
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def put(self, key: str, *more: Any) -> None:
        self._objects.put(key, *more)
        self._instead.get("put", str)(key)

    def delete(self, key: str) -> None:
        self._instead.get("delete", str)(key)
        self._objects.delete(key)


def test_an_object_that_cannot_be_removed_holds_up_no_other(hasty: Archive) -> None:
    fill(hasty)
    assert delete(hasty, path()) == 204
    stuck = next(key for key in keys(hasty, ".dcm") if A in key)

    def refuse(key: str) -> None:
        if key == stuck:
            raise StoreUnavailable("refused")

    housekeeping = hasty.services.housekeeping
    housekeeping.objects = Faulty(housekeeping.objects, delete=refuse)
    with pytest.raises(StoreUnavailable):
        housekeeping.remove_retired()
    assert {key for key in keys(hasty, ".dcm") if STUDY in key} == {stuck}
    housekeeping.objects = hasty.services.objects
    assert housekeeping.remove_retired() == 1


def test_a_crash_after_the_marker_leaves_all_alive(archive: Archive) -> None:
    fill(archive)
    service = archive.services.delete

    def die(_key: str) -> None:
        raise KeyboardInterrupt

    service.objects = Faulty(service.objects, put=die)
    with pytest.raises(KeyboardInterrupt):
        service.delete(ANYONE, Place(STUDY))
    service.objects = archive.services.objects
    assert len(archive.json("/instances")) == 4
    assert all(archive.get(address).status_code == 200 for address in resources(S1, A))
    assert delete(archive, path()) == 204


def test_an_instance_that_comes_between_is_not_left_out(archive: Archive) -> None:
    """What is stored between look and delete makes the delete look again; one marker names all of it."""
    fill(archive)
    service, late = archive.services.delete, builders.uid("late")

    def store_once(_key: str) -> None:
        service.objects = archive.services.objects
        archive.stored(image(late))

    service.objects = Faulty(service.objects, put=store_once)
    assert delete(archive, path()) == 204
    (marker,) = markers(archive)
    assert {key.split("/")[3] for key in marker["keys"]} == {A, B, C, late}
    assert archive.json(f"/studies/{STUDY}/instances") == []


def test_a_delete_that_gives_up_leaves_no_marker(archive: Archive) -> None:
    fill(archive)
    service, number = archive.services.delete, iter(range(100))

    def store_more(_key: str) -> None:
        archive.stored(image(builders.uid("more", next(number))))

    service.objects = Faulty(service.objects, put=store_more)
    answer = archive.request("DELETE", path())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert not markers(archive), "a rebuilt index would lose what lives"
    assert len(archive.json(f"/studies/{STUDY}/instances")) > 3


def test_stores_that_race_deletes_lose_nothing_that_was_answered_for(archive: Archive) -> None:
    """Each answered instance is live or named by one marker, never both; counts fit what is there."""
    stored: list[str] = []
    strange: list[int] = []
    done = threading.Event()

    def send(thread: int) -> None:
        for number in range(12):
            sop = builders.uid("race", thread, number)
            answer = archive.stow(image(sop, (S1, S2)[number % 2]))
            if answer.status_code == 200:
                stored.append(sop)
            elif answer.status_code != 503:
                strange.append(answer.status_code)

    def remove() -> None:
        while not done.is_set():
            for where in (path(S1), path()):
                status = delete(archive, where)
                if status not in {204, 404, 410, 503}:
                    strange.append(status)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(3)]
    remover = threading.Thread(target=remove)
    for each in (*senders, remover):
        each.start()
    for each in senders:
        each.join()
    done.set()
    remover.join()
    assert not strange
    archive.stored(image(builders.uid("last")))
    live = [value(each, "00080018")[0] for each in archive.json(f"/studies/{STUDY}/instances?limit=1000")]
    dead = [key.split("/")[3] for marker in markers(archive) for key in marker["keys"]]
    assert Counter(live + dead) == Counter([*stored, builders.uid("last")])
    (study,) = archive.json("/studies")
    counted = archive.json(f"/studies/{STUDY}/series")
    assert value(study, "00201208") == [len(live)] == [sum(value(each, "00201209")[0] for each in counted)]
    assert value(study, "00201206") == [len(counted)]
    with archive.services.database.read() as connection:
        named = set(connection.scalars(sa.select(instances.c.object_key)))
        retired = set(connection.scalars(sa.select(retired_objects.c.object_key)))
    assert named | retired == keys(archive, ".dcm")
    assert not named & retired


def add_rows(archive: Archive, number: int) -> None:
    """Put instances of one study into the index alone; a delete reads no object."""
    reading = read_instance(BytesSource(image(A)), bulk_threshold=1024, max_inflated=2**20).reading
    uids = [builders.uid("many", n) for n in range(number)]
    rows = [
        NewInstance(
            reading=replace(reading, identity=replace(reading.identity, sop_uid=uid)),
            object_key=f"{instance_stem('default', replace(reading.identity, sop_uid=uid), '0' * 64)}.dcm",
            size=1,
            sha256="0" * 64,
            inflated=False,
            metadata=reading.metadata,
            metadata_apart=False,
            replace=False,
        )
        for uid in uids
    ]
    keep = archive.services.delete.keep
    archive.services.database.write(lambda c: store_index.write(c, ANYONE, rows, keep=keep))


def test_a_study_of_thousands_goes_at_once(archive: Archive) -> None:
    add_rows(archive, 3000)
    assert value(archive.json("/studies")[0], "00201208") == [3000]
    start = datetime.now(UTC)
    assert delete(archive, path(S1, builders.uid("many", 5))) == 204
    assert value(archive.json("/studies")[0], "00201208") == [2999]
    assert delete(archive, path()) == 204
    assert (datetime.now(UTC) - start).total_seconds() < 10, "less than a second on an idle machine"
    assert archive.json("/instances") == []
    assert sorted(len(each["keys"]) for each in markers(archive)) == [1, 2999]
