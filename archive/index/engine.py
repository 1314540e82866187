"""Connections to the index: PostgreSQL, or SQLite on a local disk.

Reads take a connection for as long as a query lasts. Writes are one short transaction each, run again from
the start when the database says that another one was in the way.
"""

from __future__ import annotations

import math
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine

from archive.errors import CommitUnknown, FilmroomError, Unavailable
from archive.index.prepared import Prepared, driver_error, forget, wrapped
from archive.index.sql import Composed

T = TypeVar("T")

_ATTEMPTS = 8
_BUSY = 10  # seconds that a writer of SQLite waits for the others
_POLL = 0.0003  # seconds between two looks whether another process has ended its transaction
_CHECKPOINT = 4000  # pages of the log of SQLite; those that every store changes are then copied less often
_IDLE = 1.0  # seconds after which a pooled connection is asked whether it lives
# serialization_failure, deadlock_detected, lock_not_available (PostgreSQL, Appendix A)
_TRY_AGAIN = {"40001", "40P01", "55P03"}


class Database:
    """The index's engine and the two ways to use it."""

    def __init__(self, url: str, *, pool: int, timeout: int) -> None:
        """Prepare an engine for at most `pool` connections; statements end after `timeout` seconds."""
        self.engine: Engine = _engine(url, pool, timeout)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writing = Lock()

    def rows(self, statement: Prepared | Composed, **values: Any) -> list[Any]:
        """Execute one read by itself and return its rows. Raise Unavailable where that cannot be done.

        Nothing but the statement goes to the database: no transaction is begun around it. It is asked once
        more where the connection turns out to have been cut off meanwhile.
        """
        with _translated():
            try:
                return self._rows(statement, values)
            except exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            return self._rows(statement, values)

    def first(self, statement: Prepared | Composed, **values: Any) -> Any:
        """Return the first of `rows`, or None."""
        rows = self.rows(statement, **values)
        return rows[0] if rows else None

    def _rows(self, statement: Prepared | Composed, values: dict[str, Any]) -> list[Any]:
        dialect = self.engine.dialect
        try:
            connection = self.engine.raw_connection()
        except dialect.loaded_dbapi.Error as error:
            raise wrapped(dialect, error, broken=False) from error
        driver: Any = connection.driver_connection
        try:
            if self.is_sqlite:
                return statement.text(dialect).run(driver, values)
            driver.autocommit = True
            rows = statement.text(dialect).run(driver, values)
            driver.autocommit = False
            return rows
        except dialect.loaded_dbapi.Error as error:
            broken = dialect.is_disconnect(error, driver, None)
            if broken:
                forget(self.engine, connection, error)
            elif not self.is_sqlite:
                driver.autocommit = False
            raise wrapped(dialect, error, broken=broken) from error
        finally:
            connection.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading. Raise Unavailable where the database cannot be asked."""
        with _translated(), self.engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return what it returns, once that is durable.

        `work` may run several times, so it changes nothing outside the database. Raise CommitUnknown when
        the connection broke in the commit, Unavailable when the database cannot be asked.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with _translated():
                    return self._once(work)
            except InTheWay as error:
                if attempt == _ATTEMPTS - 1:
                    raise Unavailable("the index is too busy to be written now") from error
                time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 spreads writers, no secret
        raise AssertionError("unreachable")

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self._turn(), self.engine.connect().execution_options(filmroom_write=True) as connection:
            transaction = connection.begin()
            try:
                result = work(connection)
            except BaseException as error:
                transaction.rollback()
                if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
                    raise InTheWay("the connection was cut off, and nothing was committed") from error
                raise
            try:
                transaction.commit()
            except exc.DBAPIError as error:
                if _in_the_way(error):
                    raise
                raise CommitUnknown("the connection to the index broke while committing") from error
            return result

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one writer of this process at SQLite at a time: there can be but one, and this wait is fair."""
        if not self.is_sqlite:
            yield
            return
        if not self._writing.acquire(timeout=_BUSY):
            raise InTheWay("other writers of this process take too long")
        try:
            yield
        finally:
            self._writing.release()

    def check(self) -> None:
        """Ask the database something; raise Unavailable where it does not answer."""
        with self.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


class InTheWay(FilmroomError):
    """Another transaction was in the way; `write` runs the same work again."""


def _in_the_way(error: exc.DBAPIError) -> bool:
    code = getattr(error.orig, "pgcode", None)
    return code in _TRY_AGAIN or "database is locked" in str(error.orig)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.TimeoutError as error:
        raise Unavailable("every connection to the index is in use") from error
    except exc.DBAPIError as error:
        if _in_the_way(error):
            raise InTheWay from error
        if error.connection_invalidated or isinstance(error, (exc.OperationalError, exc.InterfaceError)):
            raise Unavailable("the index cannot be asked now") from error
        raise


def _engine(url: str, pool: int, timeout: int) -> Engine:
    waiting: dict[str, Any] = {
        "pool_size": pool,
        "max_overflow": 0,
        "pool_timeout": timeout,
        "pool_use_lifo": True,  # so few are used, and have at hand what they need
    }
    if url.startswith("sqlite"):
        engine = sa.create_engine(url, **waiting, connect_args={"timeout": _BUSY})
        sa.event.listen(engine, "connect", _sqlite_connect)
        sa.event.listen(engine, "begin", _sqlite_begin)
        return engine
    settings = {
        "jit": "off",
        # Pages of an index are cached, or on an SSD. By the default of 4, whole tables were read for names.
        "random_page_cost": 1.1,
        "statement_timeout": timeout * 1000,
        "lock_timeout": timeout * 1000,
    }
    engine = sa.create_engine(
        url,
        **waiting,
        isolation_level="READ COMMITTED",
        use_native_hstore=False,  # it would ask each new connection for a type that the index has not
        connect_args={
            "connect_timeout": 5,
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            "keepalives_idle": 30,
            "tcp_user_timeout": timeout * 1000,
        },
    )
    sa.event.listen(engine, "checkin", _checked_in)
    driver = engine.dialect.loaded_dbapi
    sa.event.listen(engine, "checkout", _checked_out((driver.OperationalError, driver.InterfaceError)))
    return engine


def _checked_in(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _checked_out(broken: tuple[type[Exception], ...]) -> Callable[[Any, Any, Any], None]:
    """Make what asks a connection that lay idle whether it still lives: SQLAlchemy takes another if not.

    One that was in use just now is not asked, because that would be a round trip for every statement.
    `broken` is what the driver raises of a connection that is gone.
    """

    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", math.inf) < _IDLE:
            return
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            connection.autocommit = False
        except broken as error:
            raise exc.DisconnectionError from error

    return ask


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _sqlite_begin
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={_CHECKPOINT}",
        f"busy_timeout={_BUSY * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    """Begin as a writer, because turning from reader to writer in the middle fails at once (SQLITE_BUSY)."""
    immediate = connection.get_execution_options().get("filmroom_write", False)
    driver: Any = connection.connection.driver_connection
    try:
        if immediate:
            _begin_writing(driver)
        else:
            driver.execute("BEGIN")
    except connection.dialect.loaded_dbapi.Error as error:
        raise driver_error(connection, error) from error


def _begin_writing(driver: sqlite3.Connection) -> None:
    """Begin a transaction as the one writer, when the other processes have ended theirs.

    SQLite's own wait sleeps for longer and longer, up to a tenth of a second: with four senders on two
    processes some waited for two seconds while the others wrote at half the rate.
    """
    end = time.monotonic() + _BUSY
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            time.sleep(_POLL)
    finally:
        driver.execute(f"PRAGMA busy_timeout={_BUSY * 1000}")
