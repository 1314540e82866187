"""The ceiling that a disk sets: how many files a second it makes durable, and the way past that.

A store answers after fsync, so no server stores more instances one at a time than the disk syncs. Several in
flight share a journal commit, and one sync of a folder serves all files that were put into it before.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SMALL, INSTANCE = 4096, 530_000
_SECONDS = 0.6


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Files of a size a second; one sync of the folder serves `shared` of them, 0: it is not synced."""

    size: int
    threads: int
    shared: int
    rate: float

    def __str__(self) -> str:
        folder = f", the folder once for {self.shared}" if self.shared > 1 else ", and the folder each time"
        at_a_time = "one" if self.threads == 1 else str(self.threads)
        return f"files of {self.size} bytes, {at_a_time} at a time{folder if self.shared else ''}"


def ceilings(folder: Path) -> Iterator[Ceiling]:
    """Measure on the disk of a folder, a few seconds long."""
    for size, threads, shared in (
        (SMALL, 1, 0),
        (SMALL, 4, 0),
        (INSTANCE, 1, 0),
        (INSTANCE, 4, 0),
        (INSTANCE, 1, 1),
        (INSTANCE, 4, 1),
        (INSTANCE, 4, 10),
    ):
        with tempfile.TemporaryDirectory(dir=folder, prefix="ceiling-") as place:
            yield Ceiling(size, threads, shared, _rate(Path(place), size, threads, shared))


def _rate(folder: Path, size: int, threads: int, shared: int) -> float:
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        work = [pool.submit(_write, folder / str(n), size, shared, start + _SECONDS) for n in range(threads)]
        count = sum(each.result() for each in work)
    return count / (time.perf_counter() - start)


def _write(folder: Path, size: int, shared: int, end: float) -> int:
    folder.mkdir()
    content, count = os.urandom(size), 0
    while time.perf_counter() < end:
        with (folder / str(count)).open("wb", buffering=0) as file:
            file.write(content)
            os.fsync(file.fileno())
        count += 1
        if shared and count % shared == 0:
            _sync(folder)
    return count


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def table(found: list[Ceiling]) -> str:
    """Return what was measured as a table."""
    lines = ["| made durable | a second |", "|---|---|", *(f"| {each} | {each.rate:.0f} |" for each in found)]
    return "\n".join(lines)
