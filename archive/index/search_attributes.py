"""Attributes that a site chose to index, and their values of each instance.

Values are kept folded (folding.py), so that a match is a condition on text. A name is kept as one row for
each component group and one for its words, told apart by their first letter. An attribute is `ready` once the
values of all instances are in; until then searches read the stored JSON instead, and are as complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.dicom.segments import text
from archive.errors import Conflict, NotFound
from archive.index import folding
from archive.index.dialect import insert
from archive.index.engine import Database
from archive.index.prepared import Prepared
from archive.index.schema import instance_metadata, instances, search_attributes, search_values
from archive.index.search_match import values_of
from archive.model.instance import Element
from archive.model.query import Path

_LOCK = 0x46696C6E  # of PostgreSQL's advisory locks: an attribute is added while no store is half done
NAME_ROWS = "AIP"  # alphabetic, ideographic, phonetic
NAME_WORDS = "W"


@dataclass(frozen=True, slots=True)
class SearchAttribute:
    """One attribute of the site's choice."""

    id: int
    path: Path
    vr: str
    ready: bool


_WAIT_FOR_ADDING = Prepared(
    sa.select(sa.func.pg_advisory_xact_lock_shared(sa.text(str(_LOCK))).label("waited"))
)
_ALL = Prepared(sa.select(search_attributes).order_by(search_attributes.c.id))


def paths(connection: Connection) -> tuple[SearchAttribute, ...]:
    """Return the attributes whose values a new instance needs; for use in the transaction that stores it."""
    if connection.dialect.name == "postgresql":
        _WAIT_FOR_ADDING.run(connection)
    return known(connection)


def known(connection: Connection) -> tuple[SearchAttribute, ...]:
    """Return all attributes, in the order in which they were added."""
    return tuple(map(_attribute, _ALL.run(connection)))


_READY = Prepared(sa.select(search_attributes).where(search_attributes.c.ready))


def ready(database: Database) -> tuple[SearchAttribute, ...]:
    """Return the attributes whose values are all in, for searches."""
    return tuple(_attribute(row) for row in database.rows(_READY))


def _attribute(row: Any) -> SearchAttribute:
    return SearchAttribute(row.id, tuple(row.path.split(".")), row.vr, row.ready)


def add(database: Database, path: Path, vr: str) -> SearchAttribute:
    """Add an attribute, not ready yet; raise Conflict where it is there."""

    def work(connection: Connection) -> int:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        statement = insert(connection, search_attributes).on_conflict_do_nothing(index_elements=["path"])
        returned = statement.values(path=".".join(path), vr=vr).returning(search_attributes.c.id)
        found = connection.execute(returned).scalar_one_or_none()
        if found is None:
            raise Conflict("the attribute is indexed already")
        return int(found)

    return SearchAttribute(database.write(work), path, vr, ready=False)


def remove(database: Database, path: Path) -> None:
    """Remove an attribute and its values; raise NotFound where it is not there."""

    def work(connection: Connection) -> None:
        gone = connection.execute(
            sa.delete(search_attributes).where(search_attributes.c.path == ".".join(path))
        )
        if not gone.rowcount:
            raise NotFound("the attribute is not indexed")

    database.write(work)


def values_for(
    attributes: Iterable[SearchAttribute], dataset: Mapping[str, Element]
) -> list[tuple[int, int, str]]:
    """Return (attribute id, position, value) for a data set in the DICOM JSON model."""
    return [
        (attribute.id, position, value)
        for attribute in attributes
        for position, value in enumerate(dict.fromkeys(_values(attribute, dataset)))
    ]


def value_rows(chosen: Sequence[SearchAttribute], new: Iterable[tuple[int, bytes]]) -> list[dict[str, Any]]:
    """Return the rows of `search_values` of new instances, given as (row id, packed DICOM JSON)."""
    if not chosen:
        return []
    return [
        {"attribute_id": attribute_id, "instance_id": instance_id, "position": position, "value": value}
        for instance_id, packed in new
        for attribute_id, position, value in values_for(chosen, orjson.loads(text(packed, b"")))
    ]


def insert_values(
    connection: Connection, chosen: Sequence[SearchAttribute], new: Iterable[tuple[int, bytes]]
) -> None:
    """Insert the values of new instances, given as (row id, packed DICOM JSON)."""
    rows = value_rows(chosen, new)
    if rows:
        connection.execute(insert(connection, search_values).on_conflict_do_nothing(), rows)


def forget(connection: Connection, instance_id: int) -> None:
    """Remove the values of an instance whose bytes are being replaced."""
    connection.execute(sa.delete(search_values).where(search_values.c.instance_id == instance_id))


def fill(
    database: Database, attribute: SearchAttribute, after: int, count: int, read: Callable[[str], bytes]
) -> int | None:
    """Insert the values of the next `count` instances whose row id is above `after`; return the last row id.

    None when there were none left, and the attribute is ready. `read` returns the packed JSON of an instance,
    by its object key, where that is in a derived object.
    """
    columns = (instances.c.id, instances.c.object_key, instance_metadata.c.segments)
    statement = sa.select(*columns).select_from(instances.join(instance_metadata)).order_by(instances.c.id)
    with database.read() as connection:
        rows = connection.execute(statement.where(instances.c.id > after).limit(count)).all()
    packed = {row.id: read(row.object_key) if row.segments is None else row.segments for row in rows}
    keys = {row.id: row.object_key for row in rows}

    def work(connection: Connection) -> None:
        if not rows:
            ready = sa.update(search_attributes).where(search_attributes.c.id == attribute.id)
            connection.execute(ready.values(ready=True))
            return
        # What was deleted or replaced meanwhile has no values, or those of its store.
        still = connection.execute(
            sa.select(instances.c.id, instances.c.object_key)
            .where(instances.c.id.in_(list(keys)))
            .with_for_update(key_share=True)
        )
        same = [row.id for row in still if keys[row.id] == row.object_key]
        exists = sa.select(search_attributes.c.id).where(search_attributes.c.id == attribute.id)
        if connection.execute(exists).first() is not None:
            insert_values(connection, [attribute], ((i, packed[i]) for i in same))

    database.write(work)
    return rows[-1].id if rows else None


def _values(attribute: SearchAttribute, dataset: Mapping[str, Element]) -> Iterator[str]:
    tag = attribute.path[-1]
    for element in _elements(dataset, attribute.path):
        vr = attribute.vr if attribute.vr != "UN" else str(element.get("vr", "UN"))
        for value in values_of(element):
            if vr == "PN":
                yield from _name_values(value)
            elif not isinstance(value, Mapping):
                form = folding.value_form(tag, vr, value)[: folding.LONGEST]
                if form:
                    yield form


def _name_values(value: Any) -> Iterator[str]:
    groups = folding.name_forms(value)
    for letter, group in zip(NAME_ROWS, groups, strict=True):
        if group:
            yield letter + group[: folding.LONGEST]
    words = folding.name_words(*groups)
    if words:
        yield NAME_WORDS + words[: folding.LONGEST]


def _elements(dataset: Mapping[str, Element], path: Path) -> Iterator[Element]:
    element = dataset.get(path[0])
    if element is None:
        return
    if len(path) == 1:
        yield element
        return
    for item in values_of(element):
        if isinstance(item, Mapping):
            yield from _elements(item, path[1:])
