"""Broken streams of every codec through the sandbox: a frame or NotDecodable, never anything else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.errors import NotDecodable
from archive.imaging.decode import decode_frame
from archive.imaging.syntaxes import decoded_bits
from archive.model.instance import Pixels
from archive.sandbox.pool import Sandbox
from tests.imaging.pixels import encapsulated_files, frames, pixels, pixels_of, read
from tests.imaging.test_decode import ENCODERS

_LARGEST = 2**20  # bytes of a decoded frame
_CUT, _FLIPPED, _OVERWRITTEN = 8, 16, 8


def _streams() -> Iterator[Any]:
    """Give the shortest good frame of each transfer syntax: of the shipped files, else one made here."""
    found: dict[str, tuple[bytes, Pixels, str]] = {}
    for path in encapsulated_files():
        for syntax, value, described in _frame(path):
            if syntax not in found or len(value) < len(found[syntax][0]):
                found[syntax] = value, described, path.name
    array = (np.add.outer(np.arange(48) ** 2, np.arange(40) * 3) % 256).astype("u1")
    for syntax in ENCODERS.keys() - found.keys():
        found[syntax] = bytes(ENCODERS[syntax](array, 8)), pixels(rows=48, columns=40), "made here"
    for syntax, (value, described, name) in sorted(found.items()):
        yield pytest.param(syntax, value, described, id=f"{syntax} {name}")


def _frame(path: Path) -> Iterator[tuple[str, bytes, Pixels]]:
    """Give the first frame of a file if it is good and not large."""
    ds = read(path)
    syntax, described = str(ds.file_meta.TransferSyntaxUID), pixels_of(ds)
    if decoded_bits(described, syntax) > _LARGEST * 8:
        return
    value = next(frames(ds))
    try:
        decode_frame(value, syntax, described, 1)
    except NotDecodable:
        return
    yield syntax, value, described


def _broken(value: bytes, seed: str) -> Iterator[bytes]:
    """Cut a stream off, flip a few of its bits, and overwrite runs of it: the same ones each time."""
    generator = random.Random(seed)  # noqa: S311 not for secrets
    for _ in range(_CUT):
        yield value[: generator.randrange(1, len(value))]
    for _ in range(_FLIPPED):
        changed = bytearray(value)
        # Half of them near the beginning, where headers and tables are.
        most = len(value) if generator.random() < 0.5 else min(len(value), 400)
        for _ in range(generator.randint(1, 6)):
            changed[generator.randrange(most)] ^= 1 << generator.randrange(8)
        yield bytes(changed)
    for _ in range(_OVERWRITTEN):
        at, length = generator.randrange(len(value)), generator.randint(1, 40)
        yield value[:at] + generator.randbytes(length) + value[at + length :]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox that ends what takes longer than any of these frames should."""
    sandbox = Sandbox(processes=2, timeout=1, memory=2**30)
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize(("syntax", "value", "described"), list(_streams()))
def test_a_broken_stream_gives_a_frame_or_not_decodable(
    sandbox: Sandbox, syntax: str, value: bytes, described: Pixels
) -> None:
    options = {"syntax": syntax, "pixels": asdict(described), "frame": 1}
    good = sandbox.run("decode", options, value)
    length = (decoded_bits(described, syntax) + 7) // 8

    def outcome(stream: bytes) -> int:
        try:
            _, (frame,) = sandbox.run("decode", options, stream)
        except NotDecodable as error:
            assert "frame 1" in str(error)  # noqa: PT017 one of two right outcomes
            return 0
        return len(frame)

    with ThreadPoolExecutor(2) as threads:
        lengths = list(threads.map(outcome, _broken(value, syntax)))
    assert len(lengths) == _CUT + _FLIPPED + _OVERWRITTEN
    assert set(lengths) <= {0, length}
    assert sandbox.run("decode", options, value) == good
