"""All cases in the order in which they run, chosen by the word of their transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from bench.dicomweb import frames, metadata, rendered, retrieve, search, store
from bench.dicomweb.plan import Plan
from bench.dicomweb.runner import Case

# What a frame is decoded for ends some servers, so frames come last.
SUITES: dict[str, Callable[[Plan], Iterator[Case]]] = {
    "store": store.cases,
    "metadata": metadata.cases,
    "retrieve": retrieve.cases,
    "search": search.cases,
    "rendered": rendered.cases,
    "frames": frames.cases,
}


def cases(plan: Plan, words: Collection[str] = ()) -> Iterator[Case]:
    """Give the cases of these transactions, of all where none is named."""
    for word, suite in SUITES.items():
        if not words or word in words:
            yield from suite(plan)
