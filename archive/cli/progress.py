"""How far a long command is: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_PLAIN_INTERVAL = 10.0  # seconds


class Meter:
    """Counts files and bytes that are done, and shows them on standard error."""

    def __init__(self, verb: str) -> None:
        """Begin to count; `verb` is what is done to files: "imported"."""
        self._verb = verb
        self._started = time.monotonic()
        self._shown = self._started
        self._console = Console(stderr=True)
        self._files = 0
        self._bytes = 0
        self._total: tuple[int, int, bool] = (0, 0, False)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console) if self._console.is_terminal else None
        self._task = self._bar.add_task("", total=None) if self._bar else None

    def __enter__(self) -> Meter:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def expect(self, files: int, size: int, *, final: bool) -> None:
        """Set how much there is in all, as far as it is known; `final` when it is known."""
        self._total = files, size, final

    def done(self, files: int, size: int) -> None:
        """Count what was done, and show it when it is time to."""
        self._files += files
        self._bytes += size
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            total = self._total[1] if self._total[2] else None
            self._bar.update(self._task, description=self.line(), completed=self._bytes, total=total)
        elif now - self._shown >= _PLAIN_INTERVAL:
            self._shown = now
            click.echo(self.line(), err=True)

    def line(self) -> str:
        """Return what is done, how fast, and how long the rest takes."""
        seconds = max(time.monotonic() - self._started, 0.001)
        files, size, final = self._total
        of = f" of {files}{'' if final else '+'}" if files else ""
        text = f"{self._files}{of} files {self._verb}, {self._files / seconds:.0f} files/s, "
        text += f"{self._bytes / seconds / 1e6:.1f} MB/s"
        if self._bar is None and final and self._bytes:
            text += f", {seconds * max(size - self._bytes, 0) / self._bytes:.0f} s left"
        return text
