"""The real servers and back ends that tests ask for by name; all start when first asked for.

postgresql    the cluster of this run: .new_database() gives a migrated database, .url(), .execute()
s3            the object store of this run: .new_url() gives a storage URL under which nothing is
new_database  function () -> URL of a migrated, empty database; new_sqlite_database likewise in a file
database_url  URL of a migrated, empty database: [sqlite] and [postgresql]
storage_url   storage URL under which nothing is: [file] and [s3]
backend       Settings over both pairs: [sqlite+folder] and [postgresql+s3]
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import hypothesis
import pytest

from archive.index import migrate
from archive.settings import Settings
from tests.services.postgresql import PostgreSQL
from tests.services.s3 import S3

# boto3 would look for credentials on the network of a cloud, and in the home of whoever runs the tests.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# A busy machine must not fail a property for being slow.
hypothesis.settings.register_profile("filmroom", deadline=None)
hypothesis.settings.load_profile("filmroom")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Give a running PostgreSQL cluster, fsync off."""
    cluster = PostgreSQL()
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """Give a running S3-compatible store."""
    store = S3()
    try:
        yield store.start()
    finally:
        store.stop()


@pytest.fixture(scope="session")
def new_database(postgresql: PostgreSQL) -> Callable[[], str]:
    """Give a function that makes a migrated, empty PostgreSQL database and returns its URL."""
    return postgresql.new_database


@pytest.fixture(scope="session")
def new_sqlite_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Give a function that makes a migrated, empty SQLite database and returns its URL."""
    template = tmp_path_factory.mktemp("sqlite-template") / "filmroom.db"
    migrate.upgrade(f"sqlite:///{template}")

    def new() -> str:
        return f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp('sqlite') / 'filmroom.db')}"

    return new


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a migrated, empty database of each kind."""
    if request.param == "sqlite":
        new: Callable[[], str] = request.getfixturevalue("new_sqlite_database")
        yield new()
    else:
        yield from _database(request)


def _database(request: pytest.FixtureRequest) -> Iterator[str]:
    cluster: PostgreSQL = request.getfixturevalue("postgresql")
    url = cluster.new_database()
    yield url
    cluster.drop(url)


@pytest.fixture(params=["file", "s3"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a storage URL of each kind, with nothing under it."""
    if request.param == "file":
        return f"file://{quote(str(tmp_path / 'objects'))}"
    store: S3 = request.getfixturevalue("s3")
    return store.new_url()


@pytest.fixture(params=["sqlite+folder", "postgresql+s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Give settings over each pair of back ends: the embedded default and the real ones."""
    if request.param == "sqlite+folder":
        new: Callable[[], str] = request.getfixturevalue("new_sqlite_database")
        yield Settings(data=str(tmp_path), database_url=new())
        return
    store: S3 = request.getfixturevalue("s3")
    for url in _database(request):
        yield Settings(data=str(tmp_path), database_url=url, storage_url=store.new_url())
