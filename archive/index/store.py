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

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index import search_attributes
from archive.index.engine import Database, InTheWay
from archive.index.organisations import asking, organisation_id
from archive.index.prepared import Prepared, is_among, together
from archive.index.records import INSTANCE_COLUMNS, INSTANCE_JOIN, to_instance
from archive.index.schema import (
    BigId,
    frame_blocks,
    instance_bulk,
    instance_metadata,
    instances,
    retired_objects,
)
from archive.index.store_parents import Parents
from archive.index.store_rows import INSERT_INSTANCE, NewInstance, instance_row, part_inserts
from archive.index.store_tally import Tally
from archive.model.instance import StoredInstance
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


_FIND = Prepared(
    lambda dialect: (
        sa.select(*INSTANCE_COLUMNS)
        .select_from(INSTANCE_JOIN)
        .where(
            instances.c.organisation_id == sa.bindparam("organisation", type_=BigId),
            is_among(instances.c.sop_uid, "sop_uids", dialect),
        )
    )
)


def find(database: Database, principal: Principal, sop_uids: Sequence[str]) -> dict[str, StoredInstance]:
    """Return the caller's live instances among `sop_uids`, by SOP Instance UID."""
    rows = database.rows(_FIND, **asking(database, principal), sop_uids=sop_uids)
    return {row.sop_uid: to_instance(row) for row in rows}


def write(
    connection: Connection,
    principal: Principal,
    new: Iterable[NewInstance],
    *,
    keep: timedelta,
    looked: bool = False,
) -> dict[str, Written]:
    """Write the rows of a request and return the verdict on each SOP Instance UID.

    `new` comes in order of (study, series, instance) UID, so that two requests lock rows in the same order;
    `keep` is how long replaced bytes stay. `looked`: a moment ago none of them was in another place; where
    that has changed InTheWay is raised.
    """
    organisation = organisation_id(connection, principal.organisation)
    chosen = search_attributes.paths(connection)
    verdicts: dict[str, Written] = {}
    tally = Tally()
    parts: list[tuple[Prepared, list[dict[str, Any]]]] = []
    for whole in _batches(new):
        together(connection, parts)  # of the batch before
        parts = []
        batch = whole if looked else _in_place(connection, organisation, whole, verdicts)
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
        mine = [(taken[uid], each) for uid, each in _written(batch, taken)]
        parts = part_inserts(mine)
        search_attributes.insert_values(connection, chosen, ((i, each.metadata) for i, each in mine))
    together(connection, [*parts, *tally.inserts()])
    return verdicts


def _in_place(
    connection: Connection, organisation: int, batch: list[NewInstance], verdicts: dict[str, Written]
) -> list[NewInstance]:
    """Return those that are in no other place, before a study or series is made for the others in vain."""
    uids = [each.reading.identity.sop_uid for each in batch]
    rows = _FIND.run(connection, organisation=organisation, sop_uids=uids)
    known = {row.sop_uid: (row.study_uid, row.series_uid) for row in rows}
    right = []
    for each in batch:
        identity = each.reading.identity
        mine = identity.study_uid, identity.series_uid
        if known.get(identity.sop_uid, mine) == mine:
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


def _insert(
    connection: Connection, organisation: int, parents: Parents, batch: list[NewInstance]
) -> dict[str, int]:
    """Insert the instances that are new; return their row ids by SOP Instance UID."""
    rows = INSERT_INSTANCE.many(
        connection, [instance_row(organisation, *parents.ids(each.reading), each) for each in batch]
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
