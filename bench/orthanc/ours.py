"""The Filmrooms of a comparison: on SQLite and a folder, and where asked on PostgreSQL and S3 as well.

PostgreSQL and the S3 server are those of the tests, PostgreSQL with fsync. What they use themselves is not
counted; what they cost in time is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.dicomweb.runner import Server
from bench.server import Server as Filmroom
from tests.services.postgresql import PostgreSQL
from tests.services.s3 import S3


@contextmanager
def embedded(folder: Path) -> Iterator[Server]:
    """Give a Filmroom with its defaults: SQLite and a folder, as many workers as there are cores."""
    with Filmroom(folder=folder, workers=0, embedded_worker="auto") as filmroom:
        yield filmroom.measured("Filmroom")


@contextmanager
def with_services(folder: Path) -> Iterator[Server]:
    """Give a Filmroom on PostgreSQL and S3."""
    cluster, store = PostgreSQL(folder / "postgresql", durable=True), S3(folder / "s3")
    try:
        cluster.start()
        store.start()
        urls = {"database_url": cluster.new_database(), "storage_url": store.new_url()}
        with Filmroom(folder=folder, workers=0, **urls) as filmroom:
            yield filmroom.measured("Filmroom, PostgreSQL + S3")
    finally:
        store.stop()
        cluster.stop()
        for each in (cluster.folder, store.folder):
            shutil.rmtree(each, ignore_errors=True)
