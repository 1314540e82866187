"""STOW-RS: 1, 10 and 100 slices a request from one and four clients, and one multi-frame of 105 MB."""

from __future__ import annotations

from collections.abc import Iterator

from bench.dicomweb.client import Request
from bench.dicomweb.identity import salted
from bench.dicomweb.objects import ct_slice
from bench.dicomweb.pixels import NATIVE
from bench.dicomweb.plan import Plan, store_request
from bench.dicomweb.runner import Case

# slices a request, clients, requests of a round
_BATCHES = ((1, 1, 100), (1, 4, 200), (10, 1, 15), (10, 4, 24), (100, 1, 3), (100, 4, 8))


def cases(plan: Plan) -> Iterator[Case]:
    """Give the cases; every round stores instances that are not there yet."""
    for number, (batch, clients, count) in enumerate(_BATCHES):

        def requests(
            turn: int, number: int = number, batch: int = batch, count: int = count
        ) -> list[Request]:
            files = _new(plan, number, turn, batch * count)
            return [store_request(files[i : i + batch]) for i in range(0, len(files), batch)]

        yield Case(f"store {batch} a request", requests, clients, units=batch, whole=True, by_rate=True)
    yield Case("store a multi-frame of 105 MB", lambda turn: [_big(plan, turn)], whole=True)


def _new(plan: Plan, case: int, turn: int, count: int) -> list[bytes]:
    """Return so many slices: one series after another where there are more than a series has."""
    return [
        salted(ct_slice(i % plan.slices + 1), plan.store_salt(case, turn * 3 + i // plan.slices))
        for i in range(count)
    ]


def _big(plan: Plan, turn: int) -> Request:
    return store_request([salted(plan.multi_frame(NATIVE).file, plan.store_salt(len(_BATCHES), turn))])
