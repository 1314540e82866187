"""One study of 20,000 instances and one instance of 100,000 frames, on both pairs of back ends.

Each is measured small and large, so that what grows faster than what is stored shows. It takes minutes:
`python -m bench large`, or `python -m bench.large --on folder --instances 1000 5000 --frames 5000 20000`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.large_slide import SLIDES, slide_costs
from bench.large_study import study_costs
from bench.server import Server
from bench.table import Row, markdown
from bench.watched import MIB, Costs, Watched, compared
from tests.services.postgresql import PostgreSQL
from tests.services.s3 import S3

_INSTANCES = (2_000, 20_000)
_FRAMES = (10_000, 100_000)
_KINDS = {"folder": "SQLite, folder", "s3": "PostgreSQL, S3"}


def rows(
    on: Sequence[str] = tuple(_KINDS),
    instances: Sequence[int] = _INSTANCES,
    frames: Sequence[int] = _FRAMES,
    place: Path | None = None,
) -> Iterator[Row]:
    """Measure on each kind of back ends. Data are kept below `place` until the end."""
    for kind in on:
        with _server(kind, place) as server:
            watched = Watched(server.filmroom)
            if instances:
                sizes = [study_costs(watched, count, whole=kind == "folder") for count in instances]
                yield from _rows(f"{_KINDS[kind]}, study of", instances, sizes)
            for name in SLIDES if frames else ():
                sizes = [slide_costs(watched, count, name) for count in frames]
                yield from _rows(f"{_KINDS[kind]}, {name},", frames, sizes)
            memory = f"{watched.idle / MIB:.0f} MiB idle, {watched.peak / MIB:.0f} MiB at most"
            yield Row(f"{_KINDS[kind]}: memory of all processes of the server", memory)


def _rows(what: str, counts: Sequence[int], sizes: Sequence[Costs]) -> Iterator[Row]:
    numbers = " / ".join(f"{count:,}" for count in counts)
    for name in sizes[0]:
        yield Row(f"{what} {numbers}: {name}", compared([each[name] for each in sizes]))


@contextmanager
def _server(kind: str, place: Path | None) -> Iterator[Server]:
    with ExitStack() as stack:
        settings: dict[str, Any] = {}
        if kind == "s3":
            postgresql, s3 = PostgreSQL(durable=True), S3()
            stack.callback(postgresql.stop)
            postgresql.start()
            stack.callback(s3.stop)
            s3.start()
            settings = {"database_url": postgresql.new_database(), "storage_url": s3.new_url()}
        yield stack.enter_context(Server(folder=place, **settings))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument("--on", nargs="+", choices=list(_KINDS), default=list(_KINDS))
    parser.add_argument("--instances", type=int, nargs="*", default=list(_INSTANCES), help="of each study")
    parser.add_argument("--frames", type=int, nargs="*", default=list(_FRAMES), help="of each slide")
    parser.add_argument("--folder", type=Path, help="for what is stored")
    asked = parser.parse_args(arguments)
    found = []
    for row in rows(asked.on, asked.instances, asked.frames, asked.folder):
        sys.stderr.write(f"{row.what}: {row.measured}\n")
        found.append(row)
    sys.stdout.write(markdown(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
