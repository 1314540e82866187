"""What PostgreSQL and SQLite both do, each in its own way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return an INSERT that knows ON CONFLICT and `excluded`."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def utc(moment: datetime) -> datetime:
    """Give a moment its zone: SQLite keeps none, and what is written is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
