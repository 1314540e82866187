"""`filmroom import`: take in files, folders, media and zip archives, with several processes at once.

The parent walks, hands out batches and reports; the children store (archive/cli/intake.py). Only a few
batches are under way at a time, and failures wait in a temporary file, so memory stays the same for any
number of files.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Event, Thread
from typing import IO

import click

from archive.cli.common import read_settings
from archive.cli.intake import Result, begin, take
from archive.cli.progress import Meter
from archive.cli.sources import Source, find
from archive.cli.tables import prepare
from archive.settings import Settings

_BATCH_FILES = 50
_BATCH_BYTES = 64 * 2**20
_AHEAD = 2  # batches under way for each process
_INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended
_COUNT_STEP = 1000


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=min(len(os.sched_getaffinity(0)), 8),
    show_default=True,
    help="Processes that store at the same time.",
)
@click.option("--report", type=click.File("w", encoding="utf-8"), help="Write a JSON line for every file.")
@click.option("--strict", is_flag=True, help="Count files that are not DICOM as failures.")
def import_(paths: tuple[Path, ...], processes: int, report: IO[str] | None, *, strict: bool) -> None:
    """Take in DICOM files: PATHs are files, folders, media with a DICOMDIR, and zip archives.

    What is stored already is found by its content and not stored again, so an import that was stopped goes
    on when it is run again. Files that are not DICOM are listed and left out; a file that its name, the
    command line or a DICOMDIR says is an image, and that is none, is a failure. The exit status is 1 when
    anything failed.
    """
    settings = read_settings()
    prepare(settings)
    with tempfile.TemporaryFile("w+", encoding="utf-8", prefix="filmroom-import-") as remarks:
        tally = Tally(remarks, report, strict=strict)
        with _stop_on_signals() as stop, Meter("imported") as meter:
            Thread(target=_count, args=(paths, meter, stop), daemon=True).start()
            for results in run(settings, _until(find(paths), stop), processes):
                for result in results:
                    tally.add(result)
                meter.done(len(results), sum(result.size for result in results))
        tally.tell(meter.line())
    if stop.is_set():
        click.echo("Stopped. Run the same command again to go on.", err=True)
        raise SystemExit(_INTERRUPTED)
    raise SystemExit(1 if tally.failed else 0)


class Tally:
    """How many sources went which way; what a person must read about waits in a file until the end."""

    def __init__(self, remarks: IO[str], report: IO[str] | None, *, strict: bool) -> None:
        self._counts: Counter[str] = Counter()
        self._remarks = remarks
        self._report = report
        self._strict = strict

    @property
    def failed(self) -> int:
        """How many failed."""
        return self._counts["failed"]

    def add(self, result: Result) -> None:
        """Count one."""
        status = "failed" if self._strict and result.status == "skipped" else result.status
        self._counts[status] += 1
        if status in ("failed", "skipped"):
            self._remarks.write(f"{status}: {result.name!r}: {result.reason}\n")
        if self._report is not None:
            line = {
                "file": result.name,
                "status": status,
                "reason": result.reason,
                "size": result.size,
                "study": result.study_uid,
                "instance": result.sop_uid,
            }
            # A name that is no UTF-8 is escaped, as Python has it.
            self._report.write(json.dumps({key: value for key, value in line.items() if value}) + "\n")

    def tell(self, line: str) -> None:
        """Print every file that failed or was left out, and why; then the numbers."""
        self._remarks.seek(0)
        for remark in self._remarks:
            click.echo(remark, nl=False)
        counts = self._counts
        click.echo(
            f"{counts['stored']} stored, {counts['already']} already there, {counts['failed']} failed, "
            f"{counts['skipped']} left out; {line}"
        )


def run(settings: Settings, sources: Iterable[Source], processes: int) -> Iterator[list[Result]]:
    """Store sources in batches with so many processes; give the results as batches end."""
    batches = _batches(sources)
    while (batch := next(batches, None)) is not None:
        yield from _run_pool(settings, chain((batch,), batches), processes)


def _run_pool(settings: Settings, batches: Iterable[list[Source]], processes: int) -> Iterator[list[Result]]:
    """Store batches until there are none left, or until a child was killed: for lack of memory most often."""
    under_way: dict[Future[list[Result]], list[Source]] = {}
    taken: list[Source] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=begin, initargs=(settings,)) as pool:
        try:
            _start(pool, processes)
            for batch in batches:
                if refused := [_refused(each) for each in batch if each.problem is not None]:
                    yield refused
                if taken := [each for each in batch if each.problem is None]:
                    under_way[pool.submit(take, taken)] = taken
                    taken = []
                while len(under_way) >= processes * _AHEAD:
                    yield from _ended(under_way)
            while under_way:
                yield from _ended(under_way)
        except BrokenProcessPool:
            for future, batch in under_way.items():
                yield future.result() if future.exception() is None else _killed(batch)
            if taken:
                yield _killed(taken)


def _start(pool: ProcessPoolExecutor, processes: int) -> None:
    """Start the processes with SIGINT blocked: Ctrl-C is for the parent, which lets batches end."""
    resource_tracker.ensure_running()  # else it is started in between, and unblocks the signal
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(processes):  # the pool starts one for each task that finds nobody idle
            pool.submit(os.getpid)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _ended(under_way: dict[Future[list[Result]], list[Source]]) -> Iterator[list[Result]]:
    ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
    for future in ended:
        results = future.result()
        del under_way[future]
        yield results


def _refused(source: Source) -> Result:
    lost = source.expected or not source.harmless
    return Result(source.name, "failed" if lost else "skipped", reason=source.problem or "")


def _killed(batch: list[Source]) -> list[Result]:
    return [
        Result(each.name, "failed", each.size, "its process was killed; import it again") for each in batch
    ]


def _batches(sources: Iterable[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for source in sources:
        batch.append(source)
        size += source.size
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _until(sources: Iterator[Source], stop: Event) -> Iterator[Source]:
    for source in sources:
        if stop.is_set():
            return
        yield source


def _count(paths: Iterable[Path], meter: Meter, stop: Event) -> None:
    """Count what there is to do, beside the work."""
    files = size = 0
    for source in find(paths):
        if stop.is_set():
            return
        files += 1
        size += source.size
        if files % _COUNT_STEP == 0:
            meter.expect(files, size, final=False)
    meter.expect(files, size, final=True)


@contextmanager
def _stop_on_signals() -> Iterator[Event]:
    """Set an event at the first SIGINT or SIGTERM; the second acts at once."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(*_: object) -> None:
        stop.set()
        click.echo("Stopping after the batches under way; once more to stop at once.", err=True)
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
