"""Run cases on servers turn and turn about, and keep of each the best of a few rounds.

Servers that are compared meet the same noise of the machine, so a ratio of two rows of one run says more than
either number. Every round is bounded in time and in requests.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.dicomweb.client import Address, Answer, Client, Request
from bench.dicomweb.watch import Watch, alive

MOST = 60.0  # seconds, the bound of a round whatever is asked for
_DYING = 3.0  # seconds that a server which broke a connection has to end, or to show that it lives
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """One server to measure: its processes, and how to start it again where it may die (else None)."""

    name: str
    address: Address
    pids: Callable[[], Sequence[int]] = tuple
    revive: Callable[[], None] | None = None

    def died(self, patience: float) -> bool:
        """Tell whether one of its processes ends within so many seconds: it closes connections before."""
        end = time.monotonic() + patience
        while alive(self.pids()):
            if time.monotonic() >= end:
                return False
            time.sleep(_LOOK)
        return True


@dataclass(frozen=True, slots=True)
class Case:
    """One row: the requests of a round, and how many clients send them.

    `requests` is called with the number of the round. They go round and round for the seconds of a round; if
    not `again`, each is sent at most once; if `whole`, exactly once however long that takes. `units` is how
    many instances a request carries. Rows of several clients, and those `by_rate`, are compared by their
    rates, others by their medians.
    """

    name: str
    requests: Callable[[int], Sequence[Request]]
    clients: int = 1
    units: int = 1
    again: bool = True
    whole: bool = False
    by_rate: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What the row of this case is known by."""
        return self.name, self.clients


@dataclass(slots=True)
class Row:
    """What a round came to; times in seconds, sizes in bytes, rates in requests (or instances) a second.

    Without watched processes `cpu` and the memory are 0. `broken`: some request had no answer at all.
    """

    name: str
    clients: int
    by_rate: bool
    requests: int = 0
    median: float = 0.0
    late: float = 0.0
    rate: float = 0.0
    length: float = 0.0
    throughput: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    rise: int = 0
    shared_peak: int = 0
    bad: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    broken: bool = False
    died: bool = False

    @property
    def speed(self) -> float:
        """What servers are compared by, more is better; 0 where no answer was right."""
        if self.bad == self.requests or not self.median:
            return 0.0
        return self.rate if self.by_rate else 1 / self.median


def same(requests: Sequence[Request]) -> Callable[[int], Sequence[Request]]:
    """Return what gives every round the same requests."""
    return lambda _turn: requests


def run(
    cases: Iterable[Case], servers: Sequence[Server], *, rounds: int, seconds: float
) -> Iterator[tuple[Case, list[Row]]]:
    """Give for each case its best row on each server, in the order of `servers`.

    Wrong answers of all rounds are counted on that row. A server that dies in a case gets no further round of
    it, is started again where that is possible, and goes on with the next case.
    """
    for case in cases:
        best: list[Row | None] = [None] * len(servers)
        for number, (place, server) in itertools.product(range(rounds), enumerate(servers)):
            before = best[place]
            if before is not None and before.died:
                continue
            now = one_round(case, server, case.requests(number), seconds)
            if server.died(_DYING if now.broken else 0.0):
                now.died = True
                if server.revive is not None:
                    server.revive()
            best[place] = now if before is None else better(before, now)
        yield case, [row for row in best if row is not None]


def better(one: Row, other: Row) -> Row:
    """Return the better of two rounds, with what was wrong and the memory of both."""
    chosen = max(one, other, key=lambda row: row.speed)
    chosen.bad = one.bad + other.bad
    chosen.wrong = one.wrong + other.wrong
    chosen.peak, chosen.rise = max(one.peak, other.peak), max(one.rise, other.rise)
    chosen.shared_peak = max(one.shared_peak, other.shared_peak)
    chosen.died = one.died or other.died
    return chosen


def one_round(case: Case, server: Server, requests: Sequence[Request], seconds: float) -> Row:
    """Send the requests of a round from as many threads as there are clients, then check the answers."""
    source = itertools.cycle(requests) if case.again and not case.whole else iter(requests)
    bound = MOST if case.whole else min(seconds, MOST)
    clients = [Client(server.address) for _ in range(case.clients)]
    for client in clients:
        client.open()
    with Watch(server.pids) as watch, ThreadPoolExecutor(case.clients) as pool:
        turn, start = _Turn(source), time.perf_counter()
        try:
            work = [pool.submit(_send, client, turn, start + bound) for client in clients]
            sent = [pair for each in work for pair in each.result()]
        finally:
            turn.end()  # whoever interrupts us need not wait for the rest of the round
        wall = time.perf_counter() - start
    for client in clients:
        client.close()
    row = Row(case.name, case.clients, case.by_rate or case.clients > 1, len(sent))
    row.peak, row.rise, row.shared_peak = watch.peak, watch.rise, watch.shared_peak
    row.wrong = _wrong(sent)
    row.bad = row.wrong.total()
    row.broken = any(answer.failure for _, answer in sent)
    times = sorted(answer.seconds for _, answer in sent)
    row.median, row.late = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.95))]
    row.rate = (len(sent) - row.bad) * case.units / wall
    row.throughput = sum(len(request.body or b"") + answer.length for request, answer in sent) / wall
    row.length = row.throughput * wall / len(sent)
    row.cpu = watch.cpu / len(sent)
    return row


def _wrong(sent: Iterable[tuple[Request, Answer]]) -> Counter[str]:
    """Count what is wrong; an answer that is that of before, byte for byte, is as right as that was."""
    wrong: Counter[str] = Counter()
    right: dict[int, Answer] = {}
    for request, answer in sent:
        before = right.get(id(request))
        if before is not None and before.same(answer):
            continue
        if said := request.wrong(answer):
            wrong[said] += 1
        else:
            right[id(request)] = answer
    return wrong


class _Turn:
    """The requests of a round, handed out one at a time to whichever client is free."""

    def __init__(self, source: Iterator[Request]) -> None:
        self._source = source
        self._lock = threading.Lock()

    def next(self) -> Request | None:
        """Return the next request, None where there is no more."""
        with self._lock:
            return next(self._source, None)

    def end(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._source = iter(())


def _send(client: Client, turn: _Turn, end: float) -> list[tuple[Request, Answer]]:
    """Send what comes next until there is no more, or the time is over; at least one where there is one."""
    sent: list[tuple[Request, Answer]] = []
    while (not sent or time.perf_counter() < end) and (request := turn.next()) is not None:
        sent.append((request, client.send(request)))
    return sent
