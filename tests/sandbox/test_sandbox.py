"""archive/sandbox: what a task gives comes back, and whatever it does harms nothing but itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from typing import Any

import psutil
import pytest

from archive.errors import NotAcceptable, NotDecodable, Overtime, RangeNotSatisfiable, Unavailable
from archive.sandbox import pool
from archive.sandbox.pool import Sandbox, TaskBrokeError
from tests.sandbox import tasks

_TASKS = tasks.__name__
_MEMORY = 2**28


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Give a sandbox of two processes, used by all tests that leave it as it was."""
    sandbox = Sandbox(processes=2, timeout=60, memory=_MEMORY, tasks=_TASKS)
    yield sandbox
    sandbox.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox of one process."""
    sandbox = Sandbox(processes=1, timeout=60, memory=_MEMORY, tasks=_TASKS)
    yield sandbox
    sandbox.close()


def children() -> list[psutil.Process]:
    """Return the processes of sandboxes that this one started, zombies included."""
    return [each for each in psutil.Process().children() if "archive.sandbox.child" in " ".join(_line(each))]


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() or ["archive.sandbox.child"]  # a zombie has none
    except psutil.NoSuchProcess:
        return []


def workers(sandbox: Sandbox) -> set[int]:
    """Return the processes that do a few tasks in turn."""
    return {sandbox.run("pid", {})[0]["pid"] for _ in range(4)}


@pytest.mark.parametrize("size", [0, 1, 65_536, 10_000_001])
def test_options_and_blobs_come_back(shared: Sandbox, size: int) -> None:
    options = {"text": "Grüße", "numbers": [1, 2.5, None, True], "deep": {"x": []}}
    blobs = [os.urandom(size), b"", b"end"]
    assert shared.run("echo", options, *blobs) == (options, blobs)


def test_threads_get_their_own_answers(shared: Sandbox) -> None:
    def one(number: int) -> bool:
        blob = bytes([number % 256]) * (number * 1000)
        return shared.run("echo", {"number": number}, blob) == ({"number": number}, [blob])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(one, range(200)))


def test_no_more_processes_than_allowed_and_one_where_one_is_enough() -> None:
    sandbox = Sandbox(processes=2, timeout=20, memory=_MEMORY, tasks=_TASKS)
    before = len(children())
    assert len(workers(sandbox)) == 1  # one after the other
    for seconds, wanted in ((0.01, 1), (0.3, 2)):  # another one where those at work do not come back soon
        work = {"seconds": seconds}
        with ThreadPoolExecutor(6) as threads:
            done = list(threads.map(lambda _, work=work: sandbox.run("pid", work), range(6)))
        assert len({answer["pid"] for answer, _ in done}) == wanted
    assert len(children()) == before + 2
    sandbox.close()
    assert len(children()) == before


def test_errors_of_a_task_are_raised_as_they_are(shared: Sandbox) -> None:
    with pytest.raises(NotAcceptable, match="none of these") as offered:
        shared.run("refuse", {"how": "offered"})
    assert offered.value.offered == ("image/png", "image/jpeg")
    with pytest.raises(RangeNotSatisfiable, match="outside") as outside:
        shared.run("refuse", {"how": "size"})
    assert outside.value.size == 7


@pytest.mark.parametrize("task", ["break", "no such task"])
def test_a_fault_of_a_task_is_told_with_its_stack_and_without_foreign_words(
    shared: Sandbox, task: str
) -> None:
    with pytest.raises(TaskBrokeError) as broke:
        shared.run(task, {"name": "Doe^Jane"})
    assert "KeyError" in str(broke.value)
    assert "child.py" in str(broke.value)
    assert "Doe" not in str(broke.value)


@pytest.mark.parametrize(
    ("task", "options", "reason"),
    [
        pytest.param("segfault", {}, "crashed \\(SIGSEGV\\)", id="reads where nothing is"),
        pytest.param("signal", {"name": "SIGABRT"}, "crashed \\(SIGABRT\\)", id="aborts, as C++ does"),
        pytest.param(
            "signal", {"name": "SIGKILL"}, "killed \\(SIGKILL\\)", id="killed, as for lack of memory"
        ),
        pytest.param("exit", {"status": 3}, "ended with status 3", id="exits"),
        pytest.param(
            "bomb", {}, f"more than {_MEMORY} bytes of memory \\(FILMROOM_CODEC_MEMORY\\)", id="memory"
        ),
        *(
            pytest.param("nonsense", {"kind": kind}, "answered nonsense", id=f"nonsense: {kind}")
            for kind in tasks._NONSENSE
        ),
    ],
)
def test_what_a_task_does_to_its_process_is_not_decodable(
    shared: Sandbox, task: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotDecodable, match=f"{task} failed for frame 3 of transfer syntax 1.2: .*{reason}"):
        shared.run(task, {**options, "frame": 3, "syntax": "1.2"})
    assert shared.run("echo", {}, b"after") == ({}, [b"after"])


@pytest.mark.parametrize(
    ("task", "options"),
    [("hang", {}), ("signal", {"name": "SIGSTOP"})],
    ids=["loops for ever", "stands still"],
)
def test_what_takes_too_long_is_not_decodable(task: str, options: dict[str, Any]) -> None:
    sandbox = Sandbox(processes=1, timeout=1, memory=_MEMORY, tasks=_TASKS)
    with pytest.raises(Overtime, match="more than 1 seconds \\(FILMROOM_CODEC_TIMEOUT\\)"):
        sandbox.run(task, options)
    assert sandbox.run("echo", {}) == ({}, [])
    sandbox.close()


def test_neighbours_are_not_harmed() -> None:
    sandbox = Sandbox(processes=3, timeout=4, memory=_MEMORY, tasks=_TASKS)
    done = threading.Event()

    def harm() -> None:
        for task in ("segfault", "bomb", "segfault", "hang", "segfault"):
            with pytest.raises(NotDecodable):
                sandbox.run(task, {})

    def work(number: int) -> int:
        worked = 0
        while not done.is_set():
            blob = os.urandom(100_000)
            assert sandbox.run("echo", {"number": number}, blob) == ({"number": number}, [blob])
            worked += 1
        return worked

    with ThreadPoolExecutor(4) as threads:
        worked = [threads.submit(work, number) for number in range(2)]
        harmed = [threads.submit(harm) for _ in range(2)]
        try:
            for each in harmed:
                each.result()
        finally:
            done.set()
        assert all(each.result() > 5 for each in worked)
    sandbox.close()


def test_memory_is_limited_and_what_libraries_map_does_not_count(sandbox: Sandbox) -> None:
    taken = sandbox.run("bomb", {"tell": True})[0]["taken"]
    assert _MEMORY * 2 // 3 <= taken < _MEMORY


def test_a_process_that_died_while_idle_is_replaced_and_nobody_notices() -> None:
    sandbox = Sandbox(processes=2, timeout=20, memory=_MEMORY, tasks=_TASKS)
    for _ in range(4):
        with ThreadPoolExecutor(2) as threads:
            pids = {
                a["pid"] for a, _ in threads.map(lambda _: sandbox.run("pid", {"seconds": 0.05}), range(6))
            }
        for pid in pids:
            os.kill(pid, 9)  # and at once, so that some die only while they are asked
        assert sandbox.run("echo", {}, b"after") == ({}, [b"after"])
    sandbox.close()


def test_a_process_that_grew_is_replaced(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_KEEP", 2**26)
    first = sandbox.run("keep", {"size": 2**27})[0]["pid"]
    pids = [sandbox.run("pid", {})[0]["pid"] for _ in range(2 * pool._LOOK)]
    assert pids[0] == first
    assert pids[-1] != first
    assert pids[-1] == pids[-pool._LOOK]


def test_a_child_has_nothing_of_ours(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILMROOM_DATABASE_URL", "postgresql://user:password@host/name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    seen = sandbox.run("look", {})[0]
    names = set(seen["environment"])
    assert not any(name.startswith(("FILMROOM_", "AWS_")) for name in names)
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} <= names
    assert seen["descriptors"] == 6  # three, the two pipes and the one that ends it
    assert seen["core"] == 0
    assert seen["session"] == seen["pid"]


def test_what_libraries_print_is_no_answer(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="archive.sandbox.process"):
        assert sandbox.run("print", {}) == ({"read": ""}, [])
    assert "printed by a library" in caplog.text
    assert sandbox.run("print", {"size": 1_000_000})[0] == {"read": ""}  # more than a pipe holds


def test_nothing_is_left_after_200_tasks(sandbox: Sandbox) -> None:
    sandbox.run("echo", {})
    me = psutil.Process()
    before = me.num_fds(), me.num_threads(), len(children())
    for number in range(200):
        if number % 50 == 0:
            with pytest.raises(NotDecodable):
                sandbox.run("exit", {"status": 1})
        sandbox.run("echo", {}, bytes(1000))
    assert (me.num_fds(), me.num_threads(), len(children())) == before
    assert not [each for each in children() if each.status() == psutil.STATUS_ZOMBIE]


def test_answers_come_in_order_and_no_more_ahead_than_processes(shared: Sandbox) -> None:
    asked = []

    def calls() -> Iterator[pool.Call]:
        for number in range(20):
            asked.append(number)
            yield {"number": number}, (bytes(number),)

    for number, answer in enumerate(shared.run_each("echo", calls(), size=1000)):
        assert answer == ({"number": number}, [bytes(number)])
        assert len(asked) <= number + 1 + shared.processes
    asked.clear()
    for _ in shared.run_each("echo", calls(), size=2**30):
        assert asked.pop() <= 1
        break


class Watched(Sandbox):
    """A sandbox that knows what is in memory for it: what was taken from calls and is not done yet."""

    taken = most = 0
    lock = threading.Lock()

    def calls(self) -> Iterator[pool.Call]:
        """Give a few calls."""
        for _ in range(3):
            with self.lock:
                self.taken += 1
                self.most = max(self.most, self.taken)
            yield {"seconds": 0.01}, ()

    def run(self, task: str, options: Mapping[str, Any], *blobs: bytes) -> pool.Answer:
        """Do a task and forget what it took."""
        try:
            return super().run(task, options, *blobs)
        finally:
            with self.lock:
                self.taken -= 1


@pytest.mark.parametrize("how", ["run_in_turn", "run_each"])
def test_what_is_large_is_taken_when_its_turn_has_come(how: str) -> None:
    """However many ask, no more of it is in memory than there are processes."""
    watched = Watched(processes=2, timeout=60, memory=_MEMORY, tasks=_TASKS)
    run = getattr(watched, how)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: list(run("pid", watched.calls(), size=2**30)), range(6)))
    assert [len(each) for each in answers] == [3] * 6
    assert watched.most == 2
    watched.close()


def test_whoever_leaves_early_leaves_nothing(shared: Sandbox) -> None:
    answers = shared.run_each("pid", (({"seconds": 0.1}, ()) for _ in range(100)), size=1)
    next(answers)
    begin = time.monotonic()
    answers.close()
    assert shared.run("echo", {}, b"x") == ({}, [b"x"])
    assert time.monotonic() - begin < 1


def test_an_error_is_raised_in_its_place(shared: Sandbox) -> None:
    calls = [({"how": how}, ()) for how in ("not", "offered", "not")]
    answers = shared.run_each("refuse", calls, size=1)
    assert next(answers) == ({"how": "not"}, [])
    with pytest.raises(NotAcceptable):
        next(answers)


def test_close_ends_everything(sandbox: Sandbox) -> None:
    before = len(children())
    with ThreadPoolExecutor(3) as threads:
        running = threads.submit(sandbox.run, "hang", {})
        waiting = threads.submit(sandbox.run, "echo", {})
        later = threads.submit(next, sandbox.each([partial(sandbox.run, "echo", {})]))
        while len(children()) == before:
            time.sleep(0.01)
        time.sleep(0.2)
        begin = time.monotonic()
        sandbox.close()
        for future in (running, waiting):
            with pytest.raises(Unavailable, match="stopped"):
                future.result(5)
    assert time.monotonic() - begin < 5
    assert isinstance(later.exception(5), Unavailable | CancelledError)
    assert len(children()) == before
    with pytest.raises(Unavailable):
        sandbox.run("echo", {})
    sandbox.close()


def test_a_sandbox_that_nobody_closes_ends_with_its_last_user() -> None:
    before = len(children())
    sandbox = Sandbox(processes=1, timeout=60, memory=_MEMORY, tasks=_TASKS)
    sandbox.run("echo", {})
    assert len(children()) == before + 1
    del sandbox
    assert len(children()) == before


def test_a_process_that_cannot_start_is_unavailable() -> None:
    sandbox = Sandbox(processes=1, timeout=5, memory=2**20, tasks=_TASKS)
    before = len(children())
    with pytest.raises(Unavailable, match="could be started"):
        sandbox.run("echo", {})
    assert len(children()) == before
    sandbox.close()
