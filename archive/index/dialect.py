"""What PostgreSQL and SQLite both do, each in its own way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return an INSERT that knows ON CONFLICT and `excluded`."""
    return insert_into(table, connection.dialect.name)


def insert_into(table: sa.Table, dialect: str) -> Any:
    """Return an INSERT that knows ON CONFLICT and `excluded`, for a kind of database."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_row(table: sa.Table, dialect: str, *, without: tuple[str, ...] = ()) -> Any:
    """Return an INSERT of one row for a prepared statement: a parameter for each column but some."""
    columns = {column.name: column for column in table.columns if column.name not in without}
    return insert_into(table, dialect).values(
        {name: sa.bindparam(name, type_=each.type) for name, each in columns.items()}
    )


def utc(moment: datetime) -> datetime:
    """Give a moment its zone: SQLite keeps none, and what is written is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
