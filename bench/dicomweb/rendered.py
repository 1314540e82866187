"""Pictures: a slice, in a viewport, a frame of each multi-frame. Each is asked for once: none can be kept."""

from __future__ import annotations

from collections.abc import Iterator

from bench.dicomweb import checks
from bench.dicomweb.client import Request
from bench.dicomweb.frames import multi_frame_path
from bench.dicomweb.identity import Kind, instance_path
from bench.dicomweb.pixels import CODINGS, NATIVE, SIDE, Coding
from bench.dicomweb.plan import Plan
from bench.dicomweb.runner import Case

_VIEWPORT = 128


def cases(plan: Plan) -> Iterator[Case]:
    """Give the cases; rounds, and the case with four clients, have pictures of their own."""
    for place, clients in enumerate((1, 4)):

        def slices(turn: int, place: int = place) -> list[Request]:
            return [_slice(plan, 2 * turn + place, number) for number in range(1, plan.slices + 1)]

        yield Case("rendered slice", slices, clients, again=False)
    yield Case(
        f"rendered slice, viewport {_VIEWPORT}",
        lambda turn: [_slice(plan, 2 * turn, number, _VIEWPORT) for number in range(1, plan.slices + 1)],
        again=False,
    )
    for coding in CODINGS:
        name = "rendered frame of 200, 105 MB" if coding is NATIVE else f"rendered frame of {coding.name}"

        def frames(turn: int, coding: Coding = coding) -> list[Request]:
            return _frames(plan, coding, turn)

        yield Case(name, frames, again=False)


def _slice(plan: Plan, series: int, number: int, viewport: int = 0) -> Request:
    query = f"?viewport={viewport},{viewport}" if viewport else ""
    side = viewport or SIDE
    path = instance_path(Kind.SLICE, 1, 1, number, salt=plan.series_salt(series))
    return _request(f"{path}/rendered{query}", side)


def _frames(plan: Plan, coding: Coding, turn: int) -> list[Request]:
    stored = plan.multi_frame(coding)
    # Of the native one there is one for each round; of the others the rounds share the frames.
    place, first, step = (turn, 0, 1) if coding is NATIVE else (0, turn, plan.rounds)
    path = multi_frame_path(plan, stored, place)
    numbers = range(1, len(stored.frames) + 1)[first::step]
    return [_request(f"{path}/frames/{number}/rendered", SIDE) for number in numbers]


def _request(path: str, side: int) -> Request:
    return Request(path, checks.picture("JPEG", (side, side)), headers={"Accept": "image/jpeg"})
