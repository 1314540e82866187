"""Statements of the hot paths: compiled once, then given to the driver with nothing in between.

SQLAlchemy builds, keys and wraps a statement anew for each use, which costs more than the database takes to
answer a look-up. A Prepared is written in SQLAlchemy's words too, with named bind parameters; its text, the
conversions of its values and the names of its columns are worked out once for each kind of database.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.pool import PoolProxiedConnection

T = TypeVar("T")

Build = Callable[[str], Any]
"""Gives the statement for a kind of database, "sqlite" or "postgresql"."""


class Prepared:
    """A statement with named parameters. `build` may be the statement itself where both databases take it."""

    def __init__(self, build: Build | sa.sql.Executable) -> None:
        self._build = build
        self._texts: dict[str, _Text] = {}

    def run(self, connection: Connection, **values: Any) -> list[Any]:
        """Execute in the transaction of `connection`; return the rows, as named tuples."""
        return _asked(connection, self.text(connection.dialect).run, values)

    def first(self, connection: Connection, **values: Any) -> Any:
        """Execute as `run` does; return the first row or None."""
        rows = self.run(connection, **values)
        return rows[0] if rows else None

    def many(self, connection: Connection, values: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Execute an INSERT of one row of parameters for each of `values`; return the rows of its RETURNING.

        One round trip on PostgreSQL, where the statement must have a single VALUES list.
        """
        return _asked(connection, self.text(connection.dialect).many, values)

    def text(self, dialect: Dialect) -> _Text:
        """Return the compiled form for a kind of database."""
        text = self._texts.get(dialect.name)
        if text is None:
            statement = self._build(dialect.name) if callable(self._build) else self._build
            text = self._texts[dialect.name] = _Text(statement, dialect)
        return text


def together(connection: Connection, inserts: Sequence[tuple[Prepared, Sequence[Mapping[str, Any]]]]) -> None:
    """Execute INSERTs of which nothing comes back, each with its rows: one round trip on PostgreSQL."""
    dialect = connection.dialect
    if dialect.name == "sqlite":
        for statement, rows in inserts:
            statement.many(connection, rows)
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor:
            texts = [statement.text(dialect).filled(cursor, rows) for statement, rows in inserts if rows]
            if texts:
                cursor.execute(b";".join(texts))
    except dialect.loaded_dbapi.Error as error:
        raise driver_error(connection, error) from error


def _asked(connection: Connection, ask: Callable[[Any, T], list[Any]], values: T) -> list[Any]:
    """Ask the driver of a connection; raise what SQLAlchemy would raise for its errors."""
    try:
        return ask(connection.connection.driver_connection, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise driver_error(connection, error) from error


class _Text:
    """A statement as a driver takes it."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._sqlite = dialect.name == "sqlite"
        # Of the driver that was chosen: psycopg2 is 5 MB of memory that an embedded index has no use for.
        self._execute_values: Any = None if self._sqlite else import_module("psycopg2.extras").execute_values
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._names: Sequence[str] = compiled.positiontup if compiled.positional else list(binds)
        self._constants = {name: bind.value for name, bind in binds.items() if not bind.required}
        self._converts: dict[str, Callable[[Any], Any]] = {}
        for name, bind in binds.items():
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                self._converts[name] = convert
        columns = list(statement.exported_columns) if getattr(statement, "exported_columns", None) else []
        self._row = _row_class([column.key for column in columns])
        found = (
            (at, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for at, column in enumerate(columns)
        )
        self._results = [(at, convert) for at, convert in found if convert is not None]

    def run(self, driver: Any, values: Mapping[str, Any]) -> list[Any]:
        """Execute and fetch everything."""
        cursor = driver.cursor()
        try:
            cursor.execute(self.sql, self._arguments(values))
            return self._rows(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    def many(self, driver: Any, values: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Execute for each of `values` and fetch everything."""
        arguments = [self._arguments(each) for each in values]
        if not arguments:
            return []
        cursor = driver.cursor()
        try:
            if not self._sqlite:
                head, template, tail = _around_values(self.sql)
                sql = f"{head}%s{tail}"
                fetched = self._execute_values(
                    cursor, sql, arguments, template, page_size=len(arguments), fetch=bool(self._row._fields)
                )
                return self._rows(fetched or [])
            if not self._row._fields:
                cursor.executemany(self.sql, arguments)
                return []
            rows: list[Any] = []
            for each in arguments:
                rows += cursor.execute(self.sql, each).fetchall()
            return self._rows(rows)
        finally:
            cursor.close()

    def filled(self, cursor: Any, values: Iterable[Mapping[str, Any]]) -> bytes:
        """Return an INSERT with the rows in its text, as psycopg2 sends it."""
        head, template, tail = _around_values(self.sql)
        rows = b",".join([cursor.mogrify(template, self._arguments(each)) for each in values])
        encoding = "utf-8"  # the text before and after the rows has no placeholder left, nor a % of its own
        return head.encode(encoding) + rows + tail.encode(encoding)

    def _arguments(self, values: Mapping[str, Any]) -> Any:
        given = {**self._constants, **values} if self._constants else values
        converts = self._converts
        if self._sqlite:
            return tuple(
                [converts[name](given[name]) if name in converts else given[name] for name in self._names]
            )
        if converts:
            return {
                name: converts[name](given[name]) if name in converts else given[name] for name in self._names
            }
        return given

    def _rows(self, fetched: list[Any]) -> list[Any]:
        make = self._row._make
        if not self._results:
            return [make(row) for row in fetched]
        rows = []
        for row in fetched:
            converted = list(row)
            for at, convert in self._results:
                converted[at] = convert(converted[at])
            rows.append(make(converted))
        return rows


def _row_class(names: list[str]) -> Any:
    return namedtuple("Row", names)


def _around_values(sql: str) -> tuple[str, str, str]:
    """Cut an INSERT at its one VALUES list."""
    start = sql.index(" VALUES (") + len(" VALUES ")
    depth = 0
    for at in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if depth == 0:
            return sql[:start], sql[start : at + 1], sql[at + 1 :]
    raise ValueError("the statement has no VALUES list")


def driver_error(connection: Connection, error: Exception) -> BaseException:
    """Return what SQLAlchemy would raise for an error of its driver, a broken connection thrown away."""
    dialect = connection.dialect
    broken = dialect.is_disconnect(error, connection.connection.driver_connection, None)  # type: ignore[arg-type]
    if broken:
        forget(connection.engine, connection.connection, error)
        connection.invalidate(error)
    return wrapped(dialect, error, broken=broken)


def forget(engine: Engine, connection: PoolProxiedConnection, error: BaseException) -> None:
    """Throw a broken connection away, and with it all that were opened before now."""
    engine.pool._invalidate(connection, error)  # as SQLAlchemy itself does


def wrapped(dialect: Dialect, error: Exception, *, broken: bool) -> BaseException:
    """Return what SQLAlchemy would raise for an error of the driver, without the statement's values."""
    return exc.DBAPIError.instance(
        None,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=broken,
        dialect=dialect,
    )


class _List(sa.types.TypeDecorator[Any]):
    """A list as one parameter: an array of PostgreSQL, a JSON text elsewhere."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: type[sa.types.TypeEngine[Any]]) -> None:
        super().__init__()
        self._item = item

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(postgresql.ARRAY(self._item))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return orjson.dumps(list(value)).decode() if dialect.name == "sqlite" else list(value)


def is_among(column: sa.ColumnElement[Any], name: str, dialect: str) -> sa.ColumnElement[bool]:
    """Return the condition that `column` is one of the list given as parameter `name`, of any length."""
    parameter = sa.bindparam(name, type_=_List(type(column.type)))
    if dialect == "sqlite":
        each = sa.func.json_each(parameter).table_valued("value")
        return column.in_(sa.select(each.c.value))
    return column == sa.func.any(parameter)
