"""The plans of the statements that the server really sends, as auto_explain writes them to PostgreSQL's log.

A plan says which index found the rows, how many there were and what was read of them. A statement that goes
through a whole large table one row after the other is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LARGE = 10_000  # rows; what is smaller may well be read at once
_ENTRY = re.compile(r"plan:\n((?:\t.*\n)+)")
_ON = (
    "session_preload_libraries = 'auto_explain'",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
    "auto_explain.log_buffers = on",
    "auto_explain.log_timing = off",
    "auto_explain.log_format = 'json'",
)
_DETAILS = ("Index Cond", "Recheck Cond", "Filter", "Sort Key", "Group Key")
_WIDTH = 150


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement and the tree of its plan."""

    statement: str
    root: Mapping[str, Any]

    def nodes(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Give each node with its depth, parents first."""
        waiting = [(0, self.root)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node
            waiting += [(depth + 1, child) for child in reversed(node.get("Plans", []))]

    @property
    def pages(self) -> int:
        """How many pages of 8 KiB were looked at, from memory or from the disk."""
        return _pages(self.root)

    def lines(self) -> Iterator[str]:
        """Give the plan as people read it."""
        for depth, node in self.nodes():
            where = [node[key] for key in ("Index Name", "Relation Name", "CTE Name") if key in node]
            on = f" {' on '.join(where)}" if where else ""
            dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            said = f"{node['Actual Rows']:.0f} rows x {node['Actual Loops']}, {_pages(node)} pages"
            said += f", {dropped} dropped" if dropped else ""
            yield f"{'  ' * depth}{node['Node Type']}{on}: {said}"
            for key in _DETAILS:
                if key in node:
                    text = node[key] if isinstance(node[key], str) else ", ".join(node[key])
                    yield f"{'  ' * depth}    {key}: {text[:_WIDTH]}"

    def sequential(self, large: frozenset[str]) -> list[str]:
        """Return the large tables that are read from end to end."""
        return [
            node["Relation Name"]
            for _, node in self.nodes()
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large and node["Actual Loops"]
        ]


def _pages(node: Mapping[str, Any]) -> int:
    return int(node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0))


def switch_on(execute: Callable[[str], object], database: str) -> None:
    """Have every statement of connections that are made from now on explained; `execute` is a superuser's."""
    for setting in _ON:
        execute(f'ALTER DATABASE "{database}" SET {setting}')


def switch_off(execute: Callable[[str], object], database: str) -> None:
    """Undo `switch_on`."""
    for setting in _ON:
        execute(f'ALTER DATABASE "{database}" RESET {setting.partition(" ")[0]}')


class Log:
    """PostgreSQL's log, read on from where it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size

    def plans(self) -> list[Plan]:
        """Return the plans that were written since the last look."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            text = file.read().decode(errors="replace")
        self._at += len(text.encode())
        found = [json.loads(entry.replace("\n\t", "\n")) for entry in _ENTRY.findall(text)]
        return [Plan(each["Query Text"], each["Plan"]) for each in found]


def large_tables(sizes: Mapping[str, int]) -> frozenset[str]:
    """Return the tables with so many rows that none may be read from end to end."""
    return frozenset(name for name, rows in sizes.items() if rows > _LARGE)
