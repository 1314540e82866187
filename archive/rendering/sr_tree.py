"""The content tree of a Structured Report as a flat run of items, in the order in which it is read.

Owns what a content item says (PS3.3 C.17.3, C.18): value types, relationships, modifiers and references. Goes
through trees of any depth without recursion. How the items look is left to archive/rendering/sr.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from archive.rendering.codes import code_words
from archive.rendering.sr_values import Reference, Table, references_of, table_of, value_of
from archive.rendering.values import first_item, items, numbers, text

_RELATIONS = {
    "HAS OBS CONTEXT": "context",
    "HAS ACQ CONTEXT": "acquisition",
    "INFERRED FROM": "inferred from",
    "SELECTED FROM": "selected from",
    "HAS CONCEPT MOD": "modifier",
}
"""What is said of a relationship; CONTAINS and HAS PROPERTIES are told by the place of the item."""

_MOST_LEVELS = 64  # of the places that references inside a report may name


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One content item. The root has depth 0.

    `anchor` names it where other items refer to it, `target` the item that it refers to. `modifiers` are
    pairs of name and value that belong to it: concept modifiers without children, and the observation context
    of the root.
    """

    depth: int
    kind: str
    relation: str
    name: str
    value: str
    modifiers: tuple[tuple[str, str], ...]
    references: tuple[Reference, ...]
    table: Table | None
    anchor: str
    target: str


Place = tuple[int, ...]
"""Where an item is: ordinals from 1, the root first (PS3.3 C.17.3.2.5)."""


def content(ds: Dataset) -> Iterator[ContentItem]:
    """Give every content item of a report, each before its children."""
    wanted = _targets(ds)
    yield _item(ds, 0, (1,), wanted)
    root: Place = (1,)
    stack = [(enumerate(items(ds, "ContentSequence"), 1), 1, root)]
    while stack:
        children, depth, place = stack[-1]
        at, child = next(children, (0, None))
        if child is None:
            stack.pop()
            continue
        if _is_beside(child, depth):
            continue
        here: Place = (*place, at) if place and depth < _MOST_LEVELS else ()
        yield _item(child, depth, here, wanted)
        stack.append((enumerate(items(child, "ContentSequence"), 1), depth + 1, here))


def _is_beside(item: Dataset, depth: int) -> bool:
    """Tell whether an item is shown beside its parent; who observed stands at the head of the report."""
    relations = ("HAS CONCEPT MOD", "HAS OBS CONTEXT") if depth == 1 else ("HAS CONCEPT MOD",)
    relation = text(item, "RelationshipType").upper()
    return relation in relations and not items(item, "ContentSequence") and not references_of(item)


def _targets(ds: Dataset) -> frozenset[Place]:
    """Find the places that items refer to (by-reference relationships)."""
    found = set()
    stack = list(items(ds, "ContentSequence"))
    while stack:
        item = stack.pop()
        place = _referenced_place(item)
        if place:
            found.add(place)
        stack.extend(items(item, "ContentSequence"))
    return frozenset(found)


def _referenced_place(item: Dataset) -> Place:
    ordinals = numbers(item, "ReferencedContentItemIdentifier")
    return tuple(int(each) for each in ordinals) if len(ordinals) <= _MOST_LEVELS else ()


def _name_of_place(place: Place) -> str:
    return f"item-{'.'.join(map(str, place))}" if place else ""


def _item(ds: Dataset, depth: int, place: Place, wanted: frozenset[Place]) -> ContentItem:
    relation = text(ds, "RelationshipType").upper()
    target = _referenced_place(ds)
    modifiers = tuple(
        (concept_name(each), value_of(each))
        for each in items(ds, "ContentSequence")
        if _is_beside(each, depth + 1)
    )
    kind = text(ds, "ValueType").upper()
    return ContentItem(
        depth=depth,
        kind=kind or ("REFERENCE" if target else ""),
        relation=_RELATIONS.get(relation, ""),
        name=concept_name(ds),
        value=value_of(ds),
        modifiers=modifiers,
        references=references_of(ds),
        table=table_of(ds) if kind == "TABLE" else None,
        anchor=_name_of_place(place) if place in wanted else "",
        target=_name_of_place(target),
    )


def concept_name(ds: Dataset) -> str:
    """Return the concept name of a content item in words."""
    return code_words(first_item(ds, "ConceptNameCodeSequence"))


def language_of(ds: Dataset) -> str:
    """Return the language of a report's text as its root names it (TID 1204), "" where it does not."""
    for item in items(ds, "ContentSequence"):
        name = first_item(item, "ConceptNameCodeSequence")
        if text(name, "CodeValue") in {"121049", "121045"}:  # Language of Content Item and Descendants
            return text(first_item(item, "ConceptCodeSequence"), "CodeValue").replace("_", "-")
    return ""
