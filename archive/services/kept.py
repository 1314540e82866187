"""Results kept in memory up to a number of bytes, the least recently used let go first.

Those who ask for the same at the same time share one piece of work. Nothing here says who may see what:
callers ask the index first. What is kept may be lost at any time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from archive.errors import Unavailable

T = TypeVar("T")


class Kept(Generic[T]):
    """A bounded memory of what was made; `size_of` tells the bytes of one result."""

    def __init__(self, most: int, size_of: Callable[[T], int]) -> None:
        self.size = 0
        self._most = most
        self._size_of = size_of
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, T] = OrderedDict()
        self._under_way: dict[Hashable, Future[T]] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key, else what `make` gives; raise what it raises, kept by nobody."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
            others = self._under_way.get(key)
            ours = self._under_way.setdefault(key, Future())
        if others is not None:
            return others.result()
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                del self._under_way[key]
            ours.set_exception(error if isinstance(error, Exception) else Unavailable("it was broken off"))
            raise
        with self._lock:
            del self._under_way[key]
            self._keep(key, made)
        ours.set_result(made)
        return made

    def _keep(self, key: Hashable, made: T) -> None:
        size = self._size_of(made)
        if size > self._most // 4:  # one large result would push out everything else
            return
        self._results[key] = made
        self.size += size
        while self.size > self._most:
            _, gone = self._results.popitem(last=False)
            self.size -= self._size_of(gone)
