"""What was found at one size of an index, printed as tables; and how each figure grows with the size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.scale_sizes import Size

GOAL = 50.0  # ms, of the 95th percentile


@dataclass(frozen=True, slots=True)
class Timed:
    """One kind of request: milliseconds that half and 95 in 100 took at most, CPU ms, and wrong answers."""

    what: str
    median: float
    late: float
    rate: float = 0.0  # a second
    cpu: float = 0.0  # of all processes of the server and of PostgreSQL, a request
    bad: int = 0
    wrong: str = ""
    goal: float | None = None


@dataclass(slots=True)
class Measured:
    """One size. `plans` are lines by request, `pages` what PostgreSQL looks at for it.

    `sequential` names tables that are read from end to end.
    """

    studies: int
    instances: int
    load_seconds: float = 0.0  # 0: the index was there
    questions: list[Timed] = field(default_factory=list)
    stores: list[Timed] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    plans: dict[str, list[str]] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    sequential: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether an answer was wrong or a large table is read from end to end."""
        return bool(self.sequential) or any(each.bad for each in (*self.questions, *self.stores))

    @property
    def bytes_each(self) -> float:
        """Bytes of the whole index for one instance."""
        return sum(size.bytes for size in self.sizes) / self.instances

    def share(self, size: Size) -> float:
        """Return the bytes of a thing for one instance."""
        return size.bytes / self.instances


def report(found: Measured) -> str:
    """Return everything about one size."""
    parts = [f"# {found.studies:,} studies, {found.instances:,} instances"]
    if found.load_seconds:
        rate = found.instances / found.load_seconds
        parts.append(f"Loaded in {found.load_seconds:,.0f} s: {rate:,.0f} instances/s.")
    parts += [_questions(found), _stores(found), _sizes(found), _plans(found)]
    return "\n\n".join(parts) + "\n"


def growth(found: Sequence[Measured]) -> str:
    """Return how each figure grows: one column a size."""
    rows: list[tuple[str, Callable[[Measured], str]]] = [
        ("instances", lambda each: f"{each.instances:,}"),
        ("bulk load, instances/s", _rate),
        ("index, bytes an instance", lambda each: f"{each.bytes_each:,.0f}"),
    ]
    head = ["", *(f"{each.studies:,} studies" for each in found)]
    lines = [[what, *(cell(each) for each in found)] for what, cell in rows]
    searches = zip(*(each.questions for each in found), strict=True)
    lines += [[same[0].what, *map(_grown, found, same)] for same in searches]
    written = zip(*(each.stores for each in found), strict=True)
    lines += [[f"{same[0].what}: first / next, ms", *map(_times, same)] for same in written]
    return f"Searches: p50 / p95 ms, CPU ms, pages looked at.\n\n{_table(head, lines)}"


def _rate(found: Measured) -> str:
    return f"{found.instances / found.load_seconds:,.0f}" if found.load_seconds else ""


def _grown(found: Measured, timed: Timed) -> str:
    return f"{_times(timed)}, {timed.cpu:.1f}, {found.pages[timed.what]:,}"


def _times(timed: Timed) -> str:
    return f"{timed.median:.1f} / {timed.late:.1f}"


def _questions(found: Measured) -> str:
    head = ["8 clients", "p50 ms", "p95 ms", "a second", "CPU ms", "bad", "goal p95"]
    rows = []
    for each in found.questions:
        met = "" if each.goal is None else f"{each.goal:g}: {'met' if each.late <= each.goal else 'missed'}"
        bad = f"{each.bad} {each.wrong}".strip()
        numbers = [f"{each.median:.1f}", f"{each.late:.1f}", f"{each.rate:.0f}", f"{each.cpu:.1f}"]
        rows.append([each.what, *numbers, bad, met])
    return _table(head, rows)


def _stores(found: Measured) -> str:
    rows = [[each.what, f"{each.median:.1f}", f"{each.late:.1f}", str(each.bad)] for each in found.stores]
    return _table(["into this index", "first ms", "median of the next ms", "bad"], rows)


def _sizes(found: Measured) -> str:
    rows = [
        [size.table, size.what, f"{size.bytes / 2**20:,.1f}", f"{found.share(size):,.1f}"]
        for size in found.sizes
        if found.share(size) >= 0.05
    ]
    total = sum(size.bytes for size in found.sizes)
    rows.append(["all", "", f"{total / 2**20:,.1f}", f"{found.bytes_each:,.0f}"])
    return _table(["table", "what", "MiB", "bytes an instance"], rows)


def _plans(found: Measured) -> str:
    parts = ["## Plans"]
    for what, lines in found.plans.items():
        parts.append(f"{what}\n" + "\n".join(f"    {line}" for line in lines))
    parts.append(
        "Read from end to end: " + ", ".join(found.sequential)
        if found.sequential
        else "No large table is read from end to end."
    )
    return "\n\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
