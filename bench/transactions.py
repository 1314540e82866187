"""Every DICOMweb transaction on a Filmroom with its default settings: what `make bench-orthanc` compares."""

from __future__ import annotations

from collections.abc import Iterator

from bench.dicomweb import report
from bench.dicomweb.load import load, warm
from bench.dicomweb.plan import Plan
from bench.dicomweb.runner import run
from bench.dicomweb.suite import cases
from bench.server import Server
from bench.table import Row

_ROUNDS, _SECONDS = 2, 0.12


def rows() -> Iterator[Row]:
    """Measure all cases: p50 / p95, rate, CPU of a request, peak memory (shared pages once)."""
    plan = Plan(rounds=_ROUNDS)
    with Server(workers=0, embedded_worker="auto") as server:
        measured = server.measured("Filmroom")
        load(plan, measured)
        warm(plan, measured)
        for case, (row,) in run(cases(plan), [measured], rounds=_ROUNDS, seconds=_SECONDS):
            clients = f", {case.clients} clients" if case.clients > 1 else ""
            yield Row(f"{case.name}{clients}", report.whole(row))
