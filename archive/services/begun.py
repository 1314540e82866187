"""Iterators whose first item is taken at once, so that what fails at the start fails before an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

T = TypeVar("T")


def begun(items: Iterable[T]) -> Iterator[T]:
    """Take the first item now and give all of them."""
    iterator = iter(items)
    try:
        first = next(iterator)
    except StopIteration:
        return iter(())
    return chain((first,), iterator)
