"""The statements of common searches find their rows by an index, on both back ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from archive.index import folding, schema
from archive.index.engine import Database
from archive.index.sql import Composed, sql
from tests.search.corpus import dataset, find, statements

STUDIES = 3000


def rows() -> Iterator[dict[str, Any]]:
    """Give rows of studies that differ in everything, as wide as real ones."""
    for n in range(STUDIES):
        attributes = dataset(
            {
                "StudyDate": f"{2000 + n % 20}{n % 12 + 1:02}{n % 28 + 1:02}",
                "AccessionNumber": f"A{n:05}",
                "PatientID": f"P{n:05}",
                "PatientName": f"{'SMITH' if n % 2 else 'DOE'}{n}^ANNA",
                "StudyDescription": f"HEAD {n}",
            }
        )
        yield {
            "organisation_id": 1,
            "study_uid": f"1.2.{n}",
            "attributes": b"{" + b" " * 1200 + b"}",
            "created_at": datetime.now(UTC),
            **folding.study_columns(attributes),
        }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Give an index of some thousand studies."""
    kind = "new_sqlite_database" if request.param == "sqlite" else "new_database"
    new: Callable[[], str] = request.getfixturevalue(kind)
    database = Database(new(), pool=2, timeout=30)
    with database.engine.begin() as connection:
        connection.execute(sa.insert(schema.studies), list(rows()))
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    yield database
    database.close()


def plan(database: Database, *parameters: tuple[str, str]) -> str:
    """Return the plan of the statement of a search that finds nothing, or nearly so."""
    with statements(database) as noted:
        find(database, ("limit", "50"), *parameters)
    (page,) = [each for each in noted if "page" in each.text]
    word = "EXPLAIN QUERY PLAN {}" if database.is_sqlite else "EXPLAIN {}"
    names = ("id", "parent", "unused", "detail") if database.is_sqlite else ("detail",)
    return "\n".join(row.detail for row in database.rows(Composed(sql(word, page), names)))


@pytest.mark.parametrize(
    ("name", "value", "on_sqlite", "on_postgresql"),
    [
        ("StudyInstanceUID", "1.2.77", "sqlite_autoindex_studies_1", "uq_studies_organisation_id_study_uid"),
        ("AccessionNumber", "A00077", "ix_studies_accession_number", "ix_studies_accession_number"),
        ("AccessionNumber", "A0007*", "ix_studies_accession_number", "ix_studies_accession_number"),
        ("PatientID", "P00077", "ix_studies_patient_id", "ix_studies_patient_id"),
        ("PatientName", "smith77^anna", "ix_studies_patient_name", "ix_studies_patient_name"),
        ("PatientName", "smith77*", "ix_studies_patient_name", "ix_studies_patient_name"),
        ("PatientName", "*mith777*", "ix_studies_texts", "ix_studies_trigrams"),
        ("PatientID", "*00777*", "ix_studies_texts", "ix_studies_trigrams"),
        ("StudyDescription", "*ead 777*", "ix_studies_texts", "ix_studies_trigrams"),
        ("StudyDate", "20000101-20000107", "ix_studies_newest", "ix_studies_newest"),
        ("PatientName", "*", "ix_studies_newest", "ix_studies_newest"),
    ],
)
def test_an_index_is_used(
    database: Database, name: str, value: str, on_sqlite: str, on_postgresql: str
) -> None:
    found = plan(database, (name, value))
    assert (on_sqlite if database.is_sqlite else on_postgresql) in found
    if database.is_sqlite:
        assert "SCAN studies" not in found
        # The few are found, not looked for among all in their order.
        assert on_sqlite in {"ix_studies_texts", "ix_studies_newest"} or "ix_studies_newest" not in found
    elif value != "*":
        assert "Seq Scan on studies" not in found


@pytest.mark.parametrize("keyword", ["PatientName", "PatientID", "AccessionNumber", "StudyDescription"])
def test_an_order_is_that_of_an_index(database: Database, keyword: str) -> None:
    column = {"PatientName": "patient_name_order", "AccessionNumber": "accession_number"}.get(keyword)
    column = column or {"PatientID": "patient_id", "StudyDescription": "study_description"}[keyword]
    cursor = find(database, ("limit", "50"), ("orderby", keyword), ("offset", "1000")).next_cursor or ""
    for more in (("limit", "50"), ("cursor", cursor)):
        found = plan(database, ("orderby", keyword), more)
        assert f"ix_studies_{column}" in found
        assert "SCAN studies" not in found


def test_parts_of_text_are_found_before_they_are_sorted(database: Database) -> None:
    found = plan(database, ("PatientName", "*mith777*"), ("orderby", "PatientID"))
    if database.is_sqlite:
        assert "ix_studies_texts" in found
        assert "ix_studies_patient_id" not in found
    else:
        assert "ix_studies_trigrams" in found
