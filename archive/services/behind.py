"""Work on pieces of data in another thread, in their order, while the next pieces come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from threading import Condition

_AHEAD = 2**20
"""Bytes that may wait for their turn: memory does not grow with what is sent."""


class Behind:
    """A queue of pieces that `take` is called with, one after the other, by a thread of an executor."""

    def __init__(self, executor: Executor, take: Callable[[bytes | memoryview], None]) -> None:
        self._executor = executor
        self._take = take
        self._pieces: deque[bytes | memoryview] = deque()
        self._waiting = 0  # bytes
        self._running = False
        self._error: BaseException | None = None
        self._changed = Condition()

    def put(self, piece: bytes | memoryview) -> None:
        """Add a piece whose memory stays as it is; raise what `take` raised for one before it."""
        with self._changed:
            while self._waiting > _AHEAD:
                self._changed.wait()
            self._raise()
            self._pieces.append(piece)
            self._waiting += len(piece)
            if not self._running:
                self._executor.submit(self._run)
                self._running = True

    def settle(self) -> None:
        """Wait until all pieces are taken; raise what `take` raised."""
        with self._changed:
            while self._running:
                self._changed.wait()
            self._raise()

    def close(self) -> None:
        """Wait for the piece that is being taken; the others are not wanted any more."""
        with self._changed:
            self._pieces.clear()
            while self._running:
                self._changed.wait()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._pieces:
                    self._running = False
                    self._changed.notify_all()
                    return
                piece = self._pieces.popleft()
            try:
                if self._error is None:
                    self._take(piece)
            except BaseException as error:  # noqa: BLE001 whoever waits for the piece raises it
                self._error = error
            with self._changed:
                self._waiting -= len(piece)
                self._changed.notify_all()
