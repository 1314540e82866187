"""WADO-RS of whole instances and of a whole series, as stored."""

from __future__ import annotations

from collections.abc import Iterator

from bench.dicomweb import checks
from bench.dicomweb.client import Request
from bench.dicomweb.identity import Kind, instance_path, salted, series_path
from bench.dicomweb.objects import ct_slice
from bench.dicomweb.plan import Plan
from bench.dicomweb.runner import Case, same

_ACCEPT = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
_LIGHT = 50  # of so many answers of 159 MB one is kept and compared; of the others the length has to do


def cases(plan: Plan) -> Iterator[Case]:
    """Give the cases."""
    ones = [_instance(plan, number) for number in range(1, plan.slices + 1)]
    for clients in (1, 4):
        yield Case("retrieve an instance of 0.53 MB", same(ones), clients)
    many = _series(plan)
    for clients in (1, 2):
        yield Case("retrieve a series of 300, 159 MB", same(many), clients)


def _instance(plan: Plan, number: int) -> Request:
    salt = plan.series_salt(0)
    return Request(
        instance_path(Kind.SLICE, 1, 1, number, salt=salt),
        checks.files(lambda: [salted(ct_slice(number), salt)]),
        headers=_ACCEPT,
    )


def _series(plan: Plan) -> list[Request]:
    salt = plan.series_salt(0)
    path = series_path(Kind.SLICE, 1, 1, salt=salt)
    least = sum(len(ct_slice(number)) for number in range(1, plan.slices + 1))
    whole = Request(path, checks.files(lambda: plan.series(salt)), headers=_ACCEPT)
    light = Request(path, checks.length(least), headers=_ACCEPT, keep=False)
    return [whole] + [light] * _LIGHT
