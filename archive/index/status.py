"""What the index holds, in numbers, and what background work waits: without looking at rows of instances.

Counts come from the tallies of studies (study_state), so they cost as many narrow rows as there are studies.
No values of patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from archive.errors import NotFound
from archive.index.dialect import utc
from archive.index.engine import Database
from archive.index.organisations import organisation_id
from archive.index.schema import retired_objects, search_attributes, studies, study_state
from archive.model.principal import Principal

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is; `bytes` are those of the live objects."""

    studies: int = 0
    series: int = 0
    instances: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Background work that waits. Numbers stop at MOST_COUNTED + 1.

    `unmarked`: replaced objects that the bucket does not call so yet; `due`: objects whose bytes may go, the
    first of them since `due_since`; `attributes`: attributes of the site that are not indexed yet.
    """

    unmarked: int
    due: int
    due_since: datetime | None
    attributes: int


def counts(database: Database, principal: Principal, since: datetime | None = None) -> Counts:
    """Return how much the caller's organisation has, of studies whose first instance came after `since`."""
    columns = [sa.func.coalesce(sa.func.sum(study_state.c[n]), 0) for n in ("series", "instances", "bytes")]
    with database.read() as connection:
        owner = _owner(connection, principal)
        statement = (
            sa.select(sa.func.count(), *columns)
            .select_from(studies.join(study_state, study_state.c.study_id == studies.c.id))
            .where(studies.c.organisation_id == owner)
        )
        if since is not None:
            statement = statement.where(studies.c.created_at >= since.astimezone(UTC))
        return Counts(*(int(number) for number in connection.execute(statement).one()))


def newest(database: Database, principal: Principal) -> datetime | None:
    """Return when the first instance of the newest study came."""
    with database.read() as connection:
        owner = _owner(connection, principal)
        statement = sa.select(sa.func.max(studies.c.created_at)).where(studies.c.organisation_id == owner)
        return _utc(connection.execute(statement).scalar_one())


def waiting(database: Database) -> Waiting:
    """Return the background work that waits, of all organisations: workers serve them all."""
    columns = retired_objects.c
    with database.read() as connection:

        def number(*conditions: sa.ColumnElement[bool]) -> int:
            some = sa.select(sa.literal(1)).select_from(retired_objects).where(*conditions)
            counted = sa.select(sa.func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())
            return int(connection.execute(counted).scalar_one())

        due = (columns.remove_after <= datetime.now(UTC), columns.marked)
        unready = sa.select(sa.func.count()).where(search_attributes.c.ready.is_(False))
        first = sa.select(columns.remove_after).where(*due).order_by(columns.remove_after).limit(1)
        return Waiting(
            unmarked=number(columns.marked.is_(False)),
            due=number(*due),
            due_since=_utc(connection.execute(first).scalar_one_or_none()),
            attributes=int(connection.execute(unready).scalar_one()),
        )


def _owner(connection: sa.Connection, principal: Principal) -> int:
    """Return the id of the caller's organisation, one that nobody has where there is none."""
    try:
        return organisation_id(connection, principal.organisation)
    except NotFound:
        return -1


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else utc(moment)
