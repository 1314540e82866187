"""The steps in migrations/ build what archive/index/schema.py says, on both back ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from archive.errors import Unavailable
from archive.index import migrate
from archive.index.schema import metadata
from tests.services.postgresql import PostgreSQL


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a database that holds nothing yet; that of SQLite is not even a file."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new folder' / 'filmroom.db'}"
    cluster: PostgreSQL = request.getfixturevalue("postgresql")
    return cluster.empty_database()


def _engine(url: str) -> sa.Engine:
    return sa.create_engine(url, poolclass=sa.NullPool)


def _is_for(index: sa.Index, dialect: str = "postgresql") -> bool:
    return index._ddl_if is None or index._ddl_if.dialect == dialect  # no public way to ask


def test_upgrade_builds_the_schema(empty_url: str) -> None:
    assert migrate.revision(empty_url) is None
    assert not migrate.is_current(empty_url)
    migrate.upgrade(empty_url)
    assert migrate.is_current(empty_url)
    with _engine(empty_url).connect() as connection:
        real = (
            connection.dialect.name == "postgresql"
        )  # SQLite's expressions cannot be reflected: see the next
        options = {
            "compare_server_default": real,
            "include_object": lambda item, _name, kind, *_others: kind != "index" or (real and _is_for(item)),
        }
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        assert connection.scalar(sa.text("SELECT name FROM organisations WHERE id = 1")) == "default"


def test_same_definitions(empty_url: str) -> None:
    """Columns, keys and indexes are word for word what the schema alone would build."""
    migrate.upgrade(empty_url)
    built = _definitions(empty_url)
    with _engine(empty_url).begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert built == _definitions(empty_url)


_SQLITE = """
    SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
    UNION ALL SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table'
    UNION ALL SELECT m.name || '.' || c.name, printf('%s %s %s %s', c.type, c."notnull", c.dflt_value, c.pk)
    FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'
    UNION ALL SELECT m.name || '.' || k."from", printf('%s %s %s', k."table", k."to", k.on_delete)
    FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS k WHERE m.type = 'table'
"""
_POSTGRESQL = """
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT relname, array_to_string(reloptions, ' ') FROM pg_class
    WHERE relkind = 'r' AND reloptions IS NOT NULL
    UNION ALL SELECT table_name || '.' || column_name,
    concat_ws(' ', data_type, collation_name, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""


def _definitions(url: str) -> set[tuple[str, ...]]:
    engine = _engine(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.text(_SQLITE if engine.dialect.name == "sqlite" else _POSTGRESQL)).all()
    return {tuple(row) for row in rows}


def test_upgrade_again_changes_nothing(database_url: str) -> None:
    with _engine(database_url).begin() as connection:
        connection.execute(sa.text("INSERT INTO organisations (name) VALUES ('second')"))
    migrate.upgrade(database_url)
    with _engine(database_url).connect() as connection:
        rows = connection.execute(sa.text("SELECT id, name FROM organisations ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [(1, "default"), (2, "second")]


def test_many_processes_at_once(empty_url: str) -> None:
    program = "import sys; from archive.index.migrate import upgrade; upgrade(sys.argv[1])"
    command = [sys.executable, "-c", program, empty_url]
    root = Path(__file__).parents[2]
    running = [
        subprocess.Popen(command, stderr=subprocess.PIPE, cwd=root, text=True, start_new_session=True)
        for _ in range(6)
    ]
    errors = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 6, "\n".join(errors)
    assert migrate.is_current(empty_url)


def test_newer_index_is_refused(database_url: str) -> None:
    with _engine(database_url).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="newer release"):
        migrate.upgrade(database_url)
    assert not migrate.is_current(database_url)


def test_no_database_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        migrate.upgrade("postgresql+psycopg2://postgres@127.0.0.1:1/none")
    (tmp_path / "filmroom.db").mkdir()
    with pytest.raises(Unavailable):
        migrate.upgrade(f"sqlite:///{tmp_path / 'filmroom.db'}")


def test_without_trigrams(postgresql: PostgreSQL, new_database: Callable[[], str]) -> None:
    """A role that may make tables but no extension gets its index all the same."""
    new_database()
    url = postgresql.empty_database()
    name = sa.make_url(url).database
    postgresql.execute("DROP ROLE IF EXISTS plain")
    postgresql.execute("CREATE ROLE plain LOGIN")
    with _engine(url).begin() as connection:
        connection.execute(sa.text("GRANT CREATE ON SCHEMA public TO plain"))
        connection.execute(sa.text(f'REVOKE CREATE ON DATABASE "{name}" FROM PUBLIC'))
    plain = url.replace("postgres@", "plain@")
    migrate.upgrade(plain)
    assert migrate.is_current(plain)
