"""Connections that stay: threads that wait for one client keep nobody else from being answered."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from archive.settings import Settings
from tests.services.filmroom import Filmroom
from tests.services.process import LOOPBACK

_ASK = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filmroom]:
    folder = tmp_path_factory.mktemp("http-worker")
    settings = Settings.from_environment({"FILMROOM_DATA": str(folder / "data")})
    with Filmroom(settings, folder, workers=1, threads=2) as started:
        yield started


def _connect(server: Filmroom) -> socket.socket:
    return socket.create_connection((LOOPBACK, server.port), timeout=20)


def _answers(connection: socket.socket, number: int) -> None:
    """Read so many answers of /live, whole."""
    got = b""
    while got.count(b'"status"') < number:
        data = connection.recv(65536)
        assert data, got
        got += data
    assert got.count(b"HTTP/1.1 200 OK") == number


def test_more_clients_stay_than_there_are_threads(server: Filmroom) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(_connect(server)) for _ in range(12)]
        for _ in range(3):
            for client in clients:
                client.sendall(_ASK)
                _answers(client, 1)
        for client in clients:  # all at once
            client.sendall(_ASK)
        for client in clients:
            _answers(client, 1)


def test_a_client_that_says_nothing_holds_no_thread(server: Filmroom) -> None:
    with ExitStack() as stack:
        for _ in range(6):
            silent = stack.enter_context(_connect(server))
            silent.sendall(_ASK)
            _answers(silent, 1)
        asking = stack.enter_context(_connect(server))
        asking.sendall(_ASK)
        _answers(asking, 1)


def test_requests_that_come_together_are_answered_one_after_the_other(server: Filmroom) -> None:
    with _connect(server) as client:
        client.sendall(_ASK * 5)
        _answers(client, 5)


def test_a_client_that_pauses_is_served_by_whoever_is_free(server: Filmroom) -> None:
    with _connect(server) as paused, _connect(server) as busy:
        paused.sendall(_ASK)
        _answers(paused, 1)
        for _ in range(200):  # longer than a thread waits
            busy.sendall(_ASK)
            _answers(busy, 1)
        paused.sendall(_ASK)
        _answers(paused, 1)
