"""Bring the index to the schema of this release: Alembic, without an ini file.

A migration is one transaction under one lock: an advisory lock on PostgreSQL, BEGIN EXCLUSIVE on SQLite. So
any number of processes may call upgrade() at once, and one that dies leaves the index as it was. The
steps are in migrations/.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

import migrations
from archive.errors import Unavailable

_LOCK = 0x46696C6D  # "Film": one number for all Filmrooms of a database
_PATIENCE = 60  # seconds that a process waits for another one's migration on SQLite


def upgrade(database_url: str) -> None:
    """Make or change the tables so that they are those of this release; nothing happens where they are.

    Raise Unavailable where the database cannot be asked, or was made by a newer release.
    """
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    with _locked(url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        found = _revision(connection)
        if found is not None and not _is_known(found):
            raise Unavailable(
                f"the index is of a newer release (revision {found}): use that release or later"
            )
        command.upgrade(config, "head")


def revision(database_url: str) -> str | None:
    """Return the revision that the database is at, None where it holds no index yet."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).exists()):
        return None  # asking would make the file
    with _translated(), _engine(url).connect() as connection:
        return _revision(connection)


def is_current(database_url: str) -> bool:
    """Say whether the database is at the revision of this release."""
    return revision(database_url) == head()


def head() -> str | None:
    """Return the revision of this release."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_known(name: str) -> bool:
    return name in {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": 10})
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": _PATIENCE})
    sa.event.listen(engine, "connect", _sqlite_connect)
    sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, because the driver leaves DDL out of it


def _sqlite_begin(connection: Connection) -> None:
    exclusive = connection.get_execution_options().get("filmroom_migration", False)
    connection.exec_driver_sql("BEGIN EXCLUSIVE" if exclusive else "BEGIN")


@contextmanager
def _locked(url: sa.URL) -> Iterator[Connection]:
    engine = _engine(url)
    with _translated():
        if engine.dialect.name == "sqlite":
            _write_ahead(engine)
        with engine.connect().execution_options(filmroom_migration=True) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection


def _write_ahead(engine: sa.Engine) -> None:
    """Turn the file to WAL for good; SQLite does not wait for others here, so we do."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            with closing(engine.raw_connection()) as raw:
                raw.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise Unavailable("the index cannot be asked now") from error
            time.sleep(0.05)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise Unavailable("the index cannot be asked now") from error
