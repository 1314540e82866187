"""Organisations: whose a study is. Rows are never removed, so their ids are remembered for each engine."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from archive.errors import NotFound
from archive.index.engine import Database
from archive.index.schema import organisations
from archive.model.principal import Principal

_known: WeakKeyDictionary[Engine, dict[str, int]] = WeakKeyDictionary()


def organisation_id(connection: Connection, name: str) -> int:
    """Return the id of an organisation; raise NotFound where there is none."""
    known = _known.setdefault(connection.engine, {})
    if name not in known:
        found = connection.scalar(sa.select(organisations.c.id).where(organisations.c.name == name))
        if found is None:
            raise NotFound(f"there is no organisation {name}")
        known[name] = found
    return known[name]


def asking(database: Database, principal: Principal) -> dict[str, int]:
    """Return the parameters of `visible` in prepared statements; raise NotFound for no organisation."""
    known = _known.get(database.engine, {}).get(principal.organisation)
    if known is None:
        with database.read() as connection:
            known = organisation_id(connection, principal.organisation)
    return {"organisation": known}
