"""Clients that leave in the middle, and data that cannot be decoded: nothing of them stays with the server.

What is counted after thirty of a kind: threads, descriptors and child processes of the server, its database
connections, and those that a transaction is open in.
"""

from __future__ import annotations

import http.client
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import imagecodecs
import numpy as np
import psycopg2
import pytest

from archive.settings import Settings
from tests import builders
from tests.services.filmroom import Filmroom
from tests.services.process import LOOPBACK
from tests.services.s3 import S3

_SIDE, _FRAMES, _SINGLE = 512, 48, 40
_LEFT = 30
_READ = 200_000  # bytes that a client takes before it leaves
_ROUNDS = 8  # in the first ones, pools of threads and connections still fill

_STUDY = f"/studies/{builders.uid('leaving')}"
_SERIES = {
    name: f"{_STUDY}/series/{builders.uid('leaving', name)}" for name in ("many", "single", "broken", "half")
}
_INSTANCE = {name: f"{path}/instances/{builders.uid('leaving', name, 1)}" for name, path in _SERIES.items()}
_MANY = f"{_INSTANCE['many']}/frames/{','.join(str(number + 1) for number in range(_FRAMES))}"
_NATIVE = "transfer-syntax=1.2.840.10008.1.2.1"

LEFT = {
    "decoded instance": (_INSTANCE["many"], f"application/dicom; {_NATIVE}"),
    "transcoded instance": (_INSTANCE["many"], "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.201"),
    "lossy instance": (_INSTANCE["many"], "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50"),
    "decoded frames": (_MANY, f'multipart/related; type="application/octet-stream"; {_NATIVE}'),
    "zip": (_STUDY, "application/zip"),
    "rendered series": (f"{_SERIES['single']}/rendered?quality=100", 'multipart/related; type="image/jpeg"'),
    "rendered frames": (f"{_MANY}/rendered?quality=100", 'multipart/related; type="image/jpeg"'),
}
"""Path and Accept of answers of 6 MB and more: longer than what sockets hold."""

REFUSED = {
    "frame": (f"{_INSTANCE['broken']}/frames/1", f"application/octet-stream; {_NATIVE}"),
    "instance": (_INSTANCE["broken"], f"application/dicom; {_NATIVE}"),
    "picture": (f"{_INSTANCE['broken']}/rendered", "image/jpeg"),
}

ON_THE_WAY = {
    "frames": (
        f"{_INSTANCE['half']}/frames/1,2",
        f'multipart/related; type="application/octet-stream"; {_NATIVE}',
    ),
    "instance": (_INSTANCE["half"], f"application/dicom; {_NATIVE}"),
    "rendered frames": (f"{_INSTANCE['half']}/frames/1,2/rendered", 'multipart/related; type="image/jpeg"'),
}


class Held(NamedTuple):
    """What a server holds."""

    threads: int
    descriptors: int
    processes: int
    connections: int
    transactions: int

    def within(self, other: Held) -> bool:
        """Tell whether nothing is more than in another, and no transaction is open."""
        return not self.transactions and all(mine <= theirs for mine, theirs in zip(self, other, strict=True))


@pytest.fixture(scope="module")
def server(
    s3: S3, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filmroom]:
    """Give a running archive of one worker that holds the study."""
    folder = tmp_path_factory.mktemp("leaving")
    settings = Settings(
        data=str(folder), database_url=new_database(), storage_url=s3.new_url(), render_cache=0
    )
    with Filmroom(settings, folder, workers=1) as server:
        for file in _files():
            server.store(file)
        yield server


def _files() -> Iterator[bytes]:
    """Make a multi-frame instance, a series of single ones, one that cannot be decoded, and a half of one."""
    noise = np.random.default_rng(3).integers(0, 256, (8, _SIDE, _SIDE)).astype("u1")
    segments = [bytes(imagecodecs.packbits_encode(frame.tobytes())) for frame in noise]
    frames = [struct.pack("<16L", 1, 64, *[0] * 14) + each + bytes(len(each) % 2) for each in segments]
    many = [frames[number % 8] for number in range(_FRAMES)]
    yield builders.encapsulated(many, syntax=builders.RLE, NumberOfFrames=_FRAMES, **_named("many", 1))
    for number in range(_SINGLE):
        yield builders.instance(PixelData=noise[number % 8].tobytes(), **_named("single", number + 1))
    yield builders.encapsulated([frames[0][:5000]], syntax=builders.RLE, **_named("broken", 1))
    half = [frames[0], frames[0][:5000]]
    yield builders.encapsulated(half, syntax=builders.RLE, NumberOfFrames=2, **_named("half", 1))


def _named(series: str, number: int) -> dict[str, object]:
    return {
        "StudyInstanceUID": builders.uid("leaving"),
        "SeriesInstanceUID": builders.uid("leaving", series),
        "SOPInstanceUID": builders.uid("leaving", series, number),
        "InstanceNumber": number,
        "Rows": _SIDE,
        "Columns": _SIDE,
    }


def held(server: Filmroom) -> Held:
    """Count what the processes of the server hold now."""
    processes = server.processes()
    connection = psycopg2.connect(server.settings.database_url.replace("+psycopg2", ""))
    try:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%')"
            " FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        connections, transactions = cursor.fetchone() or (0, 0)
    finally:
        connection.close()
    return Held(
        sum(each.num_threads() for each in processes),
        sum(each.num_fds() for each in processes),
        len(processes),
        connections,
        transactions,
    )


def leave(server: Filmroom, path: str, accept: str, *, rudely: bool) -> None:
    """Begin to take an answer, then close the connection, by a reset if rudely."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        client.settimeout(30)
        client.connect((LOOPBACK, server.port))
        client.sendall(
            f"GET /dicom-web{path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAccept: {accept}\r\n\r\n".encode()
        )
        got = b""
        while len(got) < _READ:
            piece = client.recv(2**16)
            assert piece, got[:2000]
            got += piece
        assert got.startswith(b"HTTP/1.1 200 "), got[:500]
        if rudely:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def status(server: Filmroom, path: str, accept: str) -> int:
    """Return the status of an answer."""
    request = urllib.request.Request(server.url + path, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def leaves_nothing(server: Filmroom, work: Callable[[int], None]) -> None:
    """Do a round of work and find the server as it was before; what leaks does so in every round."""
    for _ in range(_ROUNDS):
        before = held(server)
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(work, range(_LEFT)))
        end = time.monotonic() + 1.5
        while not (after := held(server)).within(before):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{before} became {after}")


@pytest.mark.parametrize(("path", "accept"), LEFT.values(), ids=LEFT)
def test_a_client_that_leaves_leaves_nothing(server: Filmroom, path: str, accept: str) -> None:
    leaves_nothing(server, lambda number: leave(server, path, accept, rudely=number % 2 == 0))


def test_what_cannot_be_decoded_leaves_nothing(server: Filmroom) -> None:
    asked = list(REFUSED.values())

    def ask(number: int) -> None:
        assert status(server, *asked[number % len(asked)]) == 406

    leaves_nothing(server, ask)
    assert status(server, f"{_INSTANCE['many']}/frames/1", REFUSED["frame"][1]) == 200


@pytest.mark.parametrize(("path", "accept"), ON_THE_WAY.values(), ids=ON_THE_WAY)
def test_what_breaks_on_the_way_is_broken_off(server: Filmroom, path: str, accept: str) -> None:
    """Its status has gone out: the client is told by an answer without an end, the log without a stack."""
    before = server.log.stat().st_size
    request = urllib.request.Request(server.url + path, headers={"Accept": accept})
    with (
        urllib.request.urlopen(request, timeout=30) as answer,
        pytest.raises(http.client.IncompleteRead),
    ):
        answer.read()
    end = time.monotonic() + 10
    while '"outcome": "broken"' not in (logged := server.log.read_bytes()[before:].decode()):
        assert time.monotonic() < end, logged
        time.sleep(0.05)
    assert '"level": "error"' not in logged
    assert "frame 2" in logged
