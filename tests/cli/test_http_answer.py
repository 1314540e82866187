"""Answers as they go out: whole, whatever the connection takes at a time, with files among them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from archive.cli.http_answer import Answer
from storage.file_range import FileRange

DATA = os.urandom(3_000_000)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that a send takes a part only
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "object"
    path.write_bytes(DATA)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def _answered(
    pair: tuple[socket.socket, socket.socket],
    headers: list[tuple[str, str]],
    write: Callable[[Answer], None],
    method: str = "GET",
) -> tuple[bytes, bytes]:
    """Return the head and the rest of what the client gets."""
    ours, theirs = pair
    request: Any = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    answer = Answer(request, ours, Config())
    got = bytearray()

    def read() -> None:
        while data := theirs.recv(65536):
            got.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    answer.start_response("200 OK", headers)
    write(answer)
    answer.close()
    ours.shutdown(socket.SHUT_WR)
    reader.join()
    head, _, rest = bytes(got).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    return head, rest


def _dechunked(body: bytes) -> bytes:
    data = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        data += body[:length]
        assert body[length : length + 2] == b"\r\n"
        body = body[length + 2 :]
        if not length:
            assert body == b""
            return data


@pytest.mark.parametrize("known", [True, False])
def test_bytes_and_files_go_out_whole(
    pair: tuple[socket.socket, socket.socket], file: int, *, known: bool
) -> None:
    wanted = b"head" + DATA[5:2_000_005] + b"between" + DATA + DATA[:1] + b"end"

    def write(answer: Answer) -> None:
        answer.write(b"head")
        answer.write(FileRange(file, 5, 2_000_000))
        answer.write(b"")
        answer.write(b"between")
        answer.write(DATA)
        answer.write(FileRange(file, 0, 1))
        answer.write(b"end")

    head, body = _answered(pair, [("Content-Length", str(len(wanted)))] if known else [], write)
    assert (b"Transfer-Encoding: chunked" in head) is not known
    assert (body if known else _dechunked(body)) == wanted


@pytest.mark.parametrize("known", [True, False])
def test_an_answer_without_a_body_has_a_head(
    pair: tuple[socket.socket, socket.socket], *, known: bool
) -> None:
    _, body = _answered(pair, [("Content-Length", "0")] if known else [], lambda answer: None)
    assert body == (b"" if known else b"0\r\n\r\n")


def test_head_gets_no_byte_of_a_body(pair: tuple[socket.socket, socket.socket], file: int) -> None:
    def write(answer: Answer) -> None:
        answer.write(FileRange(file, 0, 10))

    head, body = _answered(pair, [("Content-Length", "10")], write, "HEAD")
    assert b"Content-Length: 10" in head
    assert body == b""


def test_no_more_is_sent_than_was_said(pair: tuple[socket.socket, socket.socket], file: int) -> None:
    def write(answer: Answer) -> None:
        answer.write(FileRange(file, 0, 100))
        answer.write(FileRange(file, 0, 100))

    assert _answered(pair, [("Content-Length", "120")], write)[1] == DATA[:100] + DATA[:20]


def test_a_file_that_ends_too_early_breaks_the_answer(
    pair: tuple[socket.socket, socket.socket], file: int
) -> None:
    def write(answer: Answer) -> None:
        with pytest.raises(ConnectionAbortedError):
            answer.write(FileRange(file, len(DATA) - 10, 20))

    _answered(pair, [("Content-Length", "20")], write)


def test_a_client_that_takes_nothing_is_given_up(
    pair: tuple[socket.socket, socket.socket], file: int
) -> None:
    ours, _ = pair
    ours.settimeout(0.05)
    request: Any = SimpleNamespace(method="GET", version=(1, 1), should_close=lambda: False)
    answer = Answer(request, ours, Config())
    answer.start_response("200 OK", [("Content-Length", str(len(DATA)))])
    with pytest.raises(TimeoutError):
        answer.write(FileRange(file, 0, len(DATA)))
