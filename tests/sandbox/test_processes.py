"""Whose children the processes of a sandbox are: of one process, not of its forks, and never of nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import psutil
import pytest

from archive.bootstrap import build
from archive.errors import NotDecodable
from archive.sandbox.pool import Sandbox
from archive.settings import Settings
from tests.imaging.pixels import pixels, read
from tests.samples import pydicom_file
from tests.sandbox import tasks
from tests.services.filmroom import ROOT, Filmroom

_MEMORY = 2**29


def sandbox_of(process: psutil.Process) -> list[psutil.Process]:
    """Return the living children of sandboxes below a process."""
    found = []
    for each in process.children(recursive=True):
        try:
            if "archive.sandbox.child" in each.cmdline():
                found.append(each)
        except psutil.NoSuchProcess:
            continue
    return found


def gone(processes: list[psutil.Process], patience: float = 10) -> bool:
    """Wait until none of the processes runs; a zombie that init has yet to reap does not."""
    end = time.monotonic() + patience
    while any(_runs(each) for each in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_fork_has_children_of_its_own_and_leaves_ours() -> None:
    sandbox = Sandbox(processes=2, timeout=20, memory=_MEMORY, tasks=tasks.__name__)
    ours = sandbox.run("pid", {})[0]["pid"]
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(sandbox.run, "pid", {"seconds": 1})  # holds the first while we fork
        time.sleep(0.1)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                run = partial(sandbox.run, "pid", {})
                theirs = {run()[0]["pid"], next(sandbox.each([run]))[0]["pid"]}
                status = 0 if ours not in theirs else 2
                sandbox.close()
            except BaseException:  # noqa: BLE001 a forked test must not go on as a second pytest
                traceback.print_exc()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert busy.result()[0]["pid"] == ours
    assert sandbox.run("pid", {})[0]["pid"] == ours
    sandbox.close()


_PARENT = """
import sys, threading, time
from archive.sandbox.pool import Sandbox
sandbox = Sandbox(processes=2, timeout=3600, memory=2**29, tasks="tests.sandbox.tasks")
print(sandbox.run("pid", {})[0]["pid"], flush=True)
for task in sys.argv[1:]:
    threading.Thread(target=sandbox.run, args=(task, {}), daemon=True).start()
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["end", "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("doing", [[], ["hang", "hang"]], ids=["idle", "looping"])
def test_no_child_outlives_its_parent(how: str, doing: list[str]) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, *doing],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent, parent.stdout, parent.stdin:
        parent.stdout.readline()
        if doing:
            while len(sandbox_of(psutil.Process(parent.pid))) < 2:
                time.sleep(0.01)
        children = sandbox_of(psutil.Process(parent.pid))
        assert len(children) == max(len(doing), 1)
        if how == "end":
            parent.stdin.close()
        else:
            parent.send_signal(signal.Signals[how])
        parent.wait(10)
        assert gone(children)


def test_services_close_their_sandbox(tmp_path: Path) -> None:
    of_others = set(sandbox_of(psutil.Process()))  # those that tests over HTTP share stay warm
    services = build(Settings(data=str(tmp_path)))
    with pytest.raises(NotDecodable):
        services.sandbox.run("decode", {"syntax": "1", "frame": 1, "pixels": asdict(pixels())}, b"")
    children = [each for each in sandbox_of(psutil.Process()) if each not in of_others]
    assert children
    services.close()
    assert gone(children, 0)


@pytest.fixture
def server(tmp_path: Path, new_sqlite_database: Callable[[], str]) -> Filmroom:
    """Give an archive of two processes that is not started yet."""
    settings = Settings(data=str(tmp_path), database_url=new_sqlite_database(), stop_timeout=5)
    return Filmroom(settings, tmp_path, workers=2)


def _store(server: Filmroom) -> str:
    """Store an instance of JPEG-LS and return the path of its first frame."""
    path = pydicom_file("MR_small_jpeg_ls_lossless.dcm")
    server.store(path.read_bytes())
    ds = read(path)
    return (
        f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}/frames/1"
    )


def _decode(server: Filmroom, frame: str) -> None:
    accept = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    request = urllib.request.Request(server.url + frame, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert len(answer.read()) == 64 * 64 * 2


def _children(server: Filmroom, frame: str) -> list[psutil.Process]:
    """Have every worker process decode, and return the children of all."""
    assert server.process.pid is not None
    top = psutil.Process(server.process.pid)
    end = time.monotonic() + 60
    while True:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: _decode(server, frame), range(16)))
        found = sandbox_of(top)
        if len({each.ppid() for each in found}) == 2:
            return found
        assert time.monotonic() < end


def test_a_worker_that_is_killed_takes_its_children_with_it_and_the_next_has_its_own(
    server: Filmroom,
) -> None:
    with server:
        frame = _store(server)
        children = _children(server, frame)
        worker = children[0].ppid()
        orphans = [each for each in children if each.ppid() == worker]
        os.kill(worker, signal.SIGKILL)
        assert gone(orphans)
        again = _children(server, frame)
        assert worker not in {each.ppid() for each in again}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_ends_leaves_no_child(server: Filmroom, how: str) -> None:
    with server:
        children = _children(server, _store(server))
        getattr(server.process, how)()
        assert gone(children)
