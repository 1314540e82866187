"""The kept DICOM JSON of instances: packed segments (archive/dicom/segments.py), never recomputed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import sqlalchemy as sa

from archive.index.engine import Database
from archive.index.schema import instance_metadata, instances

CHUNK = 500


def fetch_segments(database: Database, ids: array[int]) -> Iterator[tuple[str, bytes | None]]:
    """Go through (object key, packed segments) of row ids, in their order.

    The segments are None where they are in the derived object of kind "metadata". What was deleted meanwhile
    is left out.
    """
    statement = sa.select(instances.c.id, instances.c.object_key, instance_metadata.c.segments).select_from(
        instances.join(instance_metadata)
    )
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        with database.read() as connection:
            rows = connection.execute(statement.where(instances.c.id.in_(chunk.tolist()))).all()
        found = {row.id: row for row in rows}
        yield from ((found[i].object_key, found[i].segments) for i in chunk if i in found)
