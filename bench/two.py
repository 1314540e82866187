"""Two servers over one PostgreSQL and one bucket: what a second one brings, and that nothing is lost.

One server and its clients are held to one core, and so are PostgreSQL and the bucket while it is alone; the
second one and its clients have the other core. So each server has an equal share of the processor, and the
two should do near twice as much, less what they wait for each other. On a machine that others use as well,
the processor time of a request says more: where it stays, twice the processor is twice the rate. `python -m
bench two`, two minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from archive.settings import Settings
from bench.dicomweb.client import Address, Client
from bench.dicomweb.watch import Watch, tree
from bench.large_study import Slices
from bench.table import Row
from bench.two_work import (
    A_REQUEST,
    MOVES_BYTES,
    SLICES,
    STUDY,
    WORK,
    drive,
    found,
    mixed,
    send,
    store,
    stored_bytes,
)
from tests.services.filmroom import Filmroom
from tests.services.postgresql import PostgreSQL
from tests.services.s3 import S3

_CORES = (0, 1)
_CLIENTS = 2  # of each server
_ROUNDS = 2

Pids = Callable[[], list[int]]


class Two:
    """Both servers and what they share. `pids` of the shared ones are apart from those of the servers."""

    def __init__(self, servers: Sequence[Filmroom], shared: Pids) -> None:
        self.servers = servers
        self.shared = shared
        self.slices = Slices(STUDY)

    def cores(self, *, alone: bool) -> None:
        """Give each server its core, and what they share the first one, or both."""
        for server, core in zip(self.servers, _CORES, strict=True):
            _pin([server.process.pid or 0], {core})
        _pin(self.shared(), {_CORES[0]} if alone else set(_CORES))


def rows() -> Iterator[Row]:
    """Measure one and two on a bucket, mix everything and count; then what asks most of it on a folder.

    The S3 server of the tests answers one request after the other, whoever asks.
    """
    with _two(bucket=True) as two:
        _fill(two)
        for name in WORK:
            yield _compared(two, name, "bucket")
        yield _nothing_lost(two)
    with _two(bucket=False) as two:
        _fill(two)
        for name in MOVES_BYTES:
            yield _compared(two, name, "folder")


def _compared(two: Two, name: str, where: str) -> Row:
    best = {1: (0.0, 0.0, 0.0), 2: (0.0, 0.0, 0.0)}
    for turn in range(_ROUNDS):
        best = {number: max(was, _round(two, name, number, turn)) for number, was in best.items()}
    return _row(f"{name}, one {where}", best)


def _row(name: str, best: dict[int, tuple[float, float, float]]) -> Row:
    parts = []
    for number, (rate, own, shared) in best.items():
        who = "one" if number == 1 else "two"
        parts.append(f"{who} {rate:.0f} a second ({own * 1000:.1f} + {shared * 1000:.1f} ms CPU a request)")
    (one, *cpu_one), (two, *cpu_two) = best.values()
    by_cpu = 2 * sum(cpu_one) / sum(cpu_two)  # what is left of twice where a request costs more with two
    return Row(
        f"{name}, {_CLIENTS} clients a server",
        f"{', '.join(parts)}: {two / one:.2f}x, by processor time {by_cpu:.2f}x",
        "near 2x",
    )


@contextmanager
def _two(*, bucket: bool) -> Iterator[Two]:
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="filmroom-two-")))
        postgresql, s3 = PostgreSQL(durable=True), S3()
        stack.callback(postgresql.stop)
        postgresql.start()
        database_url, storage_url = postgresql.new_database(), f"file://{place / 'objects'}"
        if bucket:
            stack.callback(s3.stop)
            storage_url = s3.start().new_url()
        servers = []
        for name in ("one", "two"):
            folder = place / name
            folder.mkdir()
            settings = Settings(
                data=str(folder), database_url=database_url, storage_url=storage_url, embedded_worker="no"
            )
            servers.append(stack.enter_context(Filmroom(settings, folder, workers=1)))
        yield Two(servers, lambda: [*postgresql.pids(), *s3.pids()])


def _fill(two: Two) -> None:
    client = Client(Address.parse(two.servers[0].url))
    for first in range(0, SLICES, A_REQUEST):
        send(client, store(two.slices, range(first, first + A_REQUEST)))
    for server in two.servers:
        warm = Client(Address.parse(server.url))
        for work in WORK.values():
            for request in work(two.slices, 99, 0):
                send(warm, request)
                break
        warm.close()
    client.close()


def _round(two: Two, name: str, number: int, turn: int) -> tuple[float, float, float]:
    """Return requests a second, and CPU seconds of servers and of what they share for a request."""
    two.cores(alone=number == 1)
    servers = two.servers[:number]
    jobs = [
        (Address.parse(server.url), name, core, 100 * turn + 10 * number + _CLIENTS * core + client, turn)
        for server, core in zip(servers, _CORES, strict=False)
        for client in range(_CLIENTS)
    ]
    pids = [server.process.pid or 0 for server in servers]
    with (
        multiprocessing.get_context("spawn").Pool(len(jobs)) as pool,
        Watch(lambda: pids) as own,
        Watch(two.shared) as shared,
    ):
        pool.map(_ready, range(len(jobs)), chunksize=1)
        sent = pool.starmap(drive, jobs, chunksize=1)
    count = sum(each for each, _ in sent)
    return sum(each / seconds for each, seconds in sent), own.cpu / count, shared.cpu / count


def _ready(_number: int) -> None:
    """Let a process come up before the clock of any runs."""
    time.sleep(0.2)


def _nothing_lost(two: Two) -> Row:
    """Store through both and read through the other meanwhile; at the end count, and compare every byte."""
    two.cores(alone=False)
    with multiprocessing.get_context("spawn").Pool(2 * _CLIENTS) as pool:
        jobs = [([each.url for each in two.servers], number) for number in range(2 * _CLIENTS)]
        acknowledged = [pair for kept in pool.starmap(mixed, jobs, chunksize=1) for pair in kept]
    lost = twice = 0
    for server in two.servers:
        client = Client(Address.parse(server.url))
        by_study: dict[int, list[int]] = {}
        for study, number in acknowledged:
            by_study.setdefault(study, []).append(number)
        for study, numbers in by_study.items():
            slices = Slices(study)
            there = Counter(found(client, slices))
            lost += sum(slices.sop_uid(number) not in there for number in numbers)
            twice += sum(each > 1 for each in there.values()) + (len(there) != len(numbers))
            lost += sum(stored_bytes(client, slices, number) != slices.slice(number) for number in numbers)
        client.close()
    return Row(
        f"stored through both by {2 * _CLIENTS} clients, read through the other meanwhile, then from both",
        f"{len(acknowledged)} instances acknowledged, {lost} lost, {twice} twice",
        "0 lost",
    )


def _pin(roots: Sequence[int], cores: set[int]) -> None:
    """Hold all threads of processes and of their children to some cores; new ones inherit that."""
    for process in tree(roots):
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            _pin_one(int(task.name), cores)


def _pin_one(task: int, cores: set[int]) -> None:
    try:
        os.sched_setaffinity(task, cores)
    except ProcessLookupError:
        return  # it has ended meanwhile
