"""What a store writes of one instance: its row, and those of its metadata and ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa

from archive.dicom.read import READER_VERSION
from archive.index.dialect import insert_row
from archive.index.folding import instance_columns
from archive.index.prepared import Prepared
from archive.index.records import pack_bulk_values, pack_pixels
from archive.index.schema import frame_blocks, instance_bulk, instance_metadata, instances
from archive.model.attributes import INSTANCE_ATTRIBUTES
from archive.model.instance import Reading


@dataclass(frozen=True, slots=True)
class NewInstance:
    """An instance whose objects are durable. `metadata_apart`: the metadata is in a derived object."""

    reading: Reading
    object_key: str
    size: int
    sha256: str
    inflated: bool
    metadata: bytes
    metadata_apart: bool
    replace: bool  # take the place of other content under the same UID
    lost_key: str | None = None  # the object of the same instance that the store has lost: take its place

    @property
    def transfer_syntax_uid(self) -> str:
        """The transfer syntax of the object."""
        return self.reading.transfer_syntax_uid

    @property
    def dataset_offset(self) -> int:
        """Where the data set begins in the object."""
        return self.reading.dataset_offset


INSERT_INSTANCE = Prepared(
    lambda dialect: (
        insert_row(instances, dialect, without=("id",))
        .on_conflict_do_nothing(index_elements=["organisation_id", "sop_uid"])
        .returning(instances.c.sop_uid, instances.c.id)
    )
)
"""Insert what is new: the SOP Instance UIDs and row ids come back."""

_INSERT_PARTS = {
    table: Prepared(lambda dialect, table=table: insert_row(table, dialect))  # type: ignore[misc]
    for table in (instance_metadata, instance_bulk, frame_blocks)
}


def instance_row(organisation: int, study_id: int, series_id: int, new: NewInstance) -> dict[str, Any]:
    """Return the row of `instances`, its id left to the database."""
    reading = new.reading
    attributes = reading.attributes
    own = {a.tag: attributes[a.tag] for a in INSTANCE_ATTRIBUTES if a.tag in attributes}
    return {
        "organisation_id": organisation,
        "study_id": study_id,
        "series_id": series_id,
        "sop_uid": reading.identity.sop_uid,
        "sop_class_uid": reading.identity.sop_class_uid,
        "transfer_syntax_uid": reading.transfer_syntax_uid,
        "object_key": new.object_key,
        "size": new.size,
        "sha256": new.sha256,
        "dataset_offset": reading.dataset_offset,
        "inflated": new.inflated,
        "pixels": pack_pixels(reading.pixels),
        "attributes": orjson.dumps(own),
        "stored_at": datetime.now(UTC),
        **instance_columns(attributes),
    }


def part_rows(mine: Sequence[tuple[int, NewInstance]]) -> dict[sa.Table, list[dict[str, Any]]]:
    """Return the rows of what belongs to instances with these ids: metadata, ranges of values and frames."""
    segments = [
        {
            "instance_id": i,
            "segments": None if each.metadata_apart else each.metadata,
            "reader_version": READER_VERSION,
        }
        for i, each in mine
    ]
    bulk = [
        {"instance_id": i, "ranges": pack_bulk_values(each.reading.bulk_values)}
        for i, each in mine
        if each.reading.bulk_values
    ]
    blocks = [
        {"instance_id": i, "first_frame": block.first, "frames": block.count, "ranges": block.ranges}
        for i, each in mine
        for block in each.reading.frame_blocks
    ]
    return {instance_metadata: segments, instance_bulk: bulk, frame_blocks: blocks}


def part_inserts(mine: Sequence[tuple[int, NewInstance]]) -> list[tuple[Prepared, list[dict[str, Any]]]]:
    """Return what inserts the rows that belong to instances with these ids."""
    return [(_INSERT_PARTS[table], rows) for table, rows in part_rows(mine).items() if rows]
