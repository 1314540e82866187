"""Objects that are no longer live, and when their bytes may go."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index.engine import Database
from archive.index.schema import instances, retired_objects


def due(database: Database, limit: int) -> list[str]:
    """Return the keys of retired objects whose time has come; never one that an instance names."""
    live = sa.exists().where(instances.c.object_key == retired_objects.c.object_key)
    with database.read() as connection:
        return list(
            connection.scalars(
                sa.select(retired_objects.c.object_key)
                .where(retired_objects.c.remove_after <= datetime.now(UTC), ~live)
                .order_by(retired_objects.c.remove_after)
                .limit(limit)
            )
        )


def forget(connection: Connection, keys: list[str]) -> None:
    """Forget retired objects whose bytes are gone."""
    connection.execute(sa.delete(retired_objects).where(retired_objects.c.object_key.in_(keys)))
