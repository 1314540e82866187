"""What a server uses while a case runs: CPU time and memory of its processes and all their children.

CPU comes in ticks of a hundredth of a second, so it says something about many requests, not about one. Memory
is looked at every 20 ms as the sum of resident sizes, in which what processes share counts once for each, and
less often as proportional sizes, in which it counts once.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

import psutil

_LOOK = 0.02
_LONG_LOOK = 1.0  # between two looks for new processes and at what is shared, which cost some milliseconds


class Watch:
    """A context manager over processes: `cpu` seconds, `peak` and `rise` of resident bytes, `shared_peak`."""

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        """Watch the trees whose roots have the ids that `roots` returns; none: everything stays 0."""
        self._roots = roots
        self.cpu = 0.0
        self.peak = self.rise = self.shared_peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._tree = tree(self._roots())
        self._begin_cpu = _sum(self._tree, _cpu)
        self._begin = self.peak = int(_sum(self._tree, _resident))
        if self._tree:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._tree:
            return
        self._done.set()
        self._thread.join()
        self._tree = tree(self._roots())
        self.cpu = max(_sum(self._tree, _cpu) - self._begin_cpu, 0.0)
        self.shared_peak = max(self.shared_peak, int(_sum(self._tree, _proportional)))
        self.rise = self.peak - self._begin

    def _look(self) -> None:
        late = time.monotonic()
        while not self._done.wait(_LOOK):
            self.peak = max(self.peak, int(_sum(self._tree, _resident)))
            if time.monotonic() - late >= _LONG_LOOK:
                self._tree = tree(self._roots())
                self.shared_peak = max(self.shared_peak, int(_sum(self._tree, _proportional)))
                late = time.monotonic()


def tree(roots: Iterable[int]) -> list[psutil.Process]:
    """Return the processes with these ids that still run, and all below them."""
    found = []
    for pid in roots:
        try:
            top = psutil.Process(pid)
            found += [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def alive(pids: Iterable[int]) -> bool:
    """Tell whether all of these processes run."""
    return all(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids
    )


def _sum(processes: Iterable[psutil.Process], measure: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for each in processes:
        try:
            total += measure(each)
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            continue  # it has ended meanwhile
    return total


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss)


def _proportional(process: psutil.Process) -> float:
    summary = Path(f"/proc/{process.pid}/smaps_rollup")
    if not summary.parent.exists():
        return 0.0  # no Linux: the sum of resident sizes has to do
    found = re.search(r"^Pss:\s+(\d+) kB", summary.read_text(), re.M)
    return int(found[1]) * 1024.0 if found else 0.0
