"""Rows into a table in one go: COPY in PostgreSQL's binary format, executemany on SQLite.

The format is that of PostgreSQL's manual, COPY, "Binary Format": no escapes, so bytes go as they are.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg2
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index.prepared import driver_error

Rows = Sequence[dict[str, Any]]

_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)
_LENGTH = struct.Struct("!i")
_EIGHT, _FOUR = struct.Struct("!iq"), struct.Struct("!ii")
_TRUE, _FALSE = b"\0\0\0\1\1", b"\0\0\0\1\0"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of PostgreSQL's timestamps, which count microseconds


def copy(connection: Connection, table: sa.Table, rows: Rows) -> None:
    """Insert rows that all have the same columns; raise sqlalchemy's IntegrityError where one is there."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(sa.insert(table), rows)
        return
    names = ", ".join(f'"{name}"' for name in rows[0])
    statement = f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT binary)'
    cursor = connection.connection.cursor()
    try:
        cursor.copy_expert(statement, io.BytesIO(encoded(table, rows)))
    except psycopg2.Error as error:
        raise driver_error(connection, error) from error
    finally:
        cursor.close()


def encoded(table: sa.Table, rows: Rows) -> bytes:
    """Return rows as COPY takes them."""
    writers = [(name, _writer(table.c[name].type)) for name in rows[0]]
    count = struct.pack("!h", len(writers))
    parts = [_HEAD]
    for row in rows:
        parts.append(count)
        for name, write in writers:
            value = row[name]
            parts.append(_NULL if value is None else write(value))
    parts.append(_END)
    return b"".join(parts)


def _writer(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], bytes]:
    if isinstance(kind, sa.BigInteger):
        return lambda value: _EIGHT.pack(8, value)
    if isinstance(kind, sa.Integer):
        return lambda value: _FOUR.pack(4, value)
    if isinstance(kind, sa.Text):
        return lambda value: _bytes(value.encode())
    if isinstance(kind, sa.LargeBinary):
        return _bytes
    if isinstance(kind, sa.Boolean):
        return lambda value: _TRUE if value else _FALSE
    if isinstance(kind, sa.DateTime):
        return lambda value: _EIGHT.pack(8, round((value - _EPOCH).total_seconds() * 1_000_000))
    raise TypeError(f"no binary form for {kind!r}")


def _bytes(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value
