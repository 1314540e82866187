"""The archive of a test, over each pair of back ends; all archives share one set of warm child processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from archive import bootstrap
from archive.sandbox.pool import Sandbox
from archive.settings import Settings
from tests.conformance.archive import Archive
from tests.conformance.faults import Faulty


@pytest.fixture(scope="package", autouse=True)
def warm_children() -> Iterator[None]:
    """Let archives of the same settings share child processes: each takes half a second to start."""
    made: dict[tuple[tuple[str, Any], ...], Sandbox] = {}

    def shared(**options: Any) -> Any:
        key = tuple(sorted(options.items()))
        if key not in made:
            made[key] = Sandbox(**options)
        return Faulty(made[key], close=lambda: None)  # type: ignore[arg-type] # any object will do

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "Sandbox", shared)
        yield
    for sandbox in made.values():
        sandbox.close()


@pytest.fixture
def archive(backend: Settings) -> Iterator[Archive]:
    """Give an empty archive."""
    made = Archive(backend)
    yield made
    made.close()
