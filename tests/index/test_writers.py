"""Writers of one SQLite file: of this process and of others, each waiting for those before it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index import engine
from archive.index.engine import Database

ADD = sa.text("INSERT INTO counted DEFAULT VALUES")
COUNT = sa.text("SELECT count(*) FROM counted")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file with a table to write to."""
    made = tmp_path / "index.db"
    with sqlite3.connect(made) as connection:
        connection.execute("CREATE TABLE counted (id INTEGER PRIMARY KEY)")
    connection.close()
    return made


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """Give the index over the file."""
    opened = Database(f"sqlite:///{path}", pool=8, timeout=10)
    yield opened
    opened.close()


def add(connection: Connection) -> None:
    connection.execute(ADD)


def count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(COUNT) or 0)


def test_writers_wait_for_another_process(database: Database, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(database.write, add) for _ in range(4)]
        time.sleep(0.05)
        assert not any(each.done() for each in waiting)
        other.execute("COMMIT")
        for each in waiting:
            each.result(5)
    other.close()
    assert count(database) == 4


def test_a_writer_that_waited_too_long_tries_again(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds the file longer than a wait is met again by the next attempt, and nothing is lost."""
    monkeypatch.setattr(engine, "_BUSY", 0.05)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, other.execute, ("COMMIT",))
    timer.start()
    with ThreadPoolExecutor(3) as pool:
        for each in [pool.submit(database.write, add) for _ in range(3)]:
            each.result(10)
    timer.join()
    other.close()
    assert count(database) == 3


def test_readers_wait_for_no_writer(database: Database, path: Path) -> None:
    assert count(database) == 0
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert count(database) == 0
    other.close()


def test_a_connection_that_wrote_waits_as_before(database: Database) -> None:
    """The wait of reads, which now and then meet a log that is being recovered, stays what it was."""
    database.write(add)

    def timeout(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar() or 0)

    assert database.write(timeout) == 10_000
