"""The page that finds studies, among 100,000 of them: what a person waits for, on both kinds of database."""

from __future__ import annotations

import logging
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from werkzeug.test import Client

from archive.app import create_app
from archive.index import migrate
from archive.log import ACCESS_LOGGER
from archive.settings import Settings
from archive.web.context import EXTENSION
from bench.crowd_instances import fill
from bench.table import Row
from tests.services.postgresql import PostgreSQL

_STUDIES = 100_000
_ROUNDS = 7
_GOAL = "200 ms"
_SEARCHES = (
    ("the newest", ""),
    ("sorted by name", "order=name"),
    ("sorted by patient ID, downwards", "order=-id"),
    ("sorted by accession number", "order=accession"),
    ("sorted by description", "order=description"),
    ("`mil` typed", "q=mil"),
    ("`anna smith` typed, by name", "q=anna+smith&order=name"),
    ("an accession number typed", "q=RIS00012345"),
    ("what is not there typed", "q=zzz"),
    ("MR of a month", "modality=MR&from=2025-03-01&to=2025-03-31"),
)


def rows() -> Iterator[Row]:
    """Measure pages on SQLite, then on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _measured("SQLite", f"sqlite:///{Path(folder) / 'crowd.db'}", folder)
    cluster = PostgreSQL()
    try:
        yield from _measured("PostgreSQL", cluster.start().new_database(), cluster.folder)
    finally:
        cluster.stop()


def _measured(kind: str, url: str, folder: str | Path) -> Iterator[Row]:
    migrate.upgrade(url)
    with _client(Settings(data=str(folder), database_url=url, log_level="error")) as client:
        for what, query in _SEARCHES:
            yield Row(f"find, {kind}, {_STUDIES:,} studies: {what}", _time(client, f"/?{query}"), _GOAL)
        for order in ("", "name"):
            last = _follow(client, f"/?order={order}", pages=100)
            said = f"page 101 {f'by {order}' if order else 'of the newest'}"
            yield Row(f"find, {kind}, {_STUDIES:,} studies: {said}", _time(client, last), _GOAL)


@contextmanager
def _client(settings: Settings) -> Iterator[Client]:
    logging.getLogger(ACCESS_LOGGER).disabled = True  # the table is what is printed
    app = create_app(settings)
    services = app.extensions[EXTENSION]
    fill(services.database, _STUDIES, 0)
    if not services.database.is_sqlite:
        with services.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    try:
        yield Client(app)
    finally:
        services.close()


def _time(client: Client, address: str) -> str:
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        answer = client.get(address, buffered=True)
        times.append(time.perf_counter() - start)
        assert answer.status_code == 200
    return f"{min(times) * 1000:.0f} ms, median {statistics.median(times) * 1000:.0f} ms"


def _follow(client: Client, address: str, *, pages: int) -> str:
    """Return the address of the page that so many clicks on Next lead to."""
    for _ in range(pages):
        found = re.search(r'rel="next"[^>]*href="([^"]+)"', client.get(address, buffered=True).text)
        assert found is not None
        address = found[1].replace("&amp;", "&")
    return address
