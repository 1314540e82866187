"""Ids of organisations are remembered for a database, never for whatever else has its address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from archive.errors import NotFound
from archive.index.engine import Database
from archive.index.organisations import organisation_id
from archive.index.schema import organisations


def test_a_new_file_at_the_same_path_is_another_database(new_sqlite_database: Callable[[], str]) -> None:
    url = new_sqlite_database()
    first = Database(url, pool=1, timeout=5)
    first.write(lambda connection: connection.execute(sa.insert(organisations).values(name="second")))
    with first.read() as connection:
        assert organisation_id(connection, "second") == organisation_id(connection, "second") == 2
    first.write(
        lambda connection: connection.execute(sa.delete(organisations).where(organisations.c.id == 2))
    )
    first.close()
    again = Database(url, pool=1, timeout=5)
    with again.read() as connection, pytest.raises(NotFound):
        organisation_id(connection, "second")
    again.close()
