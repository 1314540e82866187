"""One row of the table, and how a table is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, what came out, and what it should be."""

    what: str
    measured: str
    goal: str = ""


def markdown(rows: Iterable[Row]) -> str:
    """Return rows as a table."""
    lines = ["| what | measured | goal |", "|---|---|---|"]
    lines += [f"| {row.what} | {row.measured} | {row.goal} |" for row in rows]
    return "\n".join(lines)
