"""The kept DICOM JSON of instances: packed segments (archive/dicom/segments.py), never recomputed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from archive.index.engine import Database
from archive.index.organisations import asking
from archive.index.prepared import Prepared, is_among
from archive.index.records import INSTANCE_ORDER, SERIES_ORDER
from archive.index.retrieve import VISIBLE, at_level, missing, uids
from archive.index.schema import instance_metadata, instances, series, series_state, studies, study_state
from archive.model.level import Level, Place
from archive.model.principal import Principal

CHUNK = 500

Segments = tuple[str, bytes | None]
"""Object key and packed segments of an instance, None where they are in the derived object "metadata"."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first instances of a place, and a text that changes with what is there."""

    revision: str
    segments: list[Segments]
    more: bool


_BELOW = studies.join(series, series.c.study_id == studies.c.id).join(
    instances, instances.c.series_id == series.c.id
)
_REVISED = {
    Level.STUDY: (studies.c.id, study_state.c.revision),
    Level.SERIES: (series.c.id, series_state.c.revision),
    Level.INSTANCE: (instances.c.id, sa.func.substr(instances.c.sha256, 1, 16)),
}
_SOURCE = {
    Level.STUDY: _BELOW.join(study_state, study_state.c.study_id == studies.c.id),
    Level.SERIES: _BELOW.join(series_state, series_state.c.series_id == series.c.id),
    Level.INSTANCE: _BELOW,
}


def _first_segments(level: Level) -> Prepared:
    """Return the statement for the first instances; the rows are ordered before anything long is read."""
    revised, revision = _REVISED[level]
    order = (*SERIES_ORDER, *INSTANCE_ORDER) if level is Level.STUDY else INSTANCE_ORDER
    terms = [each.label(f"order_{number}") for number, each in enumerate(order)]
    columns = (revised.label("revised"), revision.label("revision"), instances.c.id, instances.c.object_key)
    page = (
        sa.select(*columns, *terms)
        .select_from(_SOURCE[level])
        .where(VISIBLE, *at_level(level))
        .order_by(*order)
        .limit(CHUNK + 1)
        .subquery("page")
    )
    return Prepared(
        sa.select(page.c.revised, page.c.revision, page.c.object_key, instance_metadata.c.segments)
        .select_from(page.join(instance_metadata, instance_metadata.c.instance_id == page.c.id))
        .order_by(*(page.c[each.key] for each in terms))
    )


_FIRST = {level: _first_segments(level) for level in Level}


def begin_segments(database: Database, principal: Principal, place: Place) -> Beginning:
    """Return the segments of the first CHUNK instances at a place; raise NotFound or Gone."""
    rows = database.rows(_FIRST[place.level], **asking(database, principal), **uids(place))
    if not rows:
        with database.read() as connection:
            raise missing(connection, principal, place)
    segments = [(row.object_key, row.segments) for row in rows[:CHUNK]]
    return Beginning(f"{rows[0].revised}.{rows[0].revision}", segments, len(rows) > CHUNK)


_OF_IDS = Prepared(
    lambda dialect: (
        sa.select(instances.c.id, instances.c.object_key, instance_metadata.c.segments)
        .select_from(instances.join(instance_metadata))
        .where(is_among(instances.c.id, "ids", dialect))
    )
)


def fetch_segments(database: Database, ids: array[int]) -> Iterator[Segments]:
    """Go through the segments of row ids, in their order. What was deleted meanwhile is left out."""
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        found = {row.id: row for row in database.rows(_OF_IDS, ids=chunk)}
        yield from ((found[i].object_key, found[i].segments) for i in chunk if i in found)
