"""One request after the other to a live Filmroom: seconds, first byte, processor time, memory above idle."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.dicomweb.watch import Watch
from tests.services.filmroom import Filmroom
from tests.services.process import LOOPBACK

MIB = 2**20
_READ = 2**18
_PATIENCE = 900.0
_FINE = frozenset((200, 204))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work took. `first` is until the first byte of the answer, `length` that of the body."""

    seconds: float
    first: float = 0.0
    cpu: float = 0.0  # seconds of all processes of the server
    rise: int = 0  # bytes above what was resident before it
    length: int = 0
    note: str = ""


Costs = dict[str, Cost]


class Watched:
    """A server and its processes; `idle` and `peak` are resident bytes: at the beginning, and at most."""

    def __init__(self, filmroom: Filmroom) -> None:
        """Watch a server that runs, and has done nothing yet."""
        self.filmroom = filmroom
        with Watch(self._pids) as watch:
            self.idle = self.peak = watch.peak

    def cost(self, work: Callable[[], Cost | None]) -> Cost:
        """Do some work and return what it took, together with what the work says of itself."""
        with Watch(self._pids) as watch:
            start = time.perf_counter()
            own = work()
            seconds = time.perf_counter() - start
        self.peak = max(self.peak, watch.peak)
        own = own or Cost(seconds)
        return Cost(seconds, own.first, watch.cpu, watch.rise, own.length, own.note)

    def get(self, path: str, headers: Mapping[str, str] | None = None, *, best_of: int = 1) -> Cost:
        """Return what a GET took that must be answered 200; the quickest of some."""
        costs = [self.cost(lambda: ask(self.filmroom, "GET", path, headers)) for _ in range(best_of)]
        return min(costs, key=lambda cost: cost.seconds)

    def send(
        self,
        method: str,
        path: str,
        body: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Cost:
        """Return what another request took."""
        return self.cost(lambda: ask(self.filmroom, method, path, headers, body))

    def _pids(self) -> list[int]:
        return [self.filmroom.process.pid] if self.filmroom.process.pid else []


def ask(
    filmroom: Filmroom,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: Iterable[bytes] | None = None,
) -> Cost:
    """Send a request below the DICOMweb root, read its answer and drop it; raise RuntimeError for failure."""
    connection = http.client.HTTPConnection(LOOPBACK, filmroom.port, timeout=_PATIENCE)
    start = time.perf_counter()
    try:
        connection.request(
            method,
            f"/dicom-web{path}",
            body=body,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            encode_chunked=body is not None,
        )
        answer = connection.getresponse()
        first, length = 0.0, 0
        while block := answer.read1(_READ):
            if answer.status not in _FINE:
                raise RuntimeError(f"{method} {path}: {answer.status} {block[:300]!r}")
            first = first or time.perf_counter() - start
            length += len(block)
        if answer.status not in _FINE:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return Cost(time.perf_counter() - start, first, length=length, note=answer.getheader("Warning") or "")
    finally:
        connection.close()


def compared(costs: Sequence[Cost]) -> str:
    """Return the costs at each size, in a line."""
    parts = [" / ".join(_time(cost.seconds) for cost in costs)]
    if any(cost.first > 0.0005 and cost.first < cost.seconds / 2 for cost in costs):
        parts.append("first byte " + " / ".join(_time(cost.first) for cost in costs))
    parts.append("CPU " + " / ".join(_time(cost.cpu) for cost in costs))
    if any(cost.length for cost in costs):
        parts.append(" / ".join(_size(cost.length) for cost in costs))
    parts.append("memory " + " / ".join(f"+{cost.rise / MIB:.0f}" for cost in costs) + " MiB")
    parts += dict.fromkeys(cost.note for cost in costs if cost.note)
    return ", ".join(parts)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 2 else f"{seconds * 1000:.{int(seconds < 0.02)}f} ms"


def _size(length: int) -> str:
    return f"{length / MIB:.1f} MiB" if length >= MIB else f"{length / 1024:.1f} KiB"
