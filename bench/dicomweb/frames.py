"""Frames of multi-frame instances, as stored and decoded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from bench.dicomweb import checks
from bench.dicomweb.client import Request
from bench.dicomweb.identity import Kind, instance_path
from bench.dicomweb.objects import MultiFrame
from bench.dicomweb.pixels import CODINGS, J2K, NATIVE, frame
from bench.dicomweb.plan import Plan
from bench.dicomweb.runner import Case, same

_DIFFERENT = 40


def cases(plan: Plan) -> Iterator[Case]:
    """Give the cases; the last one ends some servers."""
    chance = random.Random(plan.number)  # noqa: S311 the same questions each time, no secret
    yield Case("one frame of 200, 105 MB, first", lambda turn: [_first(plan, turn)], whole=True)
    for coding in CODINGS:
        stored = plan.multi_frame(coding)
        count = len(stored.frames)
        said = "200, 105 MB, again" if coding is NATIVE else f"{count}, {coding.name}"
        ones = [_stored(plan, stored, [chance.randint(1, count)]) for _ in range(_DIFFERENT)]
        for clients in (1, 4):
            yield Case(f"one frame of {said}", same(ones), clients)
        if coding in (NATIVE, J2K):
            lists = [sorted(chance.sample(range(1, count + 1), min(10, count))) for _ in range(10)]
            tens = [_stored(plan, stored, numbers) for numbers in lists]
            yield Case(f"10 frames of {count}, {coding.name}", same(tens))
    decoded = [_decoded(plan, number) for number in range(1, len(plan.multi_frame(J2K).frames) + 1)]
    yield Case("one frame of JPEG 2000, decoded", same(decoded))


def multi_frame_path(plan: Plan, stored: MultiFrame, number: int = 0) -> str:
    """Return the path of the multi-frame of a coding; of the native one there is one for each round."""
    return instance_path(Kind.MULTI_FRAME, stored.study, 1, 1, salt=plan.series_salt(number))


def _first(plan: Plan, turn: int) -> Request:
    native = plan.multi_frame(NATIVE)
    return _stored(plan, native, [len(native.frames) // 2 + turn], turn)


def _stored(plan: Plan, stored: MultiFrame, numbers: Sequence[int], turn: int = 0) -> Request:
    coding = stored.coding
    return Request(
        f"{multi_frame_path(plan, stored, turn)}/frames/{','.join(map(str, numbers))}",
        checks.frames([stored.frames[number - 1] for number in numbers]),
        headers=_accept(coding.media_type, coding.syntax),
    )


def _decoded(plan: Plan, number: int) -> Request:
    return Request(
        f"{multi_frame_path(plan, plan.multi_frame(J2K))}/frames/{number}",
        checks.frames([frame(number - 1).tobytes()]),
        headers=_accept(NATIVE.media_type, NATIVE.syntax),
    )


def _accept(media_type: str, syntax: str) -> dict[str, str]:
    return {"Accept": f'multipart/related; type="{media_type}"; transfer-syntax={syntax}'}
