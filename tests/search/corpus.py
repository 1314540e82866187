"""Rows of the index made from data sets in the DICOM JSON model, without a store behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import orjson
import sqlalchemy as sa
from pydicom.datadict import dictionary_VR, tag_for_keyword
from sqlalchemy.engine import Connection

from archive.dicom.segments import SegmentWriter
from archive.dicomweb.search import parse_query
from archive.errors import InvalidRequest
from archive.index import folding, schema
from archive.index import search_attributes as chosen
from archive.index.engine import Database
from archive.index.search import SearchPage, search
from archive.index.sql import Composed, Sql
from archive.model.attributes import INSTANCE_ATTRIBUTES, SERIES_ATTRIBUTES, STUDY_ATTRIBUTES, Attribute
from archive.model.level import Level, Place
from archive.model.principal import ANYONE, Principal
from archive.model.query import Query

Json = dict[str, Any]
CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"
EXPLICIT = "1.2.840.10008.1.2.1"


def element(keyword: str, value: Any) -> tuple[str, Json]:
    """Return the tag and element of one attribute; names as text, items as mappings of keywords."""
    number = tag_for_keyword(keyword)
    tag = f"{number:08X}" if number is not None else keyword
    vr = dictionary_VR(number)[:2] if number is not None else "LO"
    values = value if isinstance(value, list) else [value]
    if vr == "PN":
        values = [dict(zip(folding.GROUPS, v.split("="), strict=False)) for v in values]
    elif vr == "SQ":
        values = [dataset(item) for item in values]
    return tag, {"vr": vr, "Value": values} if value not in (None, "") else {"vr": vr}


def dataset(attributes: Json) -> Json:
    """Return DICOM JSON of attributes by keyword."""
    return dict(sorted(element(keyword, value) for keyword, value in attributes.items()))


def instance(study: int, series: int = 1, number: int = 1, **attributes: Any) -> Json:
    """Return an instance of a numbered study and series, by keyword."""
    uid = f"1.2.{study}"
    return dataset(
        {
            "StudyInstanceUID": uid,
            "SeriesInstanceUID": f"{uid}.{series}",
            "SOPInstanceUID": f"{uid}.{series}.{number}",
            "SOPClassUID": CT,
            "Modality": "CT",
            "SeriesNumber": series,
            "InstanceNumber": number,
            **attributes,
        }
    )


def fill(database: Database, instances: Iterable[Json], organisation: str = "default") -> None:
    """Insert instances, the first of a study or series giving its values."""

    def work(connection: Connection) -> None:
        owner = _organisation(connection, organisation)
        studies: dict[str, int] = {}
        series: dict[str, int] = {}
        attributes = chosen.paths(connection)
        for each in instances:
            _insert(connection, owner, each, studies, series, attributes)
        state, own = schema.study_state, schema.series_state
        for study_id in studies.values():
            count = _count(connection, schema.series, "study_id", study_id)
            total = _count(connection, schema.instances, "study_id", study_id)
            connection.execute(sa.insert(state).values(study_id=study_id, series=count, instances=total))
        for series_id in series.values():
            total = _count(connection, schema.instances, "series_id", series_id)
            connection.execute(sa.insert(own).values(series_id=series_id, instances=total))

    database.write(work)


def find(
    database: Database,
    *parameters: tuple[str, str],
    level: Level = Level.STUDY,
    place: Place = Place(),  # noqa: B008 frozen
    principal: Principal = ANYONE,
    scan_limit: int = 1000,
) -> SearchPage:
    """Search with the parameters of an address."""
    query = parse_query(level, place, parameters, default_limit=100, max_limit=1000)
    return run(database, query, principal=principal, scan_limit=scan_limit)


def run(
    database: Database, query: Query, *, principal: Principal = ANYONE, scan_limit: int = 1000
) -> SearchPage:
    """Run a query."""
    return search(database, principal, query, scan_limit=scan_limit, read_metadata=_no_object)


def uids(page: SearchPage) -> list[str]:
    """Return the UIDs of the results, the lowest of each, without what all of them begin with."""
    return [(r.sop_uid or r.series_uid or r.study_uid).removeprefix("1.2.") for r in page.results]


def pack(each: Json) -> bytes:
    """Return DICOM JSON as the index keeps it."""
    writer = SegmentWriter()
    writer.write(orjson.dumps(each))
    return writer.finish()


def _no_object(_key: str) -> bytes:
    raise InvalidRequest("every instance of these tests has its metadata in the index")


def _organisation(connection: Connection, name: str) -> int:
    table = schema.organisations
    found = connection.scalar(sa.select(table.c.id).where(table.c.name == name))
    if found is None:
        found = connection.execute(sa.insert(table).values(name=name).returning(table.c.id)).scalar_one()
    return int(found)


def _count(connection: Connection, table: sa.Table, column: str, value: int) -> int:
    where = table.c[column] == value
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table).where(where)) or 0)


def _level(each: Json, attributes: Sequence[Attribute]) -> bytes:
    return orjson.dumps({a.tag: each[a.tag] for a in attributes if a.tag in each})


def _insert(
    connection: Connection,
    owner: int,
    each: Json,
    studies: dict[str, int],
    series: dict[str, int],
    attributes: Sequence[chosen.SearchAttribute],
) -> None:
    study_uid, series_uid, sop_uid, sop_class = (
        each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018", "00080016")
    )
    now = datetime.now(UTC)
    if study_uid not in studies:
        studies[study_uid] = _new(
            connection,
            schema.studies,
            organisation_id=owner,
            study_uid=study_uid,
            attributes=_level(each, STUDY_ATTRIBUTES),
            created_at=now,
            **folding.study_columns(each),
        )
    if series_uid not in series:
        series[series_uid] = _new(
            connection,
            schema.series,
            study_id=studies[study_uid],
            series_uid=series_uid,
            attributes=_level(each, SERIES_ATTRIBUTES),
            **folding.series_columns(each),
        )
    row = _new(
        connection,
        schema.instances,
        organisation_id=owner,
        study_id=studies[study_uid],
        series_id=series[series_uid],
        sop_uid=sop_uid,
        sop_class_uid=sop_class,
        transfer_syntax_uid=EXPLICIT,
        object_key=f"{owner}/{sop_uid}",
        size=1,
        sha256="",
        dataset_offset=0,
        attributes=_level(each, INSTANCE_ATTRIBUTES),
        stored_at=now,
        **folding.instance_columns(each),
    )
    packed = pack(each)
    table = schema.instance_metadata
    connection.execute(sa.insert(table).values(instance_id=row, segments=packed, reader_version=1))
    chosen.insert_values(connection, attributes, [(row, packed)])


def _new(connection: Connection, table: sa.Table, **values: Any) -> int:
    return int(connection.execute(sa.insert(table).values(**values).returning(table.c.id)).scalar_one())


@contextmanager
def statements(database: Database) -> Iterator[list[Sql]]:
    """Note the statements that searches ask meanwhile."""
    noted: list[Sql] = []
    ask = database.rows

    def rows(statement: Any, **values: Any) -> list[Any]:
        assert isinstance(statement, Composed), "a search asked in another way"
        noted.append(statement.statement)
        return ask(statement, **values)

    with patch.object(database, "rows", rows):
        yield noted
