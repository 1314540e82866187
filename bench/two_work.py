"""What the clients of bench/two.py send: each a process of its own, held to one core."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence

from bench.dicomweb.checks import stored
from bench.dicomweb.client import Address, Answer, Client, Request
from bench.instances import STOW, multipart
from bench.large_study import Slices

SECONDS = 3.0
STUDY, SLICES = 1, 100
A_REQUEST = 10
_STORED = {"Accept": "application/dicom; transfer-syntax=*"}
_SHARED, _OWN = 5_000, 5_001  # studies of the mix


def store(slices: Slices, numbers: Sequence[int]) -> Request:
    """Return the request that stores some slices."""
    body = b"".join(multipart([slices.slice(number) for number in numbers]))
    return Request("/studies", stored(len(numbers)), "POST", STOW, body)


def send(client: Client, request: Request) -> Answer:
    """Send and return the answer; raise RuntimeError where it is not right."""
    answer = client.send(request)
    if wrong := request.wrong(answer):
        raise RuntimeError(f"{request.method} {request.path}: {wrong}")
    return answer


def _fine(answer: Answer) -> str:
    return "" if answer.length else "empty"


def _metadata(slices: Slices, _client: int, _turn: int) -> Iterator[Request]:
    path = f"/studies/{slices.study_uid}/series/{slices.series_uid(0)}/metadata"
    while True:
        yield Request(path, _fine, headers={"Accept-Encoding": "gzip"}, keep=False)


def _search(slices: Slices, _client: int, _turn: int) -> Iterator[Request]:
    while True:
        yield Request(f"/studies/{slices.study_uid}/series/{slices.series_uid(0)}/instances?limit=50", _fine)


def _pictures(slices: Slices, client: int, turn: int) -> Iterator[Request]:
    """Ask for a picture of another window each time: what was made before is kept."""
    number = 0
    while True:
        number += 1
        window = f"{100 + client},{1000 * turn + 2 * number + 2},linear"
        path = f"/studies/{slices.study_uid}/series/{slices.series_uid(0)}/instances/{slices.sop_uid(0)}"
        yield Request(f"{path}/rendered?window={window}", _fine, headers={"Accept": "image/jpeg"})


def _stores(_slices: Slices, client: int, turn: int) -> Iterator[Request]:
    own = Slices(1000 + client * 10 + turn)
    number = 0
    while True:
        yield store(own, range(number, number + A_REQUEST))
        number += A_REQUEST


def _retrieve(slices: Slices, _client: int, _turn: int) -> Iterator[Request]:
    number = 0
    while True:
        number = (number + 1) % SLICES
        path = f"/studies/{slices.study_uid}/series/{slices.series_uid(0)}/instances/{slices.sop_uid(number)}"
        yield Request(path, _fine, headers=_STORED, keep=False)


_RETRIEVE, _STORE = "retrieve of one instance", f"STOW of {A_REQUEST} instances"
WORK: dict[str, Callable[[Slices, int, int], Iterator[Request]]] = {
    f"metadata of {SLICES} instances, gzip": _metadata,
    "search for 50 instances of a series": _search,
    "rendered slice": _pictures,
    _RETRIEVE: _retrieve,
    _STORE: _stores,
}
MOVES_BYTES = (_RETRIEVE, _STORE)


def drive(address: Address, name: str, core: int, client: int, turn: int) -> tuple[int, float]:
    """Send one kind of request from one core for a while; return how many were answered, and the seconds."""
    os.sched_setaffinity(0, {core})
    connection = Client(address)
    start, count = time.perf_counter(), 0
    for request in WORK[name](Slices(STUDY), client, turn):
        send(connection, request)
        count += 1
        if time.perf_counter() - start >= SECONDS:
            break
    connection.close()
    return count, time.perf_counter() - start


def found(client: Client, slices: Slices) -> list[str]:
    """Return the SOP Instance UIDs that a search gives for a study."""
    answer = send(client, Request(f"/studies/{slices.study_uid}/instances?limit=5000", _fine))
    return [str(each["00080018"]["Value"][0]) for each in json.loads(answer.body)]


def stored_bytes(client: Client, slices: Slices, number: int) -> bytes:
    """Return a slice as the server gives it."""
    path = f"/studies/{slices.study_uid}/series/{slices.series_uid(0)}/instances/{slices.sop_uid(number)}"
    return send(client, Request(path, _fine, headers=_STORED)).body


def mixed(urls: Sequence[str], number: int) -> list[tuple[int, int]]:
    """Store into a study that all share, and into one's own, now here, now there; return what was taken."""
    clients = [Client(Address.parse(url)) for url in urls]
    studies = {study: Slices(study) for study in (_SHARED, _OWN + number)}
    kept: list[tuple[int, int]] = []
    end, turn = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < end:
        study = _SHARED if turn // 2 % 2 else _OWN + number
        slices, at = studies[study], 10_000 * number + turn * 2
        here, there = clients[turn % 2], clients[1 - turn % 2]
        send(here, store(slices, (at, at + 1)))
        kept += [(study, at), (study, at + 1)]
        if stored_bytes(there, slices, at) != slices.slice(at):
            raise RuntimeError("what one server took is not what the other one gives")
        turn += 1
    for each in clients:
        each.close()
    return kept
