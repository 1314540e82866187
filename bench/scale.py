"""Measure an index of any size on PostgreSQL: `make scale ARGS='--studies 1000000 --instances 5000000'`.

Loads the crowd by the index's bulk path, starts a real server over it, and prints what its searches take with
eight clients, their plans, the first stores, and the bytes of the index. Several sizes, one after the other,
make the table of growth: `--studies 10000 100000 --instances 200000 2000000`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import psutil
import sqlalchemy as sa

from archive.index import migrate
from archive.index.engine import Database
from bench import scale_plans, scale_sizes
from bench.crowd_instances import fill
from bench.dicomweb.client import Client
from bench.dicomweb.runner import Case, Row, one_round
from bench.dicomweb.runner import Server as Running
from bench.dicomweb.watch import tree
from bench.scale_questions import Questions
from bench.scale_report import GOAL, Measured, Timed, growth, report
from bench.scale_stores import stores
from bench.server import Server
from tests.services.postgresql import PostgreSQL

_SETTINGS = (
    "shared_buffers=2GB",
    "effective_cache_size=8GB",
    "max_wal_size=8GB",
    "maintenance_work_mem=256MB",
)
WORKERS = 2
_FEW = 5_000  # studies that one process loads
_PATIENCE = 3600  # seconds for a statement of the load


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every size and print; return 1 where an answer was wrong or a table is read from end to end."""
    asked = _parser().parse_args(arguments)
    found: list[Measured] = []
    with _folder(asked.folder) as folder:
        cluster = PostgreSQL(folder / "postgresql", durable=True, settings=_SETTINGS)
        try:
            cluster.start()
            for studies, instances in zip(asked.studies, asked.instances, strict=True):
                with index(cluster, studies, instances, keep=asked.folder is not None) as (url, size):
                    measure(cluster, url, size, seconds=asked.seconds)
                print(report(size), flush=True)
                found.append(size)
        finally:
            cluster.stop()
    if asked.save is not None:
        asked.save.write_text(json.dumps([asdict(each) for each in found], indent=1))
    if len(found) > 1:
        print(growth(found))
    return int(any(each.failed for each in found))


def measure(cluster: PostgreSQL, url: str, size: Measured, *, seconds: float) -> None:
    """Find out everything about an index, `seconds` for each kind of request."""
    with _serving(url) as server:
        watched = [*server.pids(), *cluster.pids()]
        unwatched = replace(server, pids=tuple)
        for case in Questions(size.studies, server.address).cases():
            cold = one_round(case, unwatched, case.requests(0), seconds)
            processes = tree(watched)
            before = _cpu(processes)
            warm = one_round(case, unwatched, case.requests(1), seconds)
            cpu = (_cpu(processes) - before) / warm.requests
            size.questions.append(_timed(case.name, cold, warm, cpu))
            _say(
                f"{case.name}: {warm.median * 1000:.1f} / {warm.late * 1000:.1f} ms {cold.wrong | warm.wrong}"
            )
        client = Client(server.address)
        size.stores = list(stores(client))
        client.close()
    _plans(cluster, url, size)
    database = Database(url, pool=1, timeout=_PATIENCE)
    size.sizes = list(scale_sizes.sizes(database))
    database.close()


def _timed(name: str, cold: Row, warm: Row, cpu: float) -> Timed:
    return Timed(
        name,
        warm.median * 1000,
        warm.late * 1000,
        warm.rate,
        cpu * 1000,
        cold.bad + warm.bad,
        ", ".join(cold.wrong | warm.wrong),
        None if "metadata" in name else GOAL,
    )


def _cpu(processes: Iterable[psutil.Process]) -> float:
    """Return the seconds of processor time that processes have had."""
    return sum(sum(each.cpu_times()[:2]) for each in processes if each.is_running())


def _plans(cluster: PostgreSQL, url: str, size: Measured) -> None:
    """Ask each question once more of a server whose statements are explained."""
    name = url.rpartition("/")[2]
    database = Database(url, pool=1, timeout=_PATIENCE)
    large = scale_plans.large_tables(scale_sizes.rows(database))
    database.close()
    scale_plans.switch_on(cluster.execute, name)
    try:
        with _serving(url) as server:
            for case in Questions(size.studies, server.address).cases():
                log = scale_plans.Log(cluster.folder / "log")
                _once(case, server)
                plans = log.plans()
                size.plans[case.name] = [line for plan in plans for line in plan.lines()]
                size.pages[case.name] = sum(plan.pages for plan in plans)
                size.sequential += [
                    f"{table} for {case.name}" for plan in plans for table in plan.sequential(large)
                ]
    finally:
        scale_plans.switch_off(cluster.execute, name)


def _once(case: Case, server: Running) -> None:
    client = Client(server.address)
    request = case.requests(2)[0]
    wrong = request.wrong(client.send(request))
    client.close()
    if wrong:
        raise RuntimeError(f"{case.name}: {wrong}")


@contextmanager
def _serving(url: str) -> Iterator[Running]:
    with Server(workers=WORKERS, database_url=url) as server:
        yield server.measured("Filmroom")


@contextmanager
def index(cluster: PostgreSQL, studies: int, instances: int, *, keep: bool) -> Iterator[tuple[str, Measured]]:
    """Give the URL of an index of a size, loaded first unless it was kept."""
    name = f"scale_{studies}_{instances}"
    url, size = cluster.url(name), Measured(studies, instances)
    there = cluster.exists(name)
    if not there:
        cluster.execute(f"CREATE DATABASE {name}")
        migrate.upgrade(url)
    database = Database(url, pool=1, timeout=_PATIENCE)
    try:
        if not there:
            started = time.perf_counter()
            size.instances = _load(url, studies, instances)
            size.load_seconds = time.perf_counter() - started
            _say(f"{size.instances:,} instances in {size.load_seconds:,.0f} s")
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("VACUUM ANALYZE"))
        size.instances = scale_sizes.rows(database)["instances"]
        yield url, size
    finally:
        database.close()
        if not keep:
            cluster.drop(url)


def _load(url: str, studies: int, instances: int) -> int:
    """Load from as many processes as there are cores, each its own years; return the number of instances."""
    if studies < _FEW:
        return _load_part(url, studies, instances, range(studies))
    cores = os.cpu_count() or 1
    cuts = [studies * n // cores for n in range(cores + 1)]
    parts = [range(*pair) for pair in pairwise(cuts)]
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return sum(pool.starmap(_load_part, [(url, studies, instances, part) for part in parts]))


def _load_part(url: str, studies: int, instances: int, part: range) -> int:
    database = Database(url, pool=1, timeout=_PATIENCE)
    try:
        return fill(database, studies, instances, part)
    finally:
        database.close()


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="filmroom-scale-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as somebody else
        yield Path(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    parser.add_argument("--studies", type=int, nargs="+", default=[100_000], help="of each size")
    parser.add_argument("--instances", type=int, nargs="+", default=[2_000_000], help="of each size, about")
    parser.add_argument("--seconds", type=float, default=4, help="of each of two rounds of a question")
    parser.add_argument(
        "--folder", type=Path, help="keep the cluster here, and use the indexes that it holds"
    )
    parser.add_argument("--save", type=Path, help="write what was found to a file, as JSON")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
