"""Organisations: whose a study is. Rows are never removed, so their ids may be remembered."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import NotFound
from archive.index.schema import organisations

_known: dict[tuple[str, str], int] = {}


def organisation_id(connection: Connection, name: str) -> int:
    """Return the id of an organisation; raise NotFound where there is none."""
    where = (str(connection.engine.url), name)
    if where not in _known:
        found = connection.scalar(sa.select(organisations.c.id).where(organisations.c.name == name))
        if found is None:
            raise NotFound(f"there is no organisation {name}")
        _known[where] = found
    return _known[where]
