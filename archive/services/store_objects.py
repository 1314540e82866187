"""Write the objects of a store request: in groups, with a bound on what is under way.

Knows which keys this request made, so that a request that ends badly can take all of them back.
"""

from __future__ import annotations

import io
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from archive.model.instance import Reading
from archive.model.keys import derived_key
from archive.services.staging import Staged
from storage.contract import ObjectStore, Placement
from storage.errors import StorageError

_log = logging.getLogger(__name__)

_AT_ONCE = 2  # groups of a request that are being written while the next one comes

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


Ended = tuple[Incoming, StorageError | None]


class ObjectWriter:
    """The objects that one request writes, in groups that are made durable together."""

    def __init__(self, objects: ObjectStore, executor: Executor) -> None:
        self._objects = objects
        self._executor = executor
        self._under_way: deque[tuple[Sequence[Incoming], Future[list[StorageError | None]]]] = deque()
        self.keys: set[str] = set()

    def write(self, group: Sequence[Incoming], *, last: bool = False) -> Iterator[Ended]:
        """Begin to write a group; give those that had to end first, to make room.

        The last of a request ends here: another thread would only be waited for.
        """
        if last and not self._under_way:
            yield from self._ended(group, self._write(group))
            return
        while len(self._under_way) >= _AT_ONCE:
            yield from self._wait()
        self._under_way.append((group, self._executor.submit(self._write, group)))

    def settle(self) -> Iterator[Ended]:
        """Wait for all that is under way."""
        while self._under_way:
            yield from self._wait()

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

    def _wait(self) -> Iterator[Ended]:
        group, future = self._under_way.popleft()
        error = future.exception()
        if error is not None:
            for incoming in group:
                incoming.close()
            raise error
        yield from self._ended(group, future.result())

    def _ended(self, group: Sequence[Incoming], errors: list[StorageError | None]) -> Iterator[Ended]:
        for incoming, error in zip(group, errors, strict=True):
            incoming.close()
            yield incoming, error

    def _write(self, group: Sequence[Incoming]) -> list[StorageError | None]:
        """Write what is derived from instances, then their own objects: all drafts among them at once."""
        errors = [self._begin(incoming) for incoming in group]
        drafts = [
            (position, Placement(incoming.staged.draft, incoming.object_key, incoming.staged.sha256))
            for position, incoming in enumerate(group)
            if errors[position] is None and incoming.staged.draft is not None
        ]
        placed = self._objects.place([placement for _, placement in drafts])
        for (position, _), error in zip(drafts, placed, strict=True):
            errors[position] = error
        return errors

    def _begin(self, incoming: Incoming) -> StorageError | None:
        """Write all of an instance but its draft."""
        key, staged = incoming.object_key, incoming.staged
        try:
            if incoming.inflated is not None:
                self._put(derived_key(key, "inflated"), incoming.inflated)
            if incoming.metadata_apart:
                self._put(derived_key(key, "metadata"), io.BytesIO(incoming.reading.metadata))
            self.keys.add(key)
            if staged.file is not None:
                self._objects.put(key, staged.file, staged.size, staged.sha256)
        except StorageError as error:
            return error
        return None

    def _put(self, key: str, body: BinaryIO) -> None:
        digest, size = sha256(), 0
        body.seek(0)
        while block := body.read(2**20):
            digest.update(block)
            size += len(block)
        self.keys.add(key)
        self._objects.put(key, body, size, digest.hexdigest())
