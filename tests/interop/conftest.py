"""One live archive for the clients of a module: four workers on PostgreSQL and S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from archive.settings import Settings
from tests.services.filmroom import Filmroom
from tests.services.s3 import S3


@pytest.fixture(scope="module")
def live(
    s3: S3, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filmroom]:
    """Give a running archive."""
    folder = tmp_path_factory.mktemp("interop")
    settings = Settings(data=str(folder), database_url=new_database(), storage_url=s3.new_url())
    with Filmroom(settings, folder, workers=4) as server:
        yield server
