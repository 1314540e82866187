"""A Filmroom over a new folder, watched: memory, and operations of its object store."""

from __future__ import annotations

import http.client
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from archive.settings import Settings
from bench.dicomweb import runner
from bench.dicomweb.client import Address
from tests.services.filmroom import Filmroom

MIB = 2**20
_SAMPLE = 0.01  # seconds between two looks at the memory
_READ = 2**18


class Server:
    """Use as a context manager; settings are as given, else the defaults."""

    def __init__(
        self, *, folder: Path | None = None, workers: int = 1, embedded_worker: str = "no", **settings: Any
    ) -> None:
        """Prepare; data are kept below `folder` until the end. 0 workers: as many as there are cores."""
        self._folder = tempfile.TemporaryDirectory(prefix="filmroom-bench-", dir=folder)
        place = Path(self._folder.name).absolute()
        self.settings = Settings(data=str(place / "data"), embedded_worker=embedded_worker, **settings)
        self.filmroom = Filmroom(self.settings, place, workers=workers)

    def __enter__(self) -> Server:
        self.filmroom.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.filmroom.process.stop()
        self._folder.cleanup()

    def measured(self, name: str) -> runner.Server:
        """Return it as what the cases of bench/dicomweb/ are run on."""
        return runner.Server(name, Address.parse(self.filmroom.url), self._pids)

    def _pids(self) -> list[int]:
        return [self.filmroom.process.pid] if self.filmroom.process.pid else []

    def request(
        self,
        method: str,
        path: str,
        body: Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        keep: bool = True,
    ) -> tuple[int, bytes, int]:
        """Return status, body and its length; a long body is counted and dropped unless kept."""
        connection = http.client.HTTPConnection("127.0.0.1", self.filmroom.port, timeout=600)
        connection.request(method, path, body=body, headers=headers or {}, encode_chunked=body is not None)
        answer = connection.getresponse()
        kept, length = [], 0
        while block := answer.read(_READ):
            length += len(block)
            if keep:
                kept.append(block)
        connection.close()
        return answer.status, b"".join(kept), length

    def memory(self) -> int:
        """Return the resident bytes of all processes of the server."""
        return sum(each.memory_info().rss for each in self.filmroom.processes())

    def rise(self, work: Callable[[], object]) -> tuple[int, float]:
        """Return how far the memory rose above idle during some work, in bytes, and the work's seconds."""
        idle, peak, done = self.memory(), 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.is_set():
                peak = max(peak, self.memory())
                time.sleep(_SAMPLE)

        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.perf_counter()
        try:
            work()
        finally:
            seconds = time.perf_counter() - start
            done.set()
            watcher.join()
        return max(peak - idle, 0), seconds

    def object_operations(self) -> int:
        """Return how many operations the object store has had."""
        _, text, _ = self.request("GET", "/metrics")
        counts = re.findall(rb"^filmroom_object_seconds_count\{.*\} ([0-9.e+]+)$", text, re.M)
        return int(sum(float(count) for count in counts))
