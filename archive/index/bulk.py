"""Load many instances at once, whole studies at a time: by COPY on PostgreSQL, by executemany on SQLite.

For an index that is built anew, not for requests. The rows are those that store.py writes for the same
instances in the same order, made by the same functions. A study goes the way of store.py where the index has
any part of it already, so a load may be broken off and run again, and others may store meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from archive.index import search_attributes, store
from archive.index.bulk_copy import copy
from archive.index.engine import Database, InTheWay
from archive.index.organisations import organisation_id
from archive.index.schema import (
    frame_blocks,
    instance_bulk,
    instance_metadata,
    instances,
    search_values,
    series,
    series_state,
    studies,
    study_patients,
    study_state,
)
from archive.index.search_attributes import SearchAttribute
from archive.index.store import Verdict, Written
from archive.index.store_parents import differ, filled, patient_of, series_row, study_row
from archive.index.store_rows import NewInstance, instance_row, part_rows
from archive.index.store_tally import Tally
from archive.model.attributes import SERIES_ATTRIBUTES, STUDY_ATTRIBUTES
from archive.model.instance import Element
from archive.model.principal import Principal

CHUNK = 2_000  # instances of one transaction, to the end of a study
_MOST = 20_000  # or fewer than the study has: the rest of it goes the way of store.py
_MOST_BYTES = 2**26  # of metadata
_ORDER = (
    *(studies, study_state, study_patients, series, series_state, instances),
    *(instance_metadata, instance_bulk, frame_blocks, search_values),
)
_ASKED = 1_000  # UIDs that one statement asks for


@dataclass(slots=True)
class Loaded:
    """How many instances are new in the index, and by SOP Instance UID the last verdict on what was not."""

    instances: int = 0
    others: dict[str, Written] = field(default_factory=dict)


def load(
    database: Database, principal: Principal, new: Iterable[NewInstance], *, keep: timedelta
) -> Iterator[Loaded]:
    """Write the rows of instances, giving what became of each chunk once that is durable.

    `new` comes in order of (study, series, instance) UID, as a bucket lists them; `keep` is how long bytes
    stay that one of them replaces. Raise Unavailable where the database cannot be asked; what was given is
    in the index then.
    """
    for chunk in _chunks(new):

        def work(connection: Connection, chunk: list[NewInstance] = chunk) -> Loaded:
            return _write(connection, principal, chunk, keep)

        yield database.write(work)


def _chunks(new: Iterable[NewInstance]) -> Iterator[list[NewInstance]]:
    chunk: list[NewInstance] = []
    size = 0
    for each in new:
        ends = chunk and chunk[-1].reading.identity.study_uid != each.reading.identity.study_uid
        if (ends and len(chunk) >= CHUNK) or len(chunk) >= _MOST or size >= _MOST_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += len(each.metadata)
    if chunk:
        yield chunk


def _write(connection: Connection, principal: Principal, chunk: list[NewInstance], keep: timedelta) -> Loaded:
    organisation = organisation_id(connection, principal.organisation)
    chosen = search_attributes.paths(connection)
    fresh, rest = _parted(connection, organisation, chunk)
    rows = _Rows(connection, organisation, fresh, chosen)
    try:
        for table in _ORDER:
            copy(connection, table, rows.of[table])
    except exc.IntegrityError as error:
        raise InTheWay("a study was stored between two looks at it") from error
    loaded = Loaded(len(fresh))
    for some in _without_repeats(rest):
        verdicts = store.write(connection, principal, some, keep=keep)
        others = {uid: each for uid, each in verdicts.items() if each.verdict is not Verdict.NEW}
        loaded.others |= others
        loaded.instances += len(verdicts) - len(others)
    return loaded


def _without_repeats(new: Iterable[NewInstance]) -> Iterator[list[NewInstance]]:
    """Cut instances where a SOP Instance UID comes again, which one store request never has."""
    part: dict[str, NewInstance] = {}
    for each in new:
        if _sop_uid(each) in part:
            yield list(part.values())
            part = {}
        part[_sop_uid(each)] = each
    if part:
        yield list(part.values())


def _parted(
    connection: Connection, organisation: int, chunk: Sequence[NewInstance]
) -> tuple[list[NewInstance], list[NewInstance]]:
    """Return the instances of studies that are new in every part, and the others."""
    known = _known(connection, studies.c.study_uid, organisation, (_study_uid(each) for each in chunk))
    seen = _known(connection, instances.c.sop_uid, organisation, (_sop_uid(each) for each in chunk))
    fresh: list[NewInstance] = []
    rest: list[NewInstance] = []
    for uid, group in groupby(chunk, _study_uid):
        members = list(group)
        uids = {_sop_uid(each) for each in members}
        new = uid not in known and len(uids) == len(members) and not uids & seen
        (fresh if new else rest).extend(members)
        known.add(uid)
        seen |= uids
    return fresh, rest


def _known(
    connection: Connection, column: sa.Column[str], organisation: int, uids: Iterable[str]
) -> set[str]:
    wanted = sorted(set(uids))
    found: set[str] = set()
    for start in range(0, len(wanted), _ASKED):
        some = wanted[start : start + _ASKED]
        statement = sa.select(column).where(column.table.c.organisation_id == organisation, column.in_(some))
        found.update(connection.scalars(statement))
    return found


def _study_uid(new: NewInstance) -> str:
    return new.reading.identity.study_uid


def _sop_uid(new: NewInstance) -> str:
    return new.reading.identity.sop_uid


class _Rows:
    """The rows of new studies, by table, with row ids that are ours alone."""

    def __init__(
        self,
        connection: Connection,
        organisation: int,
        new: Sequence[NewInstance],
        chosen: tuple[SearchAttribute, ...],
    ) -> None:
        self.of: dict[sa.Table, list[dict[str, Any]]] = {table: [] for table in _ORDER}
        self._organisation = organisation
        self._tally = Tally()
        groups = [list(group) for _, group in groupby(new, _study_uid)]
        places = [sorted({each.reading.identity.series_uid for each in group}) for group in groups]
        self._series_ids = iter(_ids(connection, series, sum(map(len, places))))
        self._instance_ids = iter(_ids(connection, instances, len(new)))
        study_ids = _ids(connection, studies, len(groups))
        for study_id, group, uids in zip(study_ids, groups, places, strict=True):
            self._study(study_id, group)
            self._children(study_id, group, {uid: next(self._series_ids) for uid in uids})
        for table, rows in self._tally.rows().items():
            self.of[table] = rows
        self.of[search_values] = search_attributes.value_rows(
            chosen,
            zip((row["id"] for row in self.of[instances]), (each.metadata for each in new), strict=True),
        )

    def _study(self, study_id: int, group: Sequence[NewInstance]) -> None:
        values: dict[str, Element] = {}
        for each in group:
            values = filled(values, each.reading.attributes, STUDY_ATTRIBUTES)
        own = patient_of(values)
        others = {patient_of(each.reading.attributes) for each in group}
        conflicting = sorted(each for each in others if differ(own, each))
        row = study_row(self._organisation, _study_uid(group[0]), values)
        self.of[studies].append({"id": study_id, **row, "patient_conflict": bool(conflicting)})
        self.of[study_patients] += [
            {"study_id": study_id, "patient_id": patient, "issuer_of_patient_id": issuer}
            for patient, issuer in conflicting
        ]

    def _children(self, study_id: int, group: Sequence[NewInstance], ids: dict[str, int]) -> None:
        values: dict[str, dict[str, Element]] = {uid: {} for uid in ids}
        mine = []
        self._tally.new_series((study_id, i) for i in ids.values())
        for each in group:
            uid = each.reading.identity.series_uid
            values[uid] = filled(values[uid], each.reading.attributes, SERIES_ATTRIBUTES)
            row = instance_row(self._organisation, study_id, ids[uid], each)
            mine.append((next(self._instance_ids), each))
            self.of[instances].append({"id": mine[-1][0], **row})
            self._tally.stored(study_id, ids[uid], 1, each.size)
        self.of[series] += [{"id": ids[uid], **series_row(study_id, uid, values[uid])} for uid in ids]
        for table, rows in part_rows(mine).items():
            self.of[table] += rows


def _ids(connection: Connection, table: sa.Table, number: int) -> list[int]:
    """Return row ids that nobody else takes."""
    if connection.dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        each = sa.func.generate_series(1, number).table_valued("n")
        return list(connection.scalars(sa.select(sa.func.nextval(sequence)).select_from(each)))
    # We are the one writer, and AUTOINCREMENT goes on from the highest id that was ever there.
    statement = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    last = int(connection.execute(statement, {"name": table.name}).scalar() or 0)
    return list(range(last + 1, last + 1 + number))
