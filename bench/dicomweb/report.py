"""Rows as text: one line each while a run goes on, tables of one server or of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.dicomweb import goals
from bench.dicomweb.goals import MIB
from bench.dicomweb.runner import Row

_BEGIN, _END = "<!-- made by make bench-orthanc -->", "<!-- end of what make bench-orthanc makes -->"
_LARGE_ANSWER = 100_000  # bytes a request from which MB/s say something


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows of a run, one list a case, in the order of the servers; the first `ours` of them are ours."""

    servers: Sequence[str]
    rows: Sequence[Sequence[Row]]
    population: int
    ours: int = 1

    def verdict(self, rows: Sequence[Row]) -> tuple[str, str, str]:
        """Return how many times as fast as the best other ours are, the goal, and whether it is met."""
        best = max(other.speed for other in rows[self.ours :])
        goal = goals.times((rows[0].name, rows[0].clients), self.population)
        ratios, said = [], []
        for row in rows[: self.ours]:
            times = row.speed / best if best else float("inf")
            ratios.append(_short(times) if best else "")
            said.append("met" if times >= (goal or 0) and not row.bad else "missed")
        return " / ".join(ratios), f"{goal:g}" if goal else "", " / ".join(said) if goal else ""

    def markdown(self) -> str:
        """Return the two tables: times and rates with goals, then CPU and memory."""
        head = ["work", "clients", *self.servers, "times as fast", "goal", ""]
        body = [
            [rows[0].name, str(rows[0].clients), *map(cell, rows), *self.verdict(rows)] for rows in self.rows
        ]
        used = ["work", "clients", *(f"{name}: CPU ms" for name in self.servers)]
        used += [f"{name}: MiB" for name in self.servers]
        cost = [
            [rows[0].name, str(rows[0].clients), *map(_cpu, rows), *map(memory, rows)] for rows in self.rows
        ]
        return f"{_table(head, body + self._memory_rows())}\n\n{_table(used, cost)}"

    def _memory_rows(self) -> list[list[str]]:
        columns = list(zip(*self.rows, strict=True))
        rows = [
            _limit(
                "peak memory: sum of resident sizes", [max(r.peak for r in c) for c in columns], goals.PEAK
            ),
            _limit(
                "peak memory: shared pages once", [max(r.shared_peak for r in c) for c in columns], goals.PEAK
            ),
        ]
        rises = [each for each in self.rows if (each[0].name, each[0].clients) == goals.RISE_ROW]
        return rows + [
            _limit(f"memory above idle: {each[0].name}", [row.rise for row in each], goals.RISE)
            for each in rises
        ]


def cell(row: Row) -> str:
    """Return what a row says of time, rate, and what was wrong."""
    if row.requests == row.bad:
        text = "no right answer"
    else:
        text = f"{_short(row.median * 1e3)} / {_short(row.late * 1e3)} ms, {_short(row.rate)}/s"
        if row.length > _LARGE_ANSWER:
            text += f", {_short(row.throughput / 1e6)} MB/s"
    if row.bad:
        text += f", {row.bad} bad ({', '.join(row.wrong)})"
    return f"{text}, died" if row.died else text


def _short(number: float) -> str:
    return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"


def _cpu(row: Row) -> str:
    return _short(row.cpu * 1e3)


def memory(row: Row) -> str:
    """Return the peak as the sum of resident sizes, and with shared pages counted once."""
    return f"{row.peak / MIB:.0f} ({row.shared_peak / MIB:.0f})"


def whole(row: Row) -> str:
    """Return all that a row says, in one cell."""
    return f"{cell(row)}, {_cpu(row)} ms CPU, {memory(row)} MiB"


def line(server: str, row: Row) -> str:
    """Return a row as one line for whoever waits."""
    return f"{server}: {row.name}, clients {row.clients}: {whole(row)}"


def alone(rows: Sequence[Row]) -> str:
    """Return the table of one server."""
    head = ["work", "clients", "p50 / p95, rate", "CPU ms", "MiB (shared once)", "bad"]
    body = [
        [row.name, str(row.clients), cell(row), _cpu(row), memory(row), str(row.bad or 0)] for row in rows
    ]
    return _table(head, body)


def write(text: str, path: Path) -> None:
    """Write what was made to a file: between its two marks where it has them, else as all of it."""
    made = f"{_BEGIN}\n\n{text}\n\n{_END}"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = old.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    path.write_text(f"{before}{made}{after}" if begin and end else f"{made}\n", encoding="utf-8")


def _limit(what: str, values: Sequence[int], goal: int) -> list[str]:
    cells = [f"{value / MIB:.0f} MiB" for value in values]
    return [what, "", *cells, "", f"{goal / MIB:.0f} MiB", "met" if values[0] <= goal else "missed"]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(each)} |" for each in (head, *body)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
