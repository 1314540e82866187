"""Which instance stands for a series or a study in a thumbnail, and where referenced instances are.

Whatever the number of instances, one row leaves the database to stand for them.
"""

from __future__ import annotations

from collections.abc import Collection

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.index.engine import Database
from archive.index.organisations import asking
from archive.index.prepared import Prepared
from archive.index.records import INSTANCE_COLUMNS, INSTANCE_JOIN, INSTANCE_ORDER, SERIES_ORDER, to_instance
from archive.index.retrieve import VISIBLE, at, at_level, missing, uids, visible
from archive.index.schema import instances, series, studies
from archive.model.instance import StoredInstance
from archive.model.level import Level, Place
from archive.model.principal import Principal

_LATER = ("OT", "DOC", "ECG", "HD", "EPS", "RESP", "EEG", "EMG", "EOG", "AU")
"""Modalities of series that show a study less well: captured screens, scanned papers, curves."""
_LAST = ("SEG", "RTDOSE", "PR", "KO", "SR", "REG", "RWV")
"""Modalities of series that are made from others, and mean little without them."""

_NUMBER_OF_FRAMES = "00280008"
_WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."
_PICTURED = sa.or_(instances.c.pixels.is_not(None), instances.c.sop_class_uid.startswith(_WAVEFORMS))
"""What there is a picture of."""


def representative_instance(database: Database, principal: Principal, place: Place) -> StoredInstance | None:
    """Return the instance that stands for a study or a series; None where there is no picture of any.

    It is the middle one of its series, by instance number, among images and waveforms. For a study it is of
    the first such series: acquired images come before other pictures, and those made from images last, then
    it goes by number. Raise NotFound or Gone where the caller sees nothing at the place.
    """
    row = database.first(_SERIES_OF[place.series_uid is None], **asking(database, principal), **uids(place))
    if row is None:
        with database.read() as connection:
            _check_there(connection, principal, place)
        return None
    count = database.first(_PICTURED_IN, of=row.id)[0]
    found = database.first(_NTH_OF, of=row.id, skipped=max(count - 1, 0) // 2)
    return None if found is None else to_instance(found)  # None: deleted between the statements


def _series_of(level: Level) -> Prepared:
    """Return the statement that gives the first series that there is a picture of at a place."""
    later = [(series.c.modality == modality, 1) for modality in _LATER]
    rank = sa.case(*((series.c.modality == modality, 2) for modality in _LAST), *later, else_=0)
    pictured = sa.exists().where(instances.c.series_id == series.c.id, _PICTURED)
    return Prepared(
        sa.select(series.c.id)
        .join(studies)
        .where(VISIBLE, *at_level(level), pictured)
        .order_by(rank, *SERIES_ORDER)
        .limit(1)
    )


_SERIES_OF = {True: _series_of(Level.STUDY), False: _series_of(Level.SERIES)}
"""By whether the place is a study."""
_OF = (instances.c.series_id == sa.bindparam("of"), _PICTURED)
_PICTURED_IN = Prepared(sa.select(sa.func.count().label("count_of")).select_from(instances).where(*_OF))
_NTH_OF = Prepared(
    sa.select(*INSTANCE_COLUMNS)
    .select_from(INSTANCE_JOIN)
    .where(
        instances.c.id
        == sa.select(instances.c.id)
        .where(*_OF)
        .order_by(*INSTANCE_ORDER)
        .offset(sa.bindparam("skipped", type_=sa.Integer))
        .limit(1)
        .scalar_subquery()
    )
)


def _check_there(connection: Connection, principal: Principal, place: Place) -> None:
    source = studies if place.series_uid is None else studies.join(series)
    found = connection.execute(
        sa.select(sa.literal(1))
        .select_from(source)
        .where(visible(connection, principal), *at(Place(place.study_uid, place.series_uid)))
    ).first()
    if found is None:
        raise missing(connection, principal, place)


def instances_in_study(
    database: Database, principal: Principal, study_uid: str | None, sop_uids: Collection[str]
) -> dict[str, StoredInstance]:
    """Return, by UID, those instances of a study that are here, of some that another one of it refers to."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(*INSTANCE_COLUMNS)
            .select_from(INSTANCE_JOIN)
            .where(visible(connection, principal), *at(Place(study_uid)), instances.c.sop_uid.in_(sop_uids))
        )
        return {row.sop_uid: to_instance(row) for row in rows}


def number_of_frames(database: Database, instance: StoredInstance) -> int:
    """Return Number of Frames of a video, which is one stream to everything else; at least 1."""
    with database.read() as connection:
        attributes = connection.scalar(
            sa.select(instances.c.attributes).where(
                instances.c.id == instance.id, instances.c.object_key == instance.object_key
            )
        )
    values = orjson.loads(attributes or b"{}").get(_NUMBER_OF_FRAMES, {}).get("Value") or [1]
    return max(values[0], 1) if isinstance(values[0], int) else 1
