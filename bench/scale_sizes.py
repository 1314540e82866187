"""How large an index is on disk: each table with what lies beside it, and each of its indexes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from archive.index.engine import Database

_TABLES = sa.text("""
    SELECT c.relname, c.reltuples::bigint, pg_relation_size(c.oid),
    pg_table_size(c.oid) - pg_relation_size(c.oid)
    FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    ORDER BY pg_total_relation_size(c.oid) DESC
""")
_INDEXES = sa.text("""
    SELECT t.relname, i.relname, pg_relation_size(i.oid)
    FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS t ON t.oid = x.indrelid
    WHERE t.relnamespace = 'public'::regnamespace ORDER BY pg_relation_size(i.oid) DESC
""")


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of one thing on disk."""

    table: str
    what: str  # "rows", "beside" (long values, free space and visibility maps) or the name of an index
    bytes: int


def sizes(database: Database) -> Iterator[Size]:
    """Give the sizes of whatever holds more than an empty table."""
    with database.read() as connection:
        tables = connection.execute(_TABLES).all()
        indexes = connection.execute(_INDEXES).all()
    for table, rows, heap, beside in tables:
        if rows <= 0:
            continue
        yield Size(table, "rows", heap)
        yield Size(table, "beside", beside)
        for owner, index, size in indexes:
            if owner == table:
                yield Size(table, index, size)


def rows(database: Database) -> dict[str, int]:
    """Return about how many rows each table has."""
    with database.read() as connection:
        return {row.relname: row.reltuples for row in connection.execute(_TABLES)}
