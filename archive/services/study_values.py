"""What study and series are worth: the values of their instances, the first stored one that has each.

Needed where an instance went or was replaced; stores only add (archive/index/store_parents.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson

from archive.dicom.segments import text
from archive.index import delete as index
from archive.index.delete import Changed, Values
from archive.index.engine import Database
from archive.index.seen import Attributes, Seen, look_at_all, remaining_ids
from archive.index.store_parents import differ, filled, has_value, patient_of
from archive.model.attributes import SERIES_ATTRIBUTES, STUDY_ATTRIBUTES, Attribute
from archive.model.principal import Principal
from archive.services.metadata import packed
from storage.contract import ObjectStore

_log = logging.getLogger(__name__)
_ATTEMPTS = 5


def refresh(database: Database, objects: ObjectStore, principal: Principal, study_uid: str) -> None:
    """Work out the values of a study and its series anew; a store meanwhile makes this look again."""
    for _ in range(_ATTEMPTS):
        seen = look_at_all(database, principal, study_uid)
        if seen is None:
            return
        values = values_of(database, objects, seen)
        try:
            _write(database, seen, values)
        except Changed:
            continue
        return
    _log.warning(
        "study %s is stored into all the time: its values may be those of a replaced version", study_uid
    )


def _write(database: Database, seen: Seen, values: Values) -> None:
    database.write(lambda connection: index.set_values(connection, seen, values))


def values_of(database: Database, objects: ObjectStore, seen: Seen) -> Values:
    """Work out study and series values from the instances that stay, in the order they were stored."""
    if not seen.remaining:
        return Values({}, {}, frozenset())
    study = _refill(_attributes(database, objects, seen), seen.study_attributes, STUDY_ATTRIBUTES)
    series = {}
    for series_id, attributes in seen.series_attributes.items():
        own = _attributes(database, objects, seen, series_id)
        series[series_id] = _refill(own, attributes, SERIES_ATTRIBUTES)
    patients = _patients(database, objects, seen, study) if seen.patient_conflict else frozenset()
    return Values(study, series, patients)


def _patients(
    database: Database, objects: ObjectStore, seen: Seen, study: Attributes
) -> frozenset[tuple[str, str]]:
    """Return the identities that instances name beside the study's own.

    While that stays the same they are among those known, and the look ends when all of them are found. The
    first instances are the study's own, and those of somebody else came late: the last ones are next.
    """
    own = patient_of(study)
    known = seen.patients if own == patient_of(seen.study_attributes) else None
    named: set[tuple[str, str]] = set()
    for attributes in _attributes(database, objects, seen, last_first=True):
        each = patient_of(attributes)
        if differ(own, each):
            named.add(each)
            if known is not None and named >= known:
                break
    return frozenset(named)


def _refill(instances: Iterator[Attributes], before: Attributes, level: tuple[Attribute, ...]) -> Attributes:
    """Return the level's values of the first instances that have them.

    What was empty before is empty in every instance, so the look ends when all others are found.
    """
    wanted = {tag for tag, element in before.items() if has_value(element)}
    values: Attributes = {}
    for attributes in instances:
        values = filled(values, attributes, level)
        if all(has_value(values.get(tag, {})) for tag in wanted):
            break
    return values


def _attributes(
    database: Database,
    objects: ObjectStore,
    seen: Seen,
    series_id: int | None = None,
    *,
    last_first: bool = False,
) -> Iterator[Attributes]:
    for ids in remaining_ids(database, seen, series_id):
        some = packed(database, objects, ids[::-1] if last_first else ids)
        yield from (orjson.loads(text(each, b"")) for each in some)
