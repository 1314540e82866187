"""A real object store that fails on purpose, between the archive and its driver."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from storage.contract import ObjectStore, Placement
from storage.errors import StorageError


class Faulty:
    """The store behind it, but with some methods of the test: these may raise, count, or call the store."""

    def __init__(self, objects: ObjectStore, **methods: Callable[..., Any]) -> None:
        self._objects = objects
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._objects, name)

    def place(self, placements: Sequence[Placement]) -> list[StorageError | None]:
        """Place each draft by the test's `put`, where it has one."""
        put = self._methods.get("put")
        if put is None:
            return self._objects.place(placements)
        errors: list[StorageError | None] = []
        for each in placements:
            body = io.BytesIO(each.draft.read_at(0, each.draft.size))
            try:
                put(each.key, body, each.draft.size, each.sha256)
                errors.append(None)
            except StorageError as error:
                errors.append(error)
        return errors
