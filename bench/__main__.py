"""Run every benchmark, or those named, and print one table: `python -m bench [header_walk memory …]`."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module

from bench.table import markdown

_ALL = ("header_walk", "memory", "metadata", "frames", "pictures", "find", "transactions")


def main() -> None:
    """Print the table."""
    names = sys.argv[1:] or list(_ALL)
    rows = []
    for name in names:
        for row in import_module(f"bench.{name}").rows():
            print(f"{row.what}: {row.measured}", file=sys.stderr, flush=True)
            rows.append(row)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, SQLite and a folder, best of several\n"
    )
    print(markdown(rows))


if __name__ == "__main__":
    main()
