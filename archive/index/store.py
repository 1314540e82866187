"""Write instances: all rows of one request in one transaction, in key order.

What may happen to an instance is in `Verdict`. Study values come from the first stored live instance that has
one; a later instance that names another patient is flagged. Stored objects are never touched here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.dicom.read import READER_VERSION
from archive.index import search_attributes
from archive.index.dialect import insert
from archive.index.engine import InTheWay
from archive.index.folding import instance_columns
from archive.index.organisations import organisation_id
from archive.index.records import INSTANCE_COLUMNS, INSTANCE_JOIN, pack_bulk_values, pack_pixels, to_instance
from archive.index.schema import (
    frame_blocks,
    instance_bulk,
    instance_metadata,
    instances,
    retired_objects,
)
from archive.index.store_parents import Parents
from archive.index.store_tally import Tally
from archive.model.attributes import INSTANCE_ATTRIBUTES
from archive.model.instance import Reading, StoredInstance
from archive.model.principal import Principal

BATCH = 200  # instances written in one statement
BATCH_BYTES = 2**23  # or fewer, where their metadata are long


class Verdict(Enum):
    """What became of an instance in the index."""

    NEW = "new"
    REPLACED = "replaced"
    ALREADY = "already"  # another request stored the same bytes first
    DUPLICATE = "duplicate"  # another request stored other bytes first
    ELSEWHERE = "elsewhere"  # the SOP Instance UID is in another study or series


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


@dataclass(frozen=True, slots=True)
class Written:
    """The verdict on one instance.

    `retired_key` is the object that it replaced, no longer live, and `retired_size` its bytes; `stale`: the
    study or its series may have values of the replaced version.
    """

    verdict: Verdict
    patient_conflict: bool = False
    retired_key: str | None = None
    retired_size: int = 0
    stale: bool = False


def find(connection: Connection, principal: Principal, sop_uids: Sequence[str]) -> dict[str, StoredInstance]:
    """Return the caller's live instances among `sop_uids`, by SOP Instance UID."""
    organisation = organisation_id(connection, principal.organisation)
    rows = connection.execute(
        sa.select(*INSTANCE_COLUMNS)
        .select_from(INSTANCE_JOIN)
        .where(instances.c.organisation_id == organisation, instances.c.sop_uid.in_(sop_uids))
    )
    return {row.sop_uid: to_instance(row) for row in rows}


def write(
    connection: Connection, principal: Principal, new: Iterable[NewInstance], *, keep: timedelta
) -> dict[str, Written]:
    """Write the rows of a request and return the verdict on each SOP Instance UID.

    `new` comes in order of (study, series, instance) UID, so that two requests lock rows in the same order;
    `keep` is how long replaced bytes stay.
    """
    organisation = organisation_id(connection, principal.organisation)
    chosen = search_attributes.paths(connection)
    verdicts: dict[str, Written] = {}
    tally = Tally()
    for whole in _batches(new):
        batch = _in_place(connection, principal, whole, verdicts)
        if not batch:
            continue
        parents = Parents(connection, organisation, [each.reading for each in batch])
        tally.new_series(parents.new_series)
        taken = _insert(connection, organisation, parents, batch)
        for each in batch:
            uid = each.reading.identity.sop_uid
            if uid in taken:
                written = Written(Verdict.NEW, parents.conflicts(each.reading))
                tally.stored(*parents.ids(each.reading), 1, each.size)
            else:
                written = _meet(connection, organisation, parents, each, keep)
                if written.verdict is Verdict.REPLACED:
                    tally.stored(*parents.ids(each.reading), 0, each.size - written.retired_size)
                    taken[uid] = _instance_id(connection, organisation, uid)
            verdicts[uid] = written
        _insert_parts(connection, batch, taken)
        packed = ((taken[uid], each.metadata) for uid, each in _written(batch, taken))
        search_attributes.insert_values(connection, chosen, packed)
    tally.write(connection)
    return verdicts


def _in_place(
    connection: Connection, principal: Principal, batch: list[NewInstance], verdicts: dict[str, Written]
) -> list[NewInstance]:
    """Return those that are in no other place, before a study or series is made for the others in vain."""
    known = find(connection, principal, [each.reading.identity.sop_uid for each in batch])
    right = []
    for each in batch:
        identity = each.reading.identity
        there = known[identity.sop_uid].identity if identity.sop_uid in known else identity
        if (there.study_uid, there.series_uid) == (identity.study_uid, identity.series_uid):
            right.append(each)
        else:
            verdicts[identity.sop_uid] = Written(Verdict.ELSEWHERE)
    return right


def _written(batch: list[NewInstance], taken: dict[str, int]) -> Iterator[tuple[str, NewInstance]]:
    return ((e.reading.identity.sop_uid, e) for e in batch if e.reading.identity.sop_uid in taken)


def _batches(new: Iterable[NewInstance]) -> Iterator[list[NewInstance]]:
    batch: list[NewInstance] = []
    size = 0
    for each in new:
        batch.append(each)
        size += len(each.metadata)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def instance_row(organisation: int, study_id: int, series_id: int, new: NewInstance) -> dict[str, Any]:
    """Return the row of `instances`, its id left to the database."""
    reading = new.reading
    own = {a.tag: reading.attributes[a.tag] for a in INSTANCE_ATTRIBUTES if a.tag in reading.attributes}
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
        **instance_columns(reading.attributes),
    }


def _insert(
    connection: Connection, organisation: int, parents: Parents, batch: list[NewInstance]
) -> dict[str, int]:
    """Insert the instances that are new; return their row ids by SOP Instance UID."""
    statement = (
        insert(connection, instances)
        .on_conflict_do_nothing(index_elements=["organisation_id", "sop_uid"])
        .returning(instances.c.sop_uid, instances.c.id)
    )
    rows = connection.execute(
        statement, [instance_row(organisation, *parents.ids(each.reading), each) for each in batch]
    )
    return {row.sop_uid: row.id for row in rows}


def _meet(
    connection: Connection, organisation: int, parents: Parents, new: NewInstance, keep: timedelta
) -> Written:
    """Decide about an instance whose UID is taken; replace it where that is wanted."""
    uid = new.reading.identity.sop_uid
    row = connection.execute(
        sa.select(instances)
        .where(instances.c.organisation_id == organisation, instances.c.sop_uid == uid)
        .with_for_update()
    ).first()
    if row is None:
        raise InTheWay("an instance was deleted between two looks at it")
    study_id, series_id = parents.ids(new.reading)
    if (row.study_id, row.series_id) != (study_id, series_id):
        raise InTheWay("an instance was stored in another place between two looks at it")
    if row.object_key != new.lost_key:
        if row.sha256 == new.sha256:
            return Written(Verdict.ALREADY)
        if not new.replace:
            return Written(Verdict.DUPLICATE)
    values = instance_row(organisation, study_id, series_id, new)
    connection.execute(sa.update(instances).where(instances.c.id == row.id).values(values))
    for table in (instance_metadata, instance_bulk, frame_blocks):
        connection.execute(sa.delete(table).where(table.c.instance_id == row.id))
    search_attributes.forget(connection, row.id)
    now = datetime.now(UTC)
    identity = new.reading.identity
    connection.execute(
        sa.insert(retired_objects).values(
            object_key=row.object_key,
            organisation_id=organisation,
            study_uid=identity.study_uid,
            series_uid=identity.series_uid,
            sop_uid=uid,
            reason="replaced",
            replaced_by=new.object_key,
            marked=False,
            retired_at=now,
            remove_after=now + keep,
        )
    )
    conflict, stale = parents.conflicts(new.reading), parents.disagree(new.reading)
    return Written(Verdict.REPLACED, conflict, row.object_key, row.size, stale)


def _instance_id(connection: Connection, organisation: int, uid: str) -> int:
    statement = sa.select(instances.c.id).where(
        instances.c.organisation_id == organisation, instances.c.sop_uid == uid
    )
    return int(connection.execute(statement).scalar_one())


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


def _insert_parts(connection: Connection, batch: list[NewInstance], taken: dict[str, int]) -> None:
    for table, rows in part_rows([(taken[uid], each) for uid, each in _written(batch, taken)]).items():
        if rows:
            connection.execute(sa.insert(table), rows)
