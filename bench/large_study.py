"""One study of many instances: in, found, out, and away while others ask and store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pydicom

from bench.instances import STOW, multipart
from bench.watched import Cost, Costs, Watched, ask
from tests import builders

_FILE = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
_A_REQUEST = 200
_SERIES = 4
_BASE = 10**30  # UIDs and numbers have one length each, so that a slice is made by replacing bytes
_NUMBER = 700_000
_GZIP = {"Accept-Encoding": "gzip"}
_ZIP = {"Accept": "application/zip"}
_STORED = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


class Slices:
    """CT slices with the header of a real one and 16 x 16 pixels, all of one study."""

    def __init__(self, study: int) -> None:
        """Make what the slices of the study with this number have in common."""
        self.study_uid = _uid(1, study)
        self._study = study
        ds = pydicom.dcmread(_FILE)
        ds.Rows = ds.Columns = 16
        ds.PixelData = bytes(512)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = self.study_uid, _uid(2, 0), _uid(3, 0)
        ds.InstanceNumber = _NUMBER
        ds.AccessionNumber = f"LARGE{study}"
        self._bytes = builders.part10(ds)

    def series_uid(self, series: int) -> str:
        """Return the UID of one of the series."""
        return _uid(2, self._study * 100 + series)

    def sop_uid(self, number: int) -> str:
        """Return the UID of a slice."""
        return _uid(3, self._study * 10**7 + number)

    def slice(self, number: int, series: int = 0) -> bytes:
        """Return the bytes of a slice."""
        made = self._bytes.replace(_uid(2, 0).encode(), self.series_uid(series).encode())
        made = made.replace(_uid(3, 0).encode(), self.sop_uid(number).encode())
        return made.replace(str(_NUMBER).encode(), str(_NUMBER + number).encode())


def _uid(kind: int, number: int) -> str:
    return f"2.25.{kind}{_BASE + number}"


def study_costs(watched: Watched, count: int, *, whole: bool = True) -> Costs:
    """Return what each transaction took of a study of so many instances; it is deleted at the end.

    Not `whole`: the bytes of one series of four are retrieved, in place of all.
    """
    slices = Slices(count)
    study = f"/studies/{slices.study_uid}"
    series = f"{study}/series/{slices.series_uid(0)}"
    warm = Slices(count + 1)
    watched.send("POST", "/studies", multipart([warm.slice(n) for n in range(_A_REQUEST)]), STOW)
    stored = watched.cost(lambda: _store(watched, slices, count))
    costs: Costs = {f"STOW, {_A_REQUEST} a request": stored}
    costs["metadata, gzip"] = watched.get(f"{study}/metadata", _GZIP)
    costs["metadata, identity"] = watched.get(f"{study}/metadata")
    costs["metadata of the last instance"] = watched.get(
        f"{study}/series/{slices.series_uid(_SERIES - 1)}/instances/{slices.sop_uid(count - 1)}/metadata",
        best_of=5,
    )
    costs["its series"] = watched.get(f"{study}/series", best_of=3)
    costs["its row in a search"] = watched.get(
        f"/studies?StudyInstanceUID={slices.study_uid}&includefield=00201208", best_of=3
    )
    costs["instances, as many as one answer has"] = watched.get(f"{study}/instances", best_of=2)
    costs["first 100 instances of a series"] = watched.get(f"{series}/instances?limit=100", best_of=3)
    last = f"{series}/instances?limit=100&offset={max(count // _SERIES - 100, 0)}"
    costs["last 100 instances of a series"] = watched.get(last, best_of=3)
    what, where = ("", study) if whole else (" of one series of four", series)
    costs[f"retrieve{what}, as stored"] = watched.get(where, _STORED)
    costs[f"zip{what}"] = watched.get(where, _ZIP)
    costs[f"all pixels{what}"] = watched.get(f"{where}/pixeldata")
    one = f"{series}/instances/{slices.sop_uid(count // 2 // _SERIES * _SERIES)}"
    costs["delete of one instance"] = watched.send("DELETE", one)
    costs["delete"] = watched.cost(lambda: _delete(watched, study, warm))
    return costs


def _store(watched: Watched, slices: Slices, count: int) -> None:
    for first in range(0, count, _A_REQUEST):
        some = (slices.slice(n, n % _SERIES) for n in range(first, min(first + _A_REQUEST, count)))
        ask(watched.filmroom, "POST", "/studies", STOW, multipart(some))


def _delete(watched: Watched, study: str, other: Slices) -> Cost:
    """Delete a study while one client reads and another stores into another study."""
    done = threading.Event()
    reads, stores = _Others(_reads(watched, other), done), _Others(_stores(watched, other), done)
    for each in (reads, stores):
        each.start()
    time.sleep(0.2)
    start = time.perf_counter()
    try:
        ask(watched.filmroom, "DELETE", study)
    finally:
        seconds = time.perf_counter() - start
        done.set()
        for each in (reads, stores):
            each.join()
    return Cost(seconds, note=f"meanwhile {reads.slowest('searches')}, {stores.slowest('stores')}")


class _Others(threading.Thread):
    """A client that asks one thing after the other, and remembers how long each took."""

    def __init__(self, requests: Iterator[Callable[[], object]], done: threading.Event) -> None:
        super().__init__()
        self._requests, self._done = requests, done
        self._times: list[float] = []

    def run(self) -> None:
        while not self._done.is_set():
            start = time.perf_counter()
            next(self._requests)()
            self._times.append(time.perf_counter() - start)

    def slowest(self, what: str) -> str:
        """Say how many were answered, and after how long the slowest was."""
        return f"{len(self._times)} {what}, slowest {max(self._times) * 1000:.0f} ms"


def _reads(watched: Watched, other: Slices) -> Iterator[Callable[[], object]]:
    while True:
        yield lambda: ask(watched.filmroom, "GET", f"/studies?StudyInstanceUID={other.study_uid}")


def _stores(watched: Watched, other: Slices) -> Iterator[Callable[[], object]]:
    number = _A_REQUEST
    while True:
        number += 1
        body = list(multipart([other.slice(number)]))
        yield partial(ask, watched.filmroom, "POST", "/studies", STOW, body)
