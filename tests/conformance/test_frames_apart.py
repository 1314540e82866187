"""Frames far apart, in a store where each read is a request: several requests at once, frames in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from archive.bootstrap import Services, build
from archive.model.level import Place
from archive.model.principal import ANYONE
from archive.settings import Settings
from storage.errors import StoreUnavailable
from tests import builders

_FRAMES = 48
_LENGTH = 70_000  # more than is read in vain to join two frames
_PLACE = Place(builders.uid("study", 1), builders.uid("series", 1), builders.uid("instance", 1))


class Requests:
    """An object store whose reads wait for one another: none returns before so many were under way."""

    in_files = False

    def __init__(self, objects: Any, together: int) -> None:
        self._objects = objects
        self._barrier = threading.Barrier(together)
        self._lock = threading.Lock()
        self.reads = 0
        self.broken_from = 10**9

    def read(self, key: str, start: int, length: int) -> bytes:
        with self._lock:
            self.reads += 1
            number = self.reads
        if number >= self.broken_from:
            raise StoreUnavailable("gone")
        self._barrier.wait(10)
        return bytes(self._objects.read(key, start, length))


def fragment(number: int) -> bytes:
    """Return what stands for a frame."""
    return bytes([number]) * _LENGTH


@pytest.fixture
def services(new_sqlite_database: Callable[[], str], tmp_path: Path) -> Iterator[Services]:
    """Give services that have an instance of long frames."""
    made = build(Settings(data=str(tmp_path), database_url=new_sqlite_database()))
    file = builders.encapsulated([fragment(n) for n in range(1, _FRAMES + 1)], NumberOfFrames=_FRAMES)
    with made.store.begin(ANYONE) as session:
        staged = session.stage()
        staged.write(file)
        session.add(staged)
        session.finish()
    yield made
    made.close()


def requests(services: Services, together: int) -> Requests:
    """Put a store in between that only answers so many at once."""
    services.frames.objects = found = Requests(services.objects, together)  # type: ignore[assignment]
    return found


def test_frames_far_apart_are_fetched_at_once_and_come_in_order(services: Services) -> None:
    objects = requests(services, 4)
    numbers = [7, 1, 5, 3, 20, 11, 48, 9]
    frames = list(services.frames.stored(services.frames.find(ANYONE, _PLACE, numbers)))
    assert [each.number for each in frames] == numbers
    assert [b"".join(each.chunks) for each in frames] == [fragment(n) for n in numbers]
    assert objects.reads == len(numbers)


def test_no_more_is_fetched_than_is_soon_used(services: Services) -> None:
    objects = requests(services, 1)
    stored = services.frames.stored(services.frames.find(ANYONE, _PLACE, list(range(1, _FRAMES + 1, 2))))
    assert [each.number for each in islice(stored, 2)] == [1, 3]
    stored.close()  # type: ignore[attr-defined]
    services.executor.shutdown()
    assert objects.reads <= 10


def test_a_store_that_breaks_breaks_the_frame_that_needs_it(services: Services) -> None:
    objects = requests(services, 1)
    objects.broken_from = 4
    stored = services.frames.stored(services.frames.find(ANYONE, _PLACE, [1, 3, 5, 7, 9]))
    with pytest.raises(StoreUnavailable):
        list(stored)
