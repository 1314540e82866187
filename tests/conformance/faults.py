"""A real object store that fails on purpose, between the archive and its driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.contract import ObjectStore


class Faulty:
    """The store behind it, but with some methods of the test: these may raise, count, or call the store."""

    def __init__(self, objects: ObjectStore, **methods: Callable[..., Any]) -> None:
        self._objects = objects
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._objects, name)
