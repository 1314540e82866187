"""Rows of instances to frozen records and back."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
import sqlalchemy as sa

from archive.index.schema import instances, organisations, series, studies
from archive.model.instance import BulkValue, Identity, Pixels, StoredInstance
from archive.model.keys import derived_key

INSTANCE_COLUMNS = (
    instances.c.id,
    organisations.c.name.label("organisation"),
    studies.c.study_uid,
    series.c.series_uid,
    instances.c.sop_uid,
    instances.c.sop_class_uid,
    instances.c.transfer_syntax_uid,
    instances.c.object_key,
    instances.c.size,
    instances.c.sha256,
    instances.c.dataset_offset,
    instances.c.inflated,
    instances.c.pixels,
)

INSTANCE_JOIN = (
    instances.join(series, instances.c.series_id == series.c.id)
    .join(studies, instances.c.study_id == studies.c.id)
    .join(organisations, instances.c.organisation_id == organisations.c.id)
)

SERIES_ORDER = (sa.func.coalesce(series.c.series_number, 2**62), series.c.series_uid)
"""How people expect series; those without a number come last."""
INSTANCE_ORDER = (sa.func.coalesce(instances.c.instance_number, 2**62), instances.c.sop_uid)
"""How people expect the instances of a series, those without a number last."""


def to_instance(row: Any) -> StoredInstance:
    """Make a record from a row of INSTANCE_COLUMNS."""
    return StoredInstance(
        id=row.id,
        organisation=row.organisation,
        identity=Identity(row.study_uid, row.series_uid, row.sop_uid, row.sop_class_uid),
        transfer_syntax_uid=row.transfer_syntax_uid,
        object_key=row.object_key,
        size=row.size,
        sha256=row.sha256,
        dataset_offset=row.dataset_offset,
        inflated_key=derived_key(row.object_key, "inflated") if row.inflated else None,
        pixels=Pixels(**orjson.loads(row.pixels)) if row.pixels is not None else None,
    )


def pack_pixels(pixels: Pixels | None) -> bytes | None:
    """Return the column `instances.pixels`."""
    return None if pixels is None else orjson.dumps(pixels)


def pack_bulk_values(values: tuple[BulkValue, ...]) -> bytes:
    """Return the column `instance_bulk.ranges`."""
    rows = [[v.path, v.vr, v.offset, v.length, v.big_endian] for v in values]
    return zlib.compress(orjson.dumps(rows), 1)


def unpack_bulk_values(ranges: bytes) -> tuple[BulkValue, ...]:
    """Read the column `instance_bulk.ranges`."""
    return tuple(BulkValue(*row) for row in orjson.loads(zlib.decompress(ranges)))
