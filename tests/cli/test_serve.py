"""`filmroom serve` and `gunicorn wsgi:app` as real processes: their logs, metrics, jobs beside, and end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from archive.settings import Settings
from tests import builders
from tests.cli.command import COMMAND, ROOT, environment, filmroom
from tests.services.postgresql import PostgreSQL
from tests.services.process import LOOPBACK, free_port


class Server:
    """A running server, its standard output and its standard error."""

    def __init__(self, settings: Settings, folder: Path, command: list[str]) -> None:
        self.port = settings.port
        self.root = f"http://{LOOPBACK}:{self.port}"
        self.out, self.err = folder / "out.log", folder / "err.log"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                command, env=environment(settings), cwd=ROOT, stdout=out, stderr=err, start_new_session=True
            )

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.root + path, timeout=10) as answer:
            return bytes(answer.read())

    def wait_until_ready(self) -> Server:
        until(lambda: self.process.poll() is not None or self._is_ready())
        assert self.process.poll() is None, self.err.read_text()
        return self

    def _is_ready(self) -> bool:
        try:
            self.get("/ready")
        except OSError:
            return False
        return True

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def jobs(self) -> list[psutil.Process]:
        return [each for each in self.children() if "worker" in _words(each)]

    def codecs(self) -> list[psutil.Process]:
        return [each for each in self.children() if "archive.sandbox.child" in _words(each)]

    def end(self) -> None:
        if self.process.poll() is None:
            children = self.children()
            self.process.kill()
            self.process.wait()
            for each in psutil.wait_procs(children, timeout=10)[1]:
                each.kill()


def _words(process: psutil.Process) -> list[str]:
    """Return the command of a process; none where it has ended, and waits for its parent to notice."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def until(true: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=str(tmp_path / "data"), port=free_port(), workers=2, threads=4, client_timeout=2, stop_timeout=10
    )


@pytest.fixture(params=["serve", "gunicorn"])
def server(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Server]:
    command = [*COMMAND, "serve"]
    if request.param == "gunicorn":
        assert filmroom(settings, "migrate").returncode == 0
        command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    running = Server(settings, tmp_path, command)
    try:
        yield running.wait_until_ready()
    finally:
        running.end()


def _begin_to_push(server: Server, data: bytes) -> socket.socket:
    """Send the head of a store request and half of its body."""
    sock = socket.create_connection((LOOPBACK, server.port), timeout=20)
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n"
    sock.sendall(f"{head}Content-Type: application/dicom\r\n\r\n".encode() + data[: len(data) // 2])
    return sock


def _answer(sock: socket.socket) -> bytes:
    answer = b""
    while block := sock.recv(65536):
        answer += block
    return answer


def test_requests_under_way_end_before_the_server_does(server: Server) -> None:
    data = builders.instance()
    with _begin_to_push(server, data) as sock:
        until(lambda: b"filmroom_requests_running 2.0" in server.get("/metrics"))
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "Handling signal: term" in server.err.read_text())
        sock.sendall(data[len(data) // 2 :])
        answer = _answer(sock)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert server.process.wait(15) == 0
    lines = [json.loads(line) for line in server.out.read_text().splitlines()]
    (push,) = [line for line in lines if line["route"] == "/dicom-web/studies"]
    assert (push["status"], push["outcome"], push["bytes_in"], push["stored"]) == (200, "done", len(data), 1)


def test_the_numbers_are_those_of_all_processes(server: Server) -> None:
    for _ in range(30):
        server.get("/live")
    number = 'filmroom_requests_total{method="GET",route="/live",status="200"} '
    # A request counts when its answer has gone, and that can be after the client has it.
    until(lambda: f"{number}30.0" in server.get("/metrics").decode())
    lines = [json.loads(line) for line in server.out.read_text().splitlines()]
    assert len([line for line in lines if line["route"] == "/live"]) == 30


def test_a_client_that_goes_silent_is_given_up(server: Server) -> None:
    with _begin_to_push(server, builders.instance()) as sock:
        started = time.monotonic()
        answer = _answer(sock)
        assert 1 < time.monotonic() - started < 15
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    until(lambda: "client gone" in server.out.read_text())
    assert server.get("/dicom-web/studies") == b"[]"


def test_a_request_line_that_is_refused_is_not_logged(server: Server) -> None:
    with socket.create_connection((LOOPBACK, server.port), timeout=20) as sock:
        sock.sendall(b"GET /dicom-web/studies?PatientName=Doe John HTTP/1.1 x\r\n\r\n")
        assert _answer(sock).startswith(b"HTTP/1.1 400 ")
    until(lambda: "Invalid request" in server.err.read_text())
    assert "Doe" not in server.err.read_text() + server.out.read_text()


def test_every_line_of_the_log_is_json(server: Server) -> None:
    server.get("/dicom-web/studies?PatientName=Doe*")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    for line in server.out.read_text().splitlines():
        assert json.loads(line)["logger"] == "filmroom.access"
    lines = server.err.read_text().splitlines()
    told = [line for line in lines if line.startswith("{")]
    assert all(json.loads(line)["level"] for line in told)
    assert len(lines) - len(told) in (0, 6)  # the greeting of `filmroom serve` is for people
    assert "Doe" not in server.err.read_text() + server.out.read_text()


def test_jobs_are_done_beside_and_end_with_the_server(settings: Settings, tmp_path: Path) -> None:
    server = Server(settings, tmp_path, [*COMMAND, "serve"])
    try:
        server.wait_until_ready()
        assert f"--data-binary @file.dcm {server.root}/dicom-web/studies" in server.err.read_text()
        until(server.jobs)
        (first,) = server.jobs()
        first.kill()
        until(lambda: [each for each in server.jobs() if each.pid != first.pid])
        until(lambda: len(server.codecs()) == 2)  # each worker has one before a picture is asked for
        everyone = server.children()
        assert len(everyone) == 5
        server.process.kill()  # even then nobody stays behind
        server.process.wait()
        assert psutil.wait_procs(everyone, timeout=15)[1] == []
    finally:
        server.end()


def test_serve_asks_for_the_migration_of_a_database_that_it_shares(
    postgresql: PostgreSQL, settings: Settings
) -> None:
    shared = replace(settings, database_url=postgresql.empty_database())
    done = filmroom(shared, "serve")
    assert done.returncode == 1
    assert "run `filmroom migrate` first" in done.stderr
    assert filmroom(shared, "migrate").stdout == "the index was brought up to date\n"
    assert filmroom(shared, "migrate").stdout == "the index is up to date\n"
