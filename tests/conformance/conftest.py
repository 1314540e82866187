"""The archive of a test, over each pair of back ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archive.settings import Settings
from tests.conformance.archive import Archive


@pytest.fixture
def archive(backend: Settings) -> Iterator[Archive]:
    """Give an empty archive."""
    made = Archive(backend)
    yield made
    made.close()
