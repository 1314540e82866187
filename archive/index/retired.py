"""Objects that are no longer live, and when their bytes may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index.engine import Database
from archive.index.schema import instances, organisations, retired_objects
from archive.model.level import Place


@dataclass(frozen=True, slots=True)
class Replaced:
    """An object that a newer version took the place of."""

    organisation: str
    place: Place
    object_key: str
    replaced_by: str


def due(database: Database, limit: int) -> list[str]:
    """Return the keys of retired objects whose time has come, marked, and named by no instance."""
    # Its key holds the UIDs of the instance, by which that is found.
    live = sa.exists().where(
        *(instances.c[n] == retired_objects.c[n] for n in ("organisation_id", "sop_uid", "object_key"))
    )
    with database.read() as connection:
        return list(
            connection.scalars(
                sa.select(retired_objects.c.object_key)
                .where(retired_objects.c.remove_after <= datetime.now(UTC), retired_objects.c.marked, ~live)
                .order_by(retired_objects.c.remove_after)
                .limit(limit)
            )
        )


def unmarked(database: Database, limit: int, keys: Sequence[str] | None = None) -> list[Replaced]:
    """Return replaced objects, among `keys` where given, that the bucket does not yet call replaced."""
    columns = retired_objects.c
    statement = (
        sa.select(
            organisations.c.name,
            columns.study_uid,
            columns.series_uid,
            columns.sop_uid,
            columns.object_key,
            columns.replaced_by,
        )
        .join(organisations, organisations.c.id == columns.organisation_id)
        .where(columns.marked.is_(False))
        .order_by(columns.object_key)
        .limit(limit)
    )
    if keys is not None:
        statement = statement.where(columns.object_key.in_(keys))
    with database.read() as connection:
        return [Replaced(row[0], Place(*row[1:4]), row[4], row[5]) for row in connection.execute(statement)]


def set_marked(connection: Connection, keys: list[str]) -> None:
    """Note that the bucket calls these objects replaced."""
    connection.execute(
        sa.update(retired_objects).where(retired_objects.c.object_key.in_(keys)).values(marked=True)
    )


def forget(connection: Connection, keys: list[str]) -> None:
    """Forget retired objects whose bytes are gone."""
    connection.execute(sa.delete(retired_objects).where(retired_objects.c.object_key.in_(keys)))
