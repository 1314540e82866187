"""The database or the object store away: the right status meanwhile, and recovery without a restart."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive.settings import Settings
from tests import builders
from tests.services.filmroom import Filmroom
from tests.services.postgresql import PostgreSQL
from tests.services.s3 import S3

DICOM = {"Content-Type": "application/dicom"}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[PostgreSQL, S3, Filmroom]]:
    """Give a live archive over a database and a store of its own, to be stopped at will."""
    postgresql, s3 = PostgreSQL(), S3()
    if s3.external:
        pytest.skip("the store is not ours to stop")
    try:
        postgresql.start()
        s3.start()
        settings = Settings(
            data=str(tmp_path),
            database_url=postgresql.new_database(),
            storage_url=s3.new_url(),
            store_timeout=3,
            database_timeout=5,
        )
        with Filmroom(settings, tmp_path, workers=2) as server:
            yield postgresql, s3, server
    finally:
        s3.stop()
        postgresql.stop()


def ask(server: Filmroom, path: str, data: bytes | None = None) -> tuple[int, dict[str, str]]:
    """Send a request; return status and headers."""
    request = urllib.request.Request(server.url + path, data, DICOM if data else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            error.read()
            return error.code, dict(error.headers)


def eventually(check: Callable[[], bool], patience: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + patience
    while not check():
        assert time.monotonic() < end, "the archive did not recover"
        time.sleep(0.2)


def test_a_stopped_database_is_503_until_it_is_back(parts: tuple[PostgreSQL, S3, Filmroom]) -> None:
    postgresql, _, server = parts
    first, second = builders.instance(), builders.instance(SOPInstanceUID=builders.uid("outage", 2))
    assert ask(server, "/studies", first)[0] == 200
    postgresql.pause()
    for path, data in (
        ("/studies", None),
        ("/studies", second),
        (f"/studies/{builders.uid('study', 1)}", None),
    ):
        status, headers = ask(server, path, data)
        assert status == 503, path
        assert int(headers["Retry-After"]) > 0
    assert not server.ready()
    postgresql.start()
    eventually(lambda: ask(server, "/studies")[0] == 200)
    assert ask(server, "/studies", second)[0] == 200
    eventually(server.ready)


def test_a_stopped_store_is_503_until_it_is_back(parts: tuple[PostgreSQL, S3, Filmroom]) -> None:
    _, s3, server = parts
    first, second = builders.instance(), builders.instance(SOPInstanceUID=builders.uid("outage", 2))
    assert ask(server, "/studies", first)[0] == 200
    study = f"/studies/{builders.uid('study', 1)}"
    s3.pause()
    for path, data in (("/studies", second), (study, None)):
        status, headers = ask(server, path, data)
        assert status == 503, path
        assert int(headers["Retry-After"]) > 0
    assert ask(server, "/studies")[0] == 200, "a search needs no store"
    assert ask(server, f"{study}/metadata")[0] == 200, "metadata need no store"
    assert not server.ready()
    s3.start()
    eventually(lambda: ask(server, study)[0] == 200)
    assert ask(server, f"{study}/instances")[0] == 200
    assert ask(server, "/studies", second)[0] == 200


def test_a_graceful_stop_lets_requests_end(parts: tuple[PostgreSQL, S3, Filmroom], tmp_path: Path) -> None:
    _, _, server = parts
    data = builders.instance(ImageComments="x" * 5000)
    (tmp_path / "file").write_bytes(data)
    slow = subprocess.Popen(
        [
            *("curl", "-s", "-o", str(tmp_path / "answer"), "-w", "%{http_code}", "--limit-rate", "4k"),
            *("-H", "Content-Type: application/dicom", "--data-binary", f"@{tmp_path / 'file'}"),
            f"{server.url}/studies",
        ],
        stdout=subprocess.PIPE,
    )
    time.sleep(0.5)
    server.process.stop()
    assert slow.communicate(timeout=30)[0] == b"200"
