"""Write the objects of a store request: several at a time, with a bound on what is under way.

Knows which keys this request made, so that a request that ends badly can take all of them back.
"""

from __future__ import annotations

import io
import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from archive.model.instance import Reading
from archive.model.keys import derived_key
from archive.services.staging import Staged
from storage.contract import ObjectStore
from storage.errors import StorageError

_log = logging.getLogger(__name__)

LARGE_METADATA = 2**16
"""Packed metadata longer than this many bytes is an object of its own, not a value in a row.

Rows are read some hundreds at a time (archive/index/metadata.py), so that this bounds their memory as well.
"""


@dataclass(slots=True)
class Incoming:
    """One instance on its way in, and its place in the request."""

    position: int
    staged: Staged
    reading: Reading
    inflated: BinaryIO | None
    object_key: str = ""
    lost_key: str | None = None  # the object that this one takes the place of, because it is gone

    @property
    def metadata_apart(self) -> bool:
        """Tell whether the metadata goes to a derived object."""
        return len(self.reading.metadata) > LARGE_METADATA

    def close(self) -> None:
        """Give back the staged bytes."""
        self.staged.close()
        if self.inflated is not None:
            self.inflated.close()


class ObjectWriter:
    """The objects that one request writes."""

    def __init__(self, objects: ObjectStore, executor: Executor, *, at_once: int, memory: int) -> None:
        """Write up to `at_once` instances at a time, holding at most about `memory` bytes of them."""
        self._objects = objects
        self._executor = executor
        self._at_once = at_once
        self._memory = memory
        self._under_way: deque[tuple[Incoming, Future[None]]] = deque()
        self.keys: set[str] = set()

    def write(self, incoming: Incoming) -> Iterator[tuple[Incoming, StorageError | None]]:
        """Begin to write an instance; give those that had to end first, to make room."""
        while self._under_way and (
            len(self._under_way) >= self._at_once or self._held() + incoming.staged.memory > self._memory
        ):
            yield self._wait()
        self._under_way.append((incoming, self._executor.submit(self._write, incoming)))

    def settle(self) -> Iterator[tuple[Incoming, StorageError | None]]:
        """Wait for all that is under way."""
        while self._under_way:
            yield self._wait()

    def abandon(self) -> None:
        """Take back every object of this request, as far as the store answers; a sweep finds the rest."""
        for _incoming, _error in self.settle():
            pass
        self._delete(sorted(self.keys))

    def remove(self, key: str) -> None:
        """Remove an object that no row names, with what was derived from it."""
        related = (key, derived_key(key, "inflated"), derived_key(key, "metadata"))
        self._delete([each for each in related if each in self.keys])

    def _delete(self, keys: list[str]) -> None:
        for done, key in enumerate(keys):
            try:
                self._objects.delete(key)
            except StorageError as error:
                _log.warning(
                    "left objects without a row: %s and %d more (%s)", key, len(keys) - done - 1, error
                )
                return  # each further one might take as long to fail
            self.keys.discard(key)

    def _held(self) -> int:
        return sum(incoming.staged.memory for incoming, _ in self._under_way)

    def _wait(self) -> tuple[Incoming, StorageError | None]:
        incoming, future = self._under_way.popleft()
        error = future.exception()
        incoming.close()
        if error is not None and not isinstance(error, StorageError):
            raise error
        return incoming, error

    def _write(self, incoming: Incoming) -> None:
        key = incoming.object_key
        if incoming.inflated is not None:
            self._put(derived_key(key, "inflated"), incoming.inflated)
        if incoming.metadata_apart:
            self._put(derived_key(key, "metadata"), io.BytesIO(incoming.reading.metadata))
        self.keys.add(key)
        self._objects.put(key, incoming.staged.file, incoming.staged.size, incoming.staged.sha256)

    def _put(self, key: str, body: BinaryIO) -> None:
        digest, size = sha256(), 0
        body.seek(0)
        while block := body.read(2**20):
            digest.update(block)
            size += len(block)
        self.keys.add(key)
        self._objects.put(key, body, size, digest.hexdigest())
