"""The study and series rows that instances of a request belong to: made, found, locked and filled up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import Unavailable
from archive.index.dialect import insert, insert_row
from archive.index.folding import series_columns, study_columns
from archive.index.prepared import Prepared, is_among
from archive.index.schema import BigId, series, studies, study_patients
from archive.model.attributes import SERIES_ATTRIBUTES, STUDY_ATTRIBUTES, Attribute
from archive.model.instance import Element, Reading

Attributes = Mapping[str, Element]
Key = TypeVar("Key", str, tuple[int, str])

_PATIENT_ID, _ISSUER = "00100020", "00100021"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Level:
    """What differs between studies and series when a row is filled up."""

    table: sa.Table
    attributes: tuple[Attribute, ...]
    columns: Callable[[Attributes], dict[str, Any]]


_STUDY = _Level(studies, STUDY_ATTRIBUTES, study_columns)
_SERIES = _Level(series, SERIES_ATTRIBUTES, series_columns)


def _locked(statement: sa.Select[Any]) -> sa.Select[Any]:
    # FOR KEY SHARE: writers of other instances pass, a delete of the row waits for us.
    return statement.with_for_update(read=True, key_share=True)


_FIND_STUDIES = Prepared(
    lambda dialect: _locked(
        sa.select(studies.c.id, studies.c.study_uid, studies.c.attributes, studies.c.patient_conflict)
        .where(
            studies.c.organisation_id == sa.bindparam("organisation", type_=BigId),
            is_among(studies.c.study_uid, "uids", dialect),
        )
        .order_by(studies.c.id)
    )
)
_FIND_SERIES = Prepared(
    lambda dialect: _locked(
        sa.select(series.c.id, series.c.study_id, series.c.series_uid, series.c.attributes)
        .where(
            is_among(series.c.study_id, "studies", dialect), is_among(series.c.series_uid, "uids", dialect)
        )
        .order_by(series.c.id)
    )
)
_INSERT_STUDY = Prepared(
    lambda dialect: (
        insert_row(studies, dialect, without=("id", "patient_conflict"))
        .on_conflict_do_nothing(index_elements=["organisation_id", "study_uid"])
        .returning(studies.c.study_uid, studies.c.id)
    )
)
_INSERT_SERIES = Prepared(
    lambda dialect: (
        insert_row(series, dialect, without=("id",))
        .on_conflict_do_nothing(index_elements=["study_id", "series_uid"])
        .returning(series.c.study_id, series.c.series_uid, series.c.id)
    )
)


class Parents:
    """Study and series rows of some readings, locked against removal until the transaction ends.

    `new_series` lists (study id, series id) of the series rows that were made here.
    """

    def __init__(self, connection: Connection, organisation: int, readings: Sequence[Reading]) -> None:
        self._connection = connection
        self._studies: dict[str, int] = {}
        self._series: dict[tuple[str, str], int] = {}
        self._conflicts: set[str] = set()  # SOP Instance UIDs
        self._values: dict[int, Attributes] = {}  # of studies, by row id
        self._series_values: dict[int, Attributes] = {}
        self._doubtful: set[int] = set()  # row ids of studies that are flagged for their patients
        self.new_series: list[tuple[int, int]] = []
        self._find_studies(organisation, readings)
        self._find_series(readings)

    def ids(self, reading: Reading) -> tuple[int, int]:
        """Return the study's and the series' row id."""
        identity = reading.identity
        return self._studies[identity.study_uid], self._series[identity.study_uid, identity.series_uid]

    def conflicts(self, reading: Reading) -> bool:
        """Tell whether the instance names another patient than its study."""
        return reading.identity.sop_uid in self._conflicts

    def disagree(self, reading: Reading) -> bool:
        """Tell whether study and series have values that are not, or not surely, those of the instance."""
        study_id, series_id = self.ids(reading)
        own = (
            filled({}, reading.attributes, STUDY_ATTRIBUTES),
            filled({}, reading.attributes, SERIES_ATTRIBUTES),
        )
        theirs = self._values[study_id], self._series_values[series_id]
        return own != theirs or study_id in self._doubtful or self.conflicts(reading)

    def _find_studies(self, organisation: int, readings: Sequence[Reading]) -> None:
        values: dict[str, Attributes] = {}
        for reading in readings:
            uid = reading.identity.study_uid
            values[uid] = filled(values.get(uid, {}), reading.attributes, STUDY_ATTRIBUTES)

        def find() -> dict[str, Any]:
            rows = _FIND_STUDIES.run(self._connection, organisation=organisation, uids=list(values))
            return {row.study_uid: row for row in rows}

        def make(uids: list[str]) -> dict[str, int]:
            rows = [study_row(organisation, uid, values[uid]) for uid in uids]
            return {row.study_uid: row.id for row in _INSERT_STUDY.many(self._connection, rows)}

        found, self._studies = _found_or_made("studies", values, find, make)
        for uid, study_id in self._studies.items():
            row, mine = found.get(uid), values[uid]
            self._values[study_id] = mine if row is None else self._fill_up(_STUDY, row, mine)
            if row is not None and row.patient_conflict:
                self._doubtful.add(study_id)
            self._note_patients(study_id, uid, self._values[study_id], readings)

    def _note_patients(self, study_id: int, uid: str, study: Attributes, readings: Sequence[Reading]) -> None:
        own = patient_of(study)
        others = set()
        for reading in readings:
            theirs = patient_of(reading.attributes)
            if reading.identity.study_uid == uid and differ(own, theirs):
                others.add(theirs)
                self._conflicts.add(reading.identity.sop_uid)
        if not others:
            return
        rows = [
            {"study_id": study_id, "patient_id": patient, "issuer_of_patient_id": issuer}
            for patient, issuer in sorted(others)
        ]
        self._connection.execute(insert(self._connection, study_patients).on_conflict_do_nothing(), rows)
        self._connection.execute(
            sa.update(studies)
            .where(studies.c.id == study_id, studies.c.patient_conflict.is_(False))
            .values(patient_conflict=True)
        )

    def _find_series(self, readings: Sequence[Reading]) -> None:
        values: dict[tuple[int, str], Attributes] = {}
        study_uids = {study_id: uid for uid, study_id in self._studies.items()}
        for reading in readings:
            key = self._studies[reading.identity.study_uid], reading.identity.series_uid
            values[key] = filled(values.get(key, {}), reading.attributes, SERIES_ATTRIBUTES)

        def find() -> dict[tuple[int, str], Any]:
            rows = _FIND_SERIES.run(
                self._connection, studies=[key[0] for key in values], uids=[key[1] for key in values]
            )
            return {key: row for row in rows if (key := (row.study_id, row.series_uid)) in values}

        def make(keys: list[tuple[int, str]]) -> dict[tuple[int, str], int]:
            rows = _INSERT_SERIES.many(self._connection, [series_row(*key, values[key]) for key in keys])
            self.new_series += [(row.study_id, row.id) for row in rows]
            return {(row.study_id, row.series_uid): row.id for row in rows}

        found, ids = _found_or_made("series", values, find, make)
        for key, series_id in ids.items():
            row, mine = found.get(key), values[key]
            self._series[study_uids[key[0]], key[1]] = series_id
            self._series_values[series_id] = mine if row is None else self._fill_up(_SERIES, row, mine)

    def _fill_up(self, level: _Level, row: Any, more: Attributes) -> Attributes:
        """Add the values that a row lacks and an instance has; return the row's attributes."""
        have: Attributes = orjson.loads(row.attributes)
        merged = filled(have, more, level.attributes)
        if merged == have:
            return have
        table = level.table
        # Another request may be filling up the same row: look again under the lock.
        locked = self._connection.execute(
            sa.select(table).where(table.c.id == row.id).with_for_update(key_share=True)
        ).one()
        merged = filled(orjson.loads(locked.attributes), more, level.attributes)
        new = {"attributes": orjson.dumps(merged), **level.columns(merged)}
        self._connection.execute(sa.update(table).where(table.c.id == row.id).values(new))
        return merged


def study_row(organisation: int, uid: str, attributes: Attributes) -> dict[str, Any]:
    """Return the row of `studies` of a new study, its id left to the database."""
    return {
        "organisation_id": organisation,
        "study_uid": uid,
        "attributes": orjson.dumps(attributes),
        "created_at": datetime.now(UTC),
        **study_columns(attributes),
    }


def series_row(study_id: int, uid: str, attributes: Attributes) -> dict[str, Any]:
    """Return the row of `series` of a new series, its id left to the database."""
    return {
        "study_id": study_id,
        "series_uid": uid,
        "attributes": orjson.dumps(attributes),
        **series_columns(attributes),
    }


def patient_of(attributes: Attributes) -> tuple[str, str]:
    """Return (PatientID, IssuerOfPatientID), trimmed; empty where absent."""
    return _first_text(attributes, _PATIENT_ID), _first_text(attributes, _ISSUER)


def _first_text(attributes: Attributes, tag: str) -> str:
    values = attributes.get(tag, {}).get("Value") or [None]
    return str(values[0] or "").strip()


def differ(own: tuple[str, str], theirs: tuple[str, str]) -> bool:
    """Tell whether two patient identities contradict each other; an empty part contradicts nothing."""
    return any(a and b and a != b for a, b in zip(own, theirs, strict=True))


def filled(have: Attributes, more: Attributes, level: tuple[Attribute, ...]) -> dict[str, Element]:
    """Return the attributes of a level: those in `have` that have a value, else those in `more`."""
    result: dict[str, Element] = {}
    for attribute in level:
        mine, other = have.get(attribute.tag), more.get(attribute.tag)
        if mine is not None and (has_value(mine) or other is None or not has_value(other)):
            result[attribute.tag] = mine
        elif other is not None:
            result[attribute.tag] = other
    return result


def has_value(element: Element) -> bool:
    """Tell whether a DICOM JSON element is not empty."""
    return len(element) > 1


def _found_or_made(
    what: str,
    wanted: Collection[Key],
    find: Callable[[], dict[Key, Any]],
    make: Callable[[list[Key]], dict[Key, int]],
) -> tuple[dict[Key, Any], dict[Key, int]]:
    """Find rows, locked against removal, and make those that are missing; return what was found, and all ids.

    Another request may make a row between the two steps, and a delete take it away: then both are done again.
    """
    for _ in range(_ATTEMPTS):
        found = find()
        ids: dict[Key, int] = {key: row.id for key, row in found.items()}
        missing = sorted(key for key in wanted if key not in ids)
        if missing:
            ids |= make(missing)
        if len(ids) == len(wanted):
            return found, ids
    raise Unavailable(f"{what} are being deleted as fast as they are stored")
