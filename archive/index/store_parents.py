"""The study and series rows that instances of a request belong to: made, found, locked and filled up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import Unavailable
from archive.index.dialect import insert
from archive.index.folding import series_columns, study_columns
from archive.index.schema import series, studies, study_patients
from archive.model.attributes import SERIES_ATTRIBUTES, STUDY_ATTRIBUTES, Attribute
from archive.model.instance import Element, Reading

Attributes = Mapping[str, Element]

_PATIENT_ID, _ISSUER = "00100020", "00100021"
_ATTEMPTS = 5


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
        new = [study_row(organisation, uid, attributes) for uid, attributes in sorted(values.items())]
        rows = _make(
            self._connection,
            new,
            studies,
            ["organisation_id", "study_uid"],
            sa.and_(studies.c.organisation_id == organisation, studies.c.study_uid.in_(list(values))),
        )
        for row in rows:
            self._studies[row.study_uid] = row.id
            merged = _fill_up(self._connection, studies, row, values[row.study_uid], STUDY_ATTRIBUTES)
            self._values[row.id] = merged
            if row.patient_conflict:
                self._doubtful.add(row.id)
            self._note_patients(row.id, row.study_uid, merged, readings)

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
        new = [series_row(*key, attributes) for key, attributes in sorted(values.items())]
        where = sa.tuple_(series.c.study_id, series.c.series_uid).in_(list(values))
        rows = _make(self._connection, new, series, ["study_id", "series_uid"], where, self.new_series)
        for row in rows:
            self._series[study_uids[row.study_id], row.series_uid] = row.id
            mine = values[row.study_id, row.series_uid]
            self._series_values[row.id] = _fill_up(self._connection, series, row, mine, SERIES_ATTRIBUTES)


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


def _make(
    connection: Connection,
    new: list[dict[str, Any]],
    table: sa.Table,
    key: list[str],
    where: sa.ColumnElement[bool],
    made: list[tuple[int, int]] | None = None,
) -> Sequence[sa.Row[Any]]:
    """Make the rows that are missing, then return all of them, locked against removal.

    A delete may take a row away between the two steps; then both are done again.
    """
    select = sa.select(table).where(where).order_by(table.c.id)
    # FOR KEY SHARE: writers of other instances pass, a delete of the row waits for us.
    select = select.with_for_update(read=True, key_share=True)
    for _ in range(_ATTEMPTS):
        statement = insert(connection, table).on_conflict_do_nothing(index_elements=key)
        if made is None:
            connection.execute(statement, new)
        else:
            returned = connection.execute(statement.returning(table.c.study_id, table.c.id), new)
            made.extend((row.study_id, row.id) for row in returned)
        rows = connection.execute(select).all()
        if len(rows) == len(new):
            return rows
    raise Unavailable(f"{table.name} are being deleted as fast as they are stored")


def _fill_up(
    connection: Connection, table: sa.Table, row: sa.Row[Any], more: Attributes, level: tuple[Attribute, ...]
) -> Attributes:
    """Add the values that a row lacks and an instance has; return the row's attributes."""
    have: Attributes = orjson.loads(row.attributes)
    merged = filled(have, more, level)
    if merged == have:
        return have
    # Another request may be filling up the same row: look again under the lock.
    locked = connection.execute(
        sa.select(table).where(table.c.id == row.id).with_for_update(key_share=True)
    ).one()
    merged = filled(orjson.loads(locked.attributes), more, level)
    columns = study_columns(merged) if table is studies else series_columns(merged)
    connection.execute(
        sa.update(table).where(table.c.id == row.id).values(attributes=orjson.dumps(merged), **columns)
    )
    return merged
