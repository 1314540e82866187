"""What one frame costs, whatever the number of frames: statements to the index and reads of the object."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator

from archive.bootstrap import Services, build
from archive.index.migrate import upgrade
from archive.model.level import Place
from archive.model.principal import ANYONE
from archive.settings import Settings
from bench.table import Row
from tests import builders

_COUNTS = (10, 1_000, 50_000)
_ROUNDS = 200
_FRAGMENT = bytes(range(200)) * 10


def rows() -> Iterator[Row]:
    """Measure the last frame of encapsulated instances without offset table."""
    with tempfile.TemporaryDirectory(prefix="filmroom-bench-") as folder:
        settings = Settings(data=folder)
        upgrade(settings.database_url)
        reads: list[str] = []
        services = build(settings, observe=lambda operation, *_: reads.append(operation))
        try:
            for count in _COUNTS:
                yield _row(services, reads, count)
        finally:
            services.close()


def _row(services: Services, reads: list[str], count: int) -> Row:
    place = _store(services, count)
    statements: list[str] = []

    def counted(statement: str) -> None:
        if statement.startswith("SELECT"):
            statements.append(statement)

    _frame(services, place, count)
    _trace(services, counted)
    reads.clear()
    best = 1e9
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        _frame(services, place, count)
        best = min(best, time.perf_counter() - start)
    _trace(services, None)
    return Row(
        f"last frame of {count}",
        f"{best * 1e6:.0f} µs, {len(statements) / _ROUNDS:g} row look-up, "
        f"{len(reads) / _ROUNDS:g} ranged read",
        "1 look-up, 1 read, the same time",
    )


def _trace(services: Services, tell: Callable[[str], None] | None) -> None:
    """Have SQLite itself tell of the statements of the connection that is used next, and of it alone."""
    connection = services.database.engine.raw_connection()
    connection.driver_connection.set_trace_callback(tell)  # type: ignore[union-attr] # it is SQLite's
    connection.close()


def _store(services: Services, count: int) -> Place:
    uids = {
        "SOPInstanceUID": builders.uid("frames", count),
        "StudyInstanceUID": builders.uid("frames study", count),
        "SeriesInstanceUID": builders.uid("frames series", count),
    }
    with services.store.begin(ANYONE) as session:
        staged = session.stage()
        staged.write(builders.encapsulated([_FRAGMENT] * count, NumberOfFrames=count, **uids))
        session.add(staged)
        session.finish()
    return Place(uids["StudyInstanceUID"], uids["SeriesInstanceUID"], uids["SOPInstanceUID"])


def _frame(services: Services, place: Place, number: int) -> None:
    found = services.frames.find(ANYONE, place, [number])
    (frame,) = services.frames.stored(found)
    assert frame.length == len(_FRAGMENT)
