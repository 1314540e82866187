"""Bytes that are hashed and written behind the one who brings them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from archive.errors import TooLarge
from archive.services.staging import _HEAD, Staged, StagedReader
from storage.draft import SpooledDraft
from storage.errors import StorageError, StoreFull

DATA = bytes(range(256)) * 4096
PIECE = 2**16


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all for large but the first pieces."""
    monkeypatch.setattr("archive.services.staging._LARGE", 2 * PIECE)


@pytest.fixture(params=["at once", "behind"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor | None]:
    """Give the two ways."""
    if request.param == "at once":
        yield None
        return
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Draft(SpooledDraft):
    """A draft that does something before each piece is written."""

    def __init__(self, first: Callable[[], None]) -> None:
        super().__init__(2**30)
        self._first = first
        self.ended = self.closed = False

    def write(self, data: bytes | memoryview, /) -> None:
        self._first()
        super().write(data)

    def end(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True
        super().close()


def fill(staged: Staged, data: bytes = DATA) -> None:
    """Write data from memory that is used again, and end it."""
    memory = bytearray(PIECE)
    for start in range(0, len(data), PIECE):
        piece = data[start : start + PIECE]
        memory[: len(piece)] = piece
        staged.write(memoryview(memory)[: len(piece)])
    staged.end()


def test_all_is_hashed_and_written(executor: Executor | None) -> None:
    draft = Draft(lambda: None)
    staged = Staged(lambda: draft, largest=2**30, executor=executor)
    fill(staged)
    assert staged.size == len(DATA)
    assert staged.read_at(0, 100) == DATA[:100]
    assert staged.read_at(_HEAD - 50, 100) == DATA[_HEAD - 50 : _HEAD + 50]
    assert staged.sha256 == hashlib.sha256(DATA).hexdigest()
    assert draft.ended
    reader = StagedReader(staged)
    assert b"".join(iter(lambda: reader.read(1000), b"")) == DATA
    staged.close()
    assert draft.closed


def test_what_is_empty(executor: Executor | None) -> None:
    staged = Staged(lambda: Draft(lambda: None), largest=10, executor=executor)
    staged.end()
    assert staged.sha256 == hashlib.sha256().hexdigest()
    assert staged.read_at(0, 10) == b""
    assert staged.draft is None
    staged.close()


def test_the_head_is_read_while_the_rest_is_written() -> None:
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        staged = Staged(lambda: Draft(_after(2, go)), largest=2**30, executor=pool)
        fill(staged)  # as long as what may wait
        assert staged.read_at(0, 1000) == DATA[:1000]
        go.set()
        assert staged.trouble is None
        staged.close()


def _after(pieces: int, event: threading.Event) -> Callable[[], None]:
    """Return what waits for an event from a piece on."""
    count = iter(range(1_000_000))

    def wait() -> None:
        assert next(count) < pieces or event.wait(10)

    return wait


def test_only_so_much_waits() -> None:
    """Else a fast client and a slow disk meet in our memory."""
    go, written = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        staged = Staged(lambda: Draft(_after(2, go)), largest=2**30, executor=pool)

        def bring() -> None:
            fill(staged, DATA * 4)
            written.set()

        bringing = pool.submit(bring)
        assert not written.wait(0.1)
        go.set()
        bringing.result(10)
        assert staged.sha256 == hashlib.sha256(DATA * 4).hexdigest()
        staged.close()


def test_a_store_that_fails_leaves_the_head(executor: Executor | None) -> None:
    def fail() -> None:
        raise StoreFull("no room")

    draft = Draft(fail)
    staged = Staged(lambda: draft, largest=2**30, executor=executor)
    fill(staged)
    assert isinstance(staged.trouble, StoreFull)
    assert staged.head() == DATA[:_HEAD]
    assert staged.read_at(0, 10) == DATA[:10]
    for read in (lambda: staged.read_at(len(DATA) - 10, 10), lambda: StagedReader(staged)):
        with pytest.raises(StorageError):
            read()
    staged.close()
    assert draft.closed


def test_temporary_files_that_fail_end_the_request(executor: Executor | None) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    staged = Staged(lambda: Draft(fail), largest=2**30, executor=executor)
    with pytest.raises(OSError, match="No space"):
        _filled(staged)
    staged.close()


def test_too_much(executor: Executor | None) -> None:
    staged = Staged(lambda: Draft(lambda: None), largest=len(DATA) - 1, executor=executor)
    with pytest.raises(TooLarge):
        fill(staged)
    staged.close()


def _filled(staged: Staged) -> str:
    fill(staged)
    return staged.sha256
