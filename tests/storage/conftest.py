"""An empty store of each kind, and the way around its driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.contract import ObjectStore
from storage.open import open_store
from tests.storage.behind import Behind


@pytest.fixture
def store(storage_url: str) -> Iterator[ObjectStore]:
    """Give an empty store of each kind."""
    opened = open_store(storage_url, connections=8, timeout=10)
    yield opened
    opened.close()


@pytest.fixture
def behind(storage_url: str, store: ObjectStore) -> Iterator[Behind]:
    """Give the way around the driver."""
    found = Behind(storage_url)
    yield found
    found.close()
