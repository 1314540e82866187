"""Where the bulk values of an instance lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from archive.index.engine import Database
from archive.index.records import INSTANCE_JOIN, to_instance, unpack_bulk_values
from archive.index.retrieve import select_one
from archive.index.schema import instance_bulk, instances
from archive.model.instance import BulkValue, Element, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal


@dataclass(frozen=True, slots=True)
class BulkValues:
    """An instance, its bulk values in the order of the data set, and its index attributes."""

    instance: StoredInstance
    values: tuple[BulkValue, ...]
    attributes: Mapping[str, Element]


def bulk_values(database: Database, principal: Principal, place: Place) -> BulkValues:
    """Return the bulk values of the instance at a place; raise NotFound or Gone."""
    source = INSTANCE_JOIN.outerjoin(instance_bulk, instance_bulk.c.instance_id == instances.c.id)
    columns = (instance_bulk.c.ranges, instances.c.attributes)
    with database.read() as connection:
        row = select_one(connection, principal, place, source, columns)
    values = () if row.ranges is None else unpack_bulk_values(row.ranges)
    return BulkValues(to_instance(row), values, orjson.loads(row.attributes))
