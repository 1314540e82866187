"""Where the bulk values of an instance lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from archive.index.engine import Database
from archive.index.records import INSTANCE_JOIN, to_instance, unpack_bulk_values
from archive.index.retrieve import find_one, instance_statement
from archive.index.schema import instance_bulk, instances
from archive.model.instance import BulkValue, Element, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal

_WITH_BULK = instance_statement(
    INSTANCE_JOIN.outerjoin(instance_bulk, instance_bulk.c.instance_id == instances.c.id),
    instance_bulk.c.ranges,
    instances.c.attributes,
)


@dataclass(frozen=True, slots=True)
class BulkValues:
    """An instance, its bulk values in the order of the data set, and its index attributes."""

    instance: StoredInstance
    values: tuple[BulkValue, ...]
    attributes: Mapping[str, Element]


def bulk_values(database: Database, principal: Principal, place: Place) -> BulkValues:
    """Return the bulk values of the instance at a place; raise NotFound or Gone."""
    row = find_one(database, principal, place, _WITH_BULK)
    values = () if row.ranges is None else unpack_bulk_values(row.ranges)
    return BulkValues(to_instance(row), values, orjson.loads(row.attributes))
