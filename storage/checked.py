"""The one wrapper around every driver: checks keys and ranges, measures, and names the key in errors.

Drivers may therefore take it that keys keep the grammar, and say only what went wrong.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from storage.contract import Body, Draft, ObjectInfo, ObjectReader, ObjectStore, Placement
from storage.errors import StorageError
from storage.file_range import FileRange
from storage.keys import check_beginning, check_key

# (operation, seconds, outcome): the outcome is "ok" or the name of the error's class.
Observer = Callable[[str, float, str], None]

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class CheckedStore:
    """An ObjectStore around a driver. `observe` is called once for every operation, whatever its end."""

    def __init__(self, driver: ObjectStore, observe: Observer | None = None) -> None:
        self._driver = driver
        self._observe = observe

    @property
    def in_files(self) -> bool:
        """See ObjectStore.in_files."""
        return self._driver.in_files

    def put(self, key: str, body: Body, size: int, sha256: str) -> None:
        """See ObjectStore.put."""
        _check_object(key, size, sha256)
        with self._measured("put", key):
            self._driver.put(key, body, size, sha256)

    def begin(self, memory: int) -> Draft:
        """See ObjectStore.begin."""
        return self._driver.begin(memory)

    def place(self, placements: Sequence[Placement]) -> list[StorageError | None]:
        """See ObjectStore.place; each object is told of as a put, with the time that the group took."""
        for each in placements:
            _check_object(each.key, each.draft.size, each.sha256)
        start = time.perf_counter()
        errors = self._driver.place(placements)
        seconds = time.perf_counter() - start
        if self._observe:
            for error in errors:
                self._observe("put", seconds, "ok" if error is None else type(error).__name__)
        return [
            None if error is None else _naming(each.key, error)
            for each, error in zip(placements, errors, strict=True)
        ]

    def open(self, key: str, start: int = 0, length: int | None = None) -> ObjectReader:
        """See ObjectStore.open; the time is that until the first byte can be read."""
        _check_range(key, start, length)
        with self._measured("open", key):
            return CheckedReader(self._driver.open(key, start, length), key)

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore.read."""
        _check_range(key, start, length)
        with self._measured("read", key):
            return self._driver.read(key, start, length)

    def size(self, key: str) -> int:
        """See ObjectStore.size."""
        check_key(key)
        with self._measured("size", key):
            return self._driver.size(key)

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        check_key(key)
        with self._measured("delete", key):
            self._driver.delete(key)

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """See ObjectStore.list; the time is that of the whole listing, with what is done between."""
        check_beginning(prefix)
        check_beginning(after)
        return self._list(prefix, after)

    def _list(self, prefix: str, after: str) -> Iterator[ObjectInfo]:
        with self._measured("list", prefix or "/"):
            yield from self._driver.list(prefix, after)

    def check(self) -> None:
        """See ObjectStore.check."""
        with self._measured("check", "the store"):
            self._driver.check()

    def close(self) -> None:
        """See ObjectStore.close."""
        self._driver.close()

    @contextmanager
    def _measured(self, operation: str, name: str) -> Iterator[None]:
        start, outcome = time.perf_counter(), "ok"
        try:
            with _named(name):
                yield
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            if self._observe:
                self._observe(operation, time.perf_counter() - start, outcome)


class CheckedReader(ObjectReader):
    """An ObjectReader whose errors name the key."""

    def __init__(self, reader: ObjectReader, key: str) -> None:
        self._reader = reader
        self._key = key

    def read(self, size: int, /) -> bytes:
        """See ObjectReader.read."""
        with _named(self._key):
            return self._reader.read(size)

    def file_range(self) -> FileRange | None:
        """See ObjectReader.file_range."""
        return self._reader.file_range()

    def close(self) -> None:
        """See ObjectReader.close."""
        self._reader.close()


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise _naming(name, error) from error


def _naming(name: str, error: StorageError) -> StorageError:
    named = type(error)(f"{name}: {error}")
    named.__cause__ = error
    return named


def _check_object(key: str, size: int, sha256: str) -> None:
    check_key(key)
    if size < 0 or not _SHA256.match(sha256):
        raise ValueError("an object has a size and the SHA-256 of its bytes in lower-case hex")


def _check_range(key: str, start: int, length: int | None) -> None:
    check_key(key)
    if start < 0 or (length is not None and length < 0):
        raise ValueError("a range has a start and a length that are not negative")
