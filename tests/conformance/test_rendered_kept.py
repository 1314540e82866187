"""What is kept of renderings: never more than the bound, one piece of work for all who ask, no errors."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from archive.errors import NotDecodable, Unavailable
from archive.sandbox import pool
from archive.services import rendered
from archive.services.kept import Kept
from archive.services.presentation_references import Reference, references
from tests.conformance.archive import Archive
from tests.conformance.faults import Faulty
from tests.conformance.pictures import frames, paths


@given(st.integers(0, 400), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 120))))
def test_the_bound_holds(most: int, asked: list[tuple[int, int]]) -> None:
    kept: Kept[bytes] = Kept(most, len)
    for key, size in asked:
        assert kept.get((key, size), lambda size=size: bytes(size)) == bytes(size)  # type: ignore[misc]
        assert 0 <= kept.size <= most


def test_the_least_recently_used_goes_first() -> None:
    kept: Kept[bytes] = Kept(40, len)
    made: list[str] = []

    def get(key: str) -> None:
        kept.get(key, lambda: made.append(key) or bytes(10))  # type: ignore[func-returns-value]

    for key in "abcdae":  # e pushes b out, for a was used after it
        get(key)
    for key in "aedcb":
        get(key)
    assert "".join(made) == "abcdeb"


def test_one_large_result_pushes_nothing_out() -> None:
    kept: Kept[bytes] = Kept(40, len)
    kept.get("small", lambda: bytes(10))
    assert kept.get("large", lambda: bytes(11)) == bytes(11)
    assert kept.size == 10


def test_nothing_is_kept_where_nothing_may_be() -> None:
    kept: Kept[bytes] = Kept(0, len)
    assert kept.get("a", lambda: b"1") == b"1"
    assert kept.get("a", lambda: b"2") == b"2"


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    kept: Kept[bytes] = Kept(100, len)
    begun, go_on = threading.Event(), threading.Event()

    def fail() -> bytes:
        begun.set()
        go_on.wait(20)
        raise NotDecodable("broken")

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(kept.get, "a", fail)
        begun.wait(20)
        others = [threads.submit(kept.get, "a", lambda: b"never made") for _ in range(2)]
        go_on.set()
        assert isinstance(first.exception(), NotDecodable)
        for other in others:  # those who came later than the error make it anew
            assert isinstance(other.exception(), NotDecodable) or other.result() == b"never made"
    assert kept.get("b", lambda: b"fine") == b"fine"


def test_who_is_broken_off_lets_nobody_wait() -> None:
    kept: Kept[bytes] = Kept(100, len)
    begun, go_on = threading.Event(), threading.Event()

    def end() -> bytes:
        begun.set()
        go_on.wait(20)
        raise SystemExit

    def first() -> None:
        with pytest.raises(SystemExit):
            kept.get("a", end)

    leader = threading.Thread(target=first)
    leader.start()
    begun.wait(20)
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(kept.get, "a", lambda: b"mine")
        go_on.set()
        leader.join()
        error = other.exception()
    assert error is None or isinstance(error, Unavailable)


def test_large_images_are_read_when_their_turn_has_come(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many clients ask, no more of them are in memory than there are processes to render them."""
    monkeypatch.setattr(pool, "_LARGE", 1000)
    service: rendered.RenderedService = archive.services.rendered
    processes, sandbox = service.sandbox.processes, service.sandbox
    count, lock, too_many = [0], threading.Lock(), threading.Event()

    def run(*arguments: Any) -> Any:
        with lock:
            count[0] += 1
            if count[0] > processes:
                too_many.set()
        too_many.wait(0.3)
        try:
            return sandbox.run(*arguments)
        finally:
            with lock:
                count[0] -= 1

    monkeypatch.setattr(service, "sandbox", Faulty(sandbox, run=run))  # type: ignore[arg-type] # any object will do
    asked = [("image/gif", n) for n in range(processes + 1)] + [
        ("image/png", n) for n in range(processes + 1)
    ]
    archive.stored(*(frames(2, study=study) for study in range(processes + 1)))
    with ThreadPoolExecutor(len(asked)) as threads:
        answers = list(threads.map(lambda each: _status(archive, *each), asked))
    assert answers == [200] * len(asked)
    assert not too_many.is_set()


def _status(archive: Archive, accept: str, study: int) -> int:
    return archive.get(f"{paths(study=study)[2]}/rendered", accept).status_code


def _reference(uid: str, *frames: int) -> dict[str, object]:
    found: dict[str, object] = {"00081155": {"vr": "UI", "Value": [uid]}}
    return found | ({"00081160": {"vr": "IS", "Value": list(frames)}} if frames else {})


def _series(*images: object) -> dict[str, object]:
    return {"00081140": {"vr": "SQ", "Value": list(images)}}


def test_the_images_of_a_presentation_state() -> None:
    """PS3.3 C.11.11: series by series, in their order."""
    series = [_series(_reference("1.2", 3, 1), _reference("1.3")), _series(_reference("1.4"))]
    state = {"00081115": {"vr": "SQ", "Value": series}}
    found = [Reference("1.2", (3, 1)), Reference("1.3", ()), Reference("1.4", ())]
    assert list(references(state)) == found


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"00081115": {"vr": "SQ"}},
        {"00081115": {"vr": "SQ", "Value": [None, 5]}},
        {"00081115": {"vr": "UN", "InlineBinary": "AAAA"}},
        {"00081115": {"vr": "SQ", "Value": [_series({}, {"00081155": {"vr": "UI", "Value": [None]}})]}},
    ],
)
def test_broken_references_are_left_out(broken: dict[str, object]) -> None:
    assert list(references(broken)) == []
