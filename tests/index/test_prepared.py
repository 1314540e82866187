"""Prepared statements: the same values and rows as SQLAlchemy gives, on both kinds of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import Unavailable
from archive.index.dialect import insert_into, utc
from archive.index.engine import Database
from archive.index.prepared import Prepared, is_among
from archive.index.schema import organisations, retired_objects, tombstones

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
DEAD = Prepared(
    lambda dialect: (
        insert_into(tombstones, dialect)
        .on_conflict_do_nothing()
        .returning(tombstones.c.study_uid, tombstones.c.deleted_at)
    )
)
NAMED = Prepared(sa.select(organisations.c.id).where(organisations.c.name == sa.bindparam("name")))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool=2, timeout=5)
    yield database
    database.close()


def _dead(uid: str) -> dict[str, Any]:
    return {"organisation_id": 1, "study_uid": uid, "series_uid": "", "sop_uid": "", "deleted_at": NOW}


def test_many_rows_go_in_and_what_is_new_comes_back(database: Database) -> None:
    first = database.write(lambda connection: DEAD.many(connection, [_dead("1.2"), _dead("1.3")]))
    again = database.write(lambda connection: DEAD.many(connection, [_dead("1.3"), _dead("1.4")]))
    assert [(row.study_uid, utc(row.deleted_at)) for row in first] == [("1.2", NOW), ("1.3", NOW)]
    assert [row.study_uid for row in again] == ["1.4"]
    assert database.write(lambda connection: DEAD.many(connection, [])) == []


def test_values_are_converted_as_sqlalchemy_does(database: Database) -> None:
    values = {
        "object_key": "a",
        "organisation_id": 1,
        "study_uid": "1",
        "series_uid": "2",
        "sop_uid": "3",
        "reason": "deleted",
        "replaced_by": "",
        "marked": False,
        "retired_at": NOW,
        "remove_after": NOW,
    }
    database.write(lambda connection: Prepared(sa.insert(retired_objects)).run(connection, **values))
    with database.read() as connection:
        theirs = connection.execute(sa.select(retired_objects)).one()
    ours = database.first(Prepared(sa.select(retired_objects)))
    assert tuple(ours) == tuple(theirs)
    assert ours.marked is False
    assert ours._fields == theirs._fields


def test_values_written_in_the_statement_are_kept(database: Database) -> None:
    fixed = Prepared(
        sa.select(organisations.c.id, sa.literal("50 % of :it").label("text")).where(
            organisations.c.name == "default", organisations.c.id == sa.bindparam("id")
        )
    )
    assert [tuple(row) for row in database.rows(fixed, id=1)] == [(1, "50 % of :it")]


@pytest.mark.parametrize("wanted", [[], ["1.2"], ["1.2", "1.4", "it's", '"', "{1,2}", "\\"]])
def test_a_list_of_any_length_is_one_parameter(database: Database, wanted: list[str]) -> None:
    uids = ["1.2", "1.3", "it's", '"', "\\"]
    database.write(lambda connection: DEAD.many(connection, [_dead(uid) for uid in uids]))
    among = Prepared(
        lambda dialect: sa.select(tombstones.c.study_uid).where(
            is_among(tombstones.c.study_uid, "uids", dialect)
        )
    )
    assert {row.study_uid for row in database.rows(among, uids=wanted)} == set(uids) & set(wanted)


def test_a_value_is_never_read_as_sql(database: Database) -> None:
    assert database.rows(NAMED, name="x' OR '1'='1") == []
    assert database.rows(NAMED, name="%s %(name)s :name ?") == []
    assert database.first(NAMED, name="default").id == 1


def test_a_statement_that_fails_is_told_without_its_values(database: Database) -> None:
    twice = Prepared(sa.insert(organisations))
    with pytest.raises(sa.exc.IntegrityError) as caught:
        database.write(lambda connection: twice.run(connection, id=1, name="Doe^Jane"))
    assert "parameters" not in str(caught.value)


def _cut_off(connection: Connection) -> None:
    connection.execute(
        sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    )


def test_a_connection_that_was_cut_off_is_not_noticed_by_who_asks(new_database: Callable[[], str]) -> None:
    url = new_database()
    database, other = Database(url, pool=2, timeout=5), Database(url, pool=1, timeout=5)
    asks: list[Callable[[], int]] = [
        lambda: int(database.first(NAMED, name="default").id),
        lambda: database.write(lambda connection: int(NAMED.first(connection, name="default").id)),
    ]
    for ask in asks:
        assert ask() == 1
        with other.read() as connection:
            _cut_off(connection)
        assert ask() == 1
    database.close()
    other.close()


def test_a_database_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql+psycopg2://nobody@127.0.0.1:1/none", pool=1, timeout=5)
    with pytest.raises(Unavailable):
        database.rows(NAMED, name="default")
    database.close()
