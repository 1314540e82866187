"""SIGKILL in the middle of 50 concurrent stores, 20 times over.

After each restart everything that was answered as stored is there, byte for byte. What else is visible can
only be an instance whose answer the kill swallowed: it must be one that was sent, and whole.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import random
import threading
import time
from pathlib import Path

import pytest

from archive.settings import Settings
from tests import builders
from tests.services.filmroom import Filmroom

ROUNDS = 20
SENDERS = 50
LEAST_ANSWERS = 10  # of a round, before the kill

pytestmark = pytest.mark.crash


class Round:
    """Fifty senders that store one instance after another until the server dies."""

    def __init__(self, server: Filmroom, number: int) -> None:
        self.server = server
        self.study = builders.uid("kill study", number)
        self.sent: dict[str, str] = {}  # SOP Instance UID: SHA-256
        self.answered: set[str] = set()
        self._number = number
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._dead = threading.Event()

    def run(self, chance: random.Random) -> None:
        """Send, wait for some answers and a moment more, kill."""
        senders = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        end = time.monotonic() + 60
        while len(self.answered) < LEAST_ANSWERS and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        self.server.process.kill()
        self._dead.set()
        for sender in senders:
            sender.join(30)
        assert len(self.answered) >= LEAST_ANSWERS

    def _send(self) -> None:
        while not self._dead.is_set():
            number = next(self._count)
            uid = builders.uid("kill", self._number, number)
            data = builders.instance(
                SOPInstanceUID=uid,
                StudyInstanceUID=self.study,
                SeriesInstanceUID=builders.uid("kill series", self._number, number % 5),
                ImageComments="x" * (number * 997 % 9000),
            )
            with self._lock:
                self.sent[uid] = hashlib.sha256(data).hexdigest()
            if self._post(data):
                with self._lock:
                    self.answered.add(uid)

    def _post(self, data: bytes) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            headers = {"Content-Type": "application/dicom"}
            connection.request("POST", "/dicom-web/studies", data, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return answer.status == 200


def _get(server: Filmroom, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(
            "GET", f"/dicom-web{path}", headers={"Accept": "*/*;q=0.1, application/dicom; transfer-syntax=*"}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _check(server: Filmroom, done: Round) -> None:
    visible: dict[str, str] = {}
    path: str | None = f"/studies/{done.study}/instances?limit=1000"
    for offset in itertools.count(step=1000):
        status, body = _get(server, f"{path}&offset={offset}")
        assert status == 200, body
        page = json.loads(body)
        for found in page:
            uid = found["00080018"]["Value"][0]
            status, data = _get(
                server, f"/studies/{done.study}/series/{found['0020000E']['Value'][0]}/instances/{uid}"
            )
            assert status == 200, f"{uid} is listed and cannot be retrieved"
            visible[uid] = hashlib.sha256(data).hexdigest()
        if len(page) < 1000:
            break
    lost = done.answered - visible.keys()
    assert not lost, f"{len(lost)} instances were answered as stored and are gone"
    wrong = [uid for uid, digest in visible.items() if done.sent.get(uid) != digest]
    assert not wrong, f"{len(wrong)} visible instances are not what was sent"


def test_nothing_answered_is_lost(backend: Settings, tmp_path: Path) -> None:
    chance = random.Random(20241)  # noqa: S311 chooses moments, keeps no secret
    server = Filmroom(backend, tmp_path, workers=2)
    rounds = []
    try:
        for number in range(ROUNDS):
            server.start()
            if rounds:
                _check(server, rounds[-1])
            rounds.append(Round(server, number))
            rounds[-1].run(chance)
        server.start()
        _check(server, rounds[-1])
        for done in rounds[:3]:
            _check(server, done)  # later crashes took nothing of earlier rounds
    finally:
        server.process.stop()
