"""Metadata of a long series: what it costs, and that no object is read for it."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator

from bench.instances import STOW, multipart, small_instance
from bench.server import Server
from bench.table import Row
from tests import builders

_MANY = 1000
_ROUNDS = 5


def rows() -> Iterator[Row]:
    """Measure metadata of a series of 1,000 instances, as gzip and as plain JSON."""
    with Server() as server:
        instances = (small_instance(number, "metadata") for number in range(1, _MANY + 1))
        server.request("POST", "/dicom-web/studies", multipart(instances), STOW)
        study, series = builders.uid("bench study", "metadata"), builders.uid("bench series", "metadata")
        path = f"/dicom-web/studies/{study}/series/{series}/metadata"
        before = server.object_operations()
        zipped, packed = _best(server, path, {"Accept-Encoding": "gzip"})
        plain, text = _best(server, path, {})
        operations = server.object_operations() - before
        assert gzip.decompress(packed) == text
        assert len(json.loads(text)) == _MANY
    yield Row(
        f"metadata of a series of {_MANY}, gzip accepted",
        f"{zipped * 1000:.0f} ms, {len(packed) / 1024:.0f} KiB sent for {len(text) / 1024:.0f} KiB",
        "joined, not recompressed",
    )
    yield Row(f"metadata of a series of {_MANY}, no gzip", f"{plain * 1000:.0f} ms")
    yield Row("operations of the object store for these", str(operations), "0")


def _best(server: Server, path: str, headers: dict[str, str]) -> tuple[float, bytes]:
    best, body = 1e9, b""
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        status, body, _ = server.request("GET", path, headers=headers)
        best = min(best, time.perf_counter() - start)
        assert status == 200
    return best, body
