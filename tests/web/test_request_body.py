"""A body that is read in place: from gunicorn's socket, with what came before it and after it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from archive.cli.http_body import SocketBody, read_in_place

BODY = bytes(range(256)) * 4096
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give the two ends of a connection."""
    client, server = socket.socketpair()
    client.settimeout(10)
    server.settimeout(10)
    yield client, server
    client.close()
    server.close()


def request(server: socket.socket) -> tuple[Any, RequestParser]:
    parser = RequestParser(Config(), server, ("127.0.0.1", 1))
    found = next(parser)
    read_in_place(found)
    return found, parser


def taken(body: Any, size: int) -> bytes:
    """Read all of a body in place, `size` bytes at a time."""
    memory = memoryview(bytearray(size))
    parts = []
    while got := body.readinto(memory):
        parts.append(bytes(memory[:got]))
    return b"".join(parts)


@pytest.mark.parametrize("piece", [1, 7, 1000, 2**18, 2**21])
@pytest.mark.parametrize("with_head", [0, 1, 5000], ids=["alone", "a byte", "much"])
def test_a_body_is_read_to_its_end_and_no_further(
    ends: tuple[socket.socket, socket.socket], piece: int, with_head: int
) -> None:
    """What comes with the headers is not lost, and what follows is the next request's."""
    client, server = ends
    body = BODY[:8000] if piece == 1 else BODY[:100_000]
    client.sendall(HEAD % len(body) + body[:with_head])
    first, parser = request(server)
    assert type(first.body) is SocketBody
    client.sendall(body[with_head:] + HEAD % 3 + b"abc")
    assert taken(first.body, piece) == body
    assert first.body.readinto(memoryview(bytearray(10))) == 0
    second = next(parser)
    assert second.body.read() == b"abc"


def test_reading_in_both_ways(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.sendall(HEAD % 30_000 + BODY[:30_000])
    found, _ = request(server)
    assert found.body.read(10) == BODY[:10]
    memory = memoryview(bytearray(100))
    got = found.body.readinto(memory)
    assert bytes(memory[:got]) == BODY[10 : 10 + got]
    rest = found.body.read(50)
    assert rest == BODY[10 + got : 60 + got]
    assert taken(found.body, 4096) == BODY[60 + got : 30_000]


def test_a_client_that_leaves(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.sendall(HEAD % 1000 + BODY[:300])
    found, _ = request(server)
    client.shutdown(socket.SHUT_WR)
    assert taken(found.body, 64) == BODY[:300]


def test_a_client_that_goes_silent(ends: tuple[socket.socket, socket.socket]) -> None:
    """The connection is of no more use: nobody knows where the next request would begin."""
    client, server = ends
    client.sendall(HEAD % 1000)
    found, parser = request(server)
    server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        found.body.readinto(memoryview(bytearray(10)))
    assert found.body.failed
    assert not parser.finish_body()


def test_a_chunked_body_is_left_to_gunicorn(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    found, _ = request(server)
    assert type(found.body) is not SocketBody
    assert found.body.read() == b"abc"
