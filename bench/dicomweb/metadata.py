"""Metadata of a series of 300 the first time and again, with gzip accepted and without; of one instance."""

from __future__ import annotations

from collections.abc import Iterator

from bench.dicomweb import checks
from bench.dicomweb.client import Request
from bench.dicomweb.identity import Kind, instance_path, series_path, uid
from bench.dicomweb.pixels import NATIVE
from bench.dicomweb.plan import JSON, Plan
from bench.dicomweb.runner import Case, same

_CODINGS = ("gzip", "identity")


def cases(plan: Plan) -> Iterator[Case]:
    """Give the cases; each round of a first time has a series of its own, which nobody has asked for yet."""
    for place, coding in enumerate(_CODINGS):

        def first(turn: int, place: int = place, coding: str = coding) -> list[Request]:
            return [_series(plan, 2 * turn + place, coding)]

        yield Case(f"metadata of 300, first, {coding}", first, whole=True)
    for coding in _CODINGS:
        again = _series(plan, 0, coding)
        for clients in (1, 4):
            yield Case(f"metadata of 300, again, {coding}", same([again]), clients)
    one = [_instance(plan, number) for number in range(1, min(41, plan.slices + 1))]
    yield Case("metadata of one instance", same(one))
    yield Case("metadata of a multi-frame of 200", same([_multi_frame(plan)]))


def _series(plan: Plan, number: int, coding: str) -> Request:
    salt = plan.series_salt(number)
    return Request(
        f"{series_path(Kind.SLICE, 1, 1, salt=salt)}/metadata",
        checks.instances(plan.series_uids(salt)),
        headers={"Accept": JSON, "Accept-Encoding": coding},
    )


def _instance(plan: Plan, number: int) -> Request:
    salt = plan.series_salt(0)
    return Request(
        f"{instance_path(Kind.SLICE, 1, 1, number, salt=salt)}/metadata",
        checks.instances([uid(Kind.SLICE, 1, 1, number, salt=salt)]),
        headers={"Accept": JSON},
    )


def _multi_frame(plan: Plan) -> Request:
    study, salt = plan.multi_frame(NATIVE).study, plan.series_salt(0)
    return Request(
        f"{instance_path(Kind.MULTI_FRAME, study, 1, 1, salt=salt)}/metadata",
        checks.instances([uid(Kind.MULTI_FRAME, study, 1, 1, salt=salt)]),
        headers={"Accept": JSON},
    )
