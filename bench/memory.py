"""Memory of the server above idle while large things move in and out."""

from __future__ import annotations

from collections.abc import Iterator

from bench.instances import STOW, big_instance, multipart, small_instance
from bench.server import MIB, Server
from bench.table import Row
from tests import builders

_GOAL = "less than 64 MiB"
_FRAMES, _SIDE = 4096, 512  # 2 GiB of 16 bit
_MANY = 5000


def rows() -> Iterator[Row]:
    """Measure one 2 GiB instance and 5,000 small ones, in and out."""
    with Server() as server:
        server.request("POST", "/dicom-web/studies", multipart([small_instance(1, "warm")]), STOW)
        length, pieces = big_instance(_FRAMES, _SIDE, _SIDE)
        yield _row(
            server, f"STOW of one instance of {length / 2**30:.2f} GiB", length, _store(server, pieces)
        )
        big = f"/dicom-web/studies/{builders.uid('bench', 'big study', 1)}"
        yield _row(server, "retrieve it", length, _retrieve(server, big, length))
        many = (small_instance(number, "many") for number in range(1, _MANY + 1))
        yield _row(
            server, f"STOW of {_MANY} instances in one request", None, _store(server, multipart(many), STOW)
        )
        study = f"/dicom-web/studies/{builders.uid('bench study', 'many')}"
        yield _row(server, "retrieve them", None, _retrieve(server, study, _MANY * 500))


def _row(server: Server, what: str, length: int | None, work: object) -> Row:
    rise, seconds = server.rise(work)  # type: ignore[arg-type]
    rate = f"{length / seconds / MIB:.0f} MiB/s" if length else f"{_MANY / seconds:.0f} instances/s"
    return Row(f"memory above idle: {what}", f"{rise / MIB:.1f} MiB, {rate}", _GOAL)


def _store(server: Server, pieces: Iterator[bytes], headers: dict[str, str] | None = None) -> object:
    def work() -> None:
        status, body, _ = server.request(
            "POST", "/dicom-web/studies", pieces, headers or {"Content-Type": "application/dicom"}
        )
        assert status == 200, body[:500]

    return work


def _retrieve(server: Server, path: str, least: int) -> object:
    def work() -> None:
        accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        status, _, length = server.request("GET", path, headers=accept, keep=False)
        assert status == 200
        assert length > least, length

    return work
