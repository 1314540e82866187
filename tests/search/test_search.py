"""Searches over rows of the index, on both back ends: what matches, in what order, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from archive.dicomweb.search import parse_query
from archive.errors import InvalidRequest
from archive.index import schema
from archive.index.engine import Database
from archive.model.level import Level, Place
from archive.model.principal import Principal
from tests.search.corpus import CT, SR, dataset, fill, find, instance, run, statements, uids

PRIVATE = "00091001"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Give an empty index."""
    database = Database(database_url, pool=2, timeout=10)
    yield database
    database.close()


def studies(**columns: list[Any]) -> list[dict[str, Any]]:
    """Return one instance a study, attribute by attribute, the studies numbered from 1."""
    return [
        instance(number, **dict(zip(columns, values, strict=True)))
        for number, values in enumerate(zip(*columns.values(), strict=True), 1)
    ]


NAMES = [
    "Doe^John",
    "doe^jane^^^",
    "Müller^Hans",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "O'Brien-Smith^Anna",
    "",
]


@pytest.mark.parametrize(
    ("value", "plain", "fuzzy"),
    [
        ("Doe^John", "1", "1"),
        ("DOE*", "12", "12"),
        ("doe^jane^", "2", "2"),
        ("doe^*", "12", "12"),
        ("M*ller^hans", "3", "3"),
        ("Mu\u0308ller^Hans", "3", "3"),
        ("muller", "", "3"),
        ("hans müll", "", "3"),
        ("山田*", "4", "4"),
        ("*太郎", "4", "4"),
        ("Yamada*=山*", "4", "4"),
        ("Doe*=山*", "", ""),
        ("=山田^太郎", "4", "4"),
        ("*smi*", "5", "5"),
        ("ann smi", "", "5"),
        ("O'Brien*", "5", "5"),
        ("joh do", "", "1"),
        ("ohn", "", ""),
        ("D?e^J*", "12", "12"),
        ("", "123456", "123456"),
        ("*", "123456", "123456"),
        ('Thoma"s', "", ""),
        ("(a&b|c", "", ""),
        ("\\", "", ""),
        (":*", "", ""),
        ("%", "", ""),
        ("\N{PILE OF POO}", "", ""),
    ],
)
def test_names(database: Database, value: str, plain: str, fuzzy: str) -> None:
    fill(database, studies(PatientName=NAMES))
    assert uids(find(database, ("PatientName", value))) == list(plain)
    assert uids(find(database, ("PatientName", value), ("fuzzymatching", "true"))) == list(fuzzy)


DESCRIPTIONS = ["Device A", "Device B", "Dev_ce A", "100%", "[ab]c\\d", "KOPF Straße"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Device*", "12"),
        ("Dev?ce A", "13"),
        ("Dev_ce*", "3"),
        ("100%", "4"),
        ("%", ""),
        ("*", "123456"),
        ("[ab]*", "5"),
        ("*\\d", "5"),
        ("?ab]c*", "5"),
        ("device a", "1"),
        ("kopf strasse", "6"),
        ("*STRASSE*", "6"),
        ("Device A,Device B", ""),
    ],
)
def test_descriptions(database: Database, value: str, expected: str) -> None:
    fill(database, studies(StudyDescription=DESCRIPTIONS, SeriesDescription=DESCRIPTIONS))
    assert uids(find(database, ("StudyDescription", value))) == list(expected)
    assert uids(find(database, ("SeriesDescription", value))) == list(expected)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("StudyDate=20240102", "2"),
        ("StudyDate=20240102-", "32"),
        ("StudyDate=-20240102", "21"),
        ("StudyDate=20240101-20240102", "21"),
        ("StudyDate=20240102-20240101", ""),
        ("StudyDate=2024.01.02", "2"),
        ("StudyDate=*", "3214"),
        ("StudyDate=", "3214"),
        ("StudyDate=20240101-20240102&StudyTime=1200-0600", "21"),
        ("StudyDate=20240101-20240102&StudyTime=1400-0600", "2"),
        ("StudyDate=20240101-20240102&StudyTime=1400-", "2"),
        ("StudyDate=20240101&StudyTime=1200-1400", "1"),
        ("StudyTime=13", "1"),
        ("StudyTime=1300-1300", "1"),
        ("StudyTime=-0500", "32"),
        ("StudyDate=%22%22&emptyvaluematching=true", "4"),
    ],
)
def test_dates(database: Database, parameters: str, expected: str) -> None:
    dates = ["20240101", "20240102", "20240103", ""]
    fill(database, studies(StudyDate=dates, StudyTime=["130000.5", "0500", "01", ""]))
    pairs = [pair.split("=") for pair in parameters.replace("%22", '"').split("&")]
    assert uids(find(database, *((name, value) for name, value in pairs))) == list(expected)


@pytest.mark.parametrize(
    ("parameters", "level", "expected"),
    [
        ("AccessionNumber=A1", Level.STUDY, "1"),
        ("AccessionNumber=a1", Level.STUDY, ""),
        ("00080050=A*", Level.STUDY, "1 2"),
        ("PatientID=A+B/C&D=E #1%2A^^", Level.STUDY, "1"),
        ("PatientID=*C&D*", Level.STUDY, "1"),
        ("PatientID=other", Level.STUDY, "2"),
        ("PatientID=oth*", Level.STUDY, "2"),
        ("PatientID=*the*", Level.STUDY, "2"),
        ("PatientBirthDate=19600101", Level.STUDY, "1"),
        ("PatientSex=F", Level.STUDY, "1"),
        ("StudyID=S1", Level.STUDY, "1"),
        ("ReferringPhysicianName=house*", Level.STUDY, "1"),
        ("StudyInstanceUID=1.2.1,1.2.2", Level.STUDY, "1 2"),
        ("StudyInstanceUID=1.2.1\\1.2.2", Level.STUDY, "1 2"),
        ("StudyInstanceUID=1.2.1,", Level.STUDY, "1"),
        ("ModalitiesInStudy=SR", Level.STUDY, "1"),
        ("ModalitiesInStudy=SR,MR", Level.STUDY, "1 2"),
        ("ModalitiesInStudy=SR\\MR", Level.STUDY, "1 2"),
        ("ModalitiesInStudy=M?", Level.STUDY, "2"),
        ("ModalitiesInStudy=XX", Level.STUDY, ""),
        ("ModalitiesInStudy=SR", Level.SERIES, "1.1 1.2"),
        ("Modality=SR", Level.SERIES, "1.2"),
        ("Modality=CT", Level.STUDY, "1"),
        ("Modality=CT SOPClassUID=" + SR, Level.STUDY, ""),
        ("Modality=SR SOPClassUID=" + SR, Level.STUDY, "1"),
        ("SeriesInstanceUID=1.2.1.2", Level.STUDY, "1"),
        ("SeriesNumber=2", Level.SERIES, "1.2"),
        ("SeriesNumber=+02", Level.SERIES, "1.2"),
        ("SeriesNumber=99999999999999999999", Level.SERIES, ""),
        ("PerformedProcedureStepStartDate=20240105", Level.SERIES, "2.1"),
        ("PerformedProcedureStepStartTime=0930", Level.SERIES, "2.1"),
        ("RequestAttributesSequence.ScheduledProcedureStepID=P1", Level.SERIES, "2.1"),
        ("RequestAttributesSequence.ScheduledProcedureStepID=P*", Level.SERIES, "2.1"),
        ("00400275.00401001=R2", Level.STUDY, "2"),
        ("00400275.00400009=P1 00400275.00401001=R1", Level.SERIES, "2.1"),
        ("00400275.00400009=P1 00400275.00401001=R2", Level.SERIES, ""),
        ("00400275.00400009=P? 00400275.00401001=R2", Level.SERIES, "2.1"),
        ("SOPClassUID=" + CT, Level.INSTANCE, "1.1.1 1.1.2 2.1.1"),
        ("SOPInstanceUID=1.2.1.1.2", Level.INSTANCE, "1.1.2"),
        ("SOPInstanceUID=1.2.1.1.2", Level.STUDY, "1"),
        ("InstanceNumber=2", Level.INSTANCE, "1.1.2"),
        ("SOPClassesInStudy=" + SR, Level.STUDY, "1"),
        ("NumberOfStudyRelatedInstances=3", Level.STUDY, "1"),
        ("NumberOfStudyRelatedSeries=1", Level.STUDY, "2"),
        ("NumberOfSeriesRelatedInstances=2", Level.SERIES, "1.1"),
        ("InstanceAvailability=ONLINE", Level.STUDY, "1 2"),
        ("InstanceAvailability=OFFLINE", Level.STUDY, ""),
        # without an index of their own
        ("StationName=CT1", Level.STUDY, "1"),
        ("StationName=CT1 SOPClassUID=" + SR, Level.STUDY, ""),
        ("StationName=ct1", Level.STUDY, ""),
        ("ProcedureCodeSequence.CodeValue=77", Level.STUDY, "1"),
        ("ProcedureCodeSequence.CodeValue=77 00081032.CodeMeaning=Neck", Level.STUDY, ""),
        ("ProcedureCodeSequence.CodeValue=77 00081032.CodeMeaning=He*", Level.STUDY, "1"),
        ("SliceThickness=2.50", Level.INSTANCE, "1.1.2"),
        ("SliceThickness=2.5", Level.STUDY, "1"),
        (PRIVATE + "=secret*", Level.STUDY, "2"),
        ("00101005=Maiden*", Level.STUDY, "2"),
    ],
)
def test_keys(database: Database, parameters: str, level: Level, expected: str) -> None:
    fill(database, two_studies())
    with database.engine.begin() as connection:
        second = connection.scalar(
            sa.select(schema.studies.c.id).where(schema.studies.c.study_uid == "1.2.2")
        )
        other = {"study_id": second, "patient_id": "other", "issuer_of_patient_id": ""}
        connection.execute(sa.insert(schema.study_patients).values(other))
    pairs = [parameters] if parameters.startswith("PatientID=") else parameters.split(" ")
    keys = [tuple(pair.split("=", 1)) for pair in pairs]
    assert uids(find(database, *keys, level=level)) == expected.split()


def two_studies() -> list[dict[str, Any]]:
    """Return a study of CT and SR, and one that differs in everything."""
    code = [{"CodeValue": "77", "CodeMeaning": "Head"}, {"CodeValue": "78", "CodeMeaning": "Neck"}]
    first = {
        "StudyDate": "20240102",
        "AccessionNumber": "A1",
        "StudyID": "S1",
        "PatientID": "A+B/C&D=E #1%2A^^",
        "PatientBirthDate": "19600101",
        "PatientSex": "F",
        "ReferringPhysicianName": "House^Greg",
        "ProcedureCodeSequence": code,
    }
    requests = [
        {"ScheduledProcedureStepID": "P1", "RequestedProcedureID": "R1"},
        {"ScheduledProcedureStepID": "P2", "RequestedProcedureID": "R2"},
    ]
    second = {
        "StudyDate": "20240101",
        "AccessionNumber": "A2",
        "PatientID": "plain",
        "Modality": "MR",
        "PerformedProcedureStepStartDate": "20240105",
        "PerformedProcedureStepStartTime": "093015",
        "RequestAttributesSequence": requests,
        "PatientBirthName": "Maiden^Anna",
        PRIVATE: "Secret^x",
    }
    second[PRIVATE] = "secret 1"
    return [
        instance(1, 1, 1, **first, StationName="CT1"),
        instance(1, 1, 2, **first, StationName="CT1", SliceThickness=2.5),
        instance(1, 2, 1, **first, Modality="SR", SOPClassUID=SR),
        instance(2, 1, 1, **second),
    ]


def test_place_names_what_is_searched(database: Database) -> None:
    fill(database, two_studies())
    study, series = Place("1.2.1"), Place("1.2.1", "1.2.1.1")
    assert uids(find(database, level=Level.SERIES, place=study)) == ["1.1", "1.2"]
    assert uids(find(database, level=Level.INSTANCE, place=study)) == ["1.1.1", "1.1.2", "1.2.1"]
    assert uids(find(database, level=Level.INSTANCE, place=series)) == ["1.1.1", "1.1.2"]
    assert uids(find(database, level=Level.SERIES, place=Place("1.2.9"))) == []


def test_an_organisation_sees_its_own(database: Database) -> None:
    fill(database, [instance(1, PatientID="A")])
    fill(database, [instance(1, PatientID="B"), instance(2)], organisation="other")
    page = find(database, principal=Principal("x", "other"))
    assert uids(page) == ["1", "2"]
    assert page.results[0].attributes(Level.STUDY)["00100020"]["Value"] == ["B"]
    assert uids(find(database)) == ["1"]
    for keys in ([("PatientID", "B")], [("SOPInstanceUID", "1.2.2.1.1")], [("ModalitiesInStudy", "CT")]):
        assert "2" not in uids(find(database, *keys))
    assert uids(find(database, principal=Principal("x", "nobody"))) == []


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("keys", [[], [("PatientName", "same")], [("Manufacturer", "x")]])
def test_pages_neither_repeat_nor_skip(database: Database, level: Level, keys: list[tuple[str, str]]) -> None:
    same = {"PatientName": "same", "Manufacturer": "x"}
    corpus = [
        instance(study, series, number, StudyDate="20240101" if study % 3 else "", **same)
        for study in range(1, 9)
        for series in (2, 1)
        for number in (2, 1)
    ]
    fill(database, corpus)
    whole = uids(find(database, *keys, level=level))
    assert len(whole) == len(set(whole)) == {Level.STUDY: 8, Level.SERIES: 16, Level.INSTANCE: 32}[level]
    by_offset = [
        uid
        for offset in range(0, len(whole), 3)
        for uid in uids(find(database, *keys, ("limit", "3"), ("offset", str(offset)), level=level))
    ]
    assert by_offset == whole
    by_cursor: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = find(database, *keys, ("limit", "3"), ("cursor", cursor), level=level)
        by_cursor += uids(page)
        assert (page.total, page.remaining) == (len(whole), len(whole) - len(by_cursor))
        cursor = page.next_cursor
    assert by_cursor == whole


def test_order_puts_the_newest_first_and_the_undated_last(database: Database) -> None:
    fill(
        database, studies(StudyDate=["", "20240101", "20240102", "20240102"], StudyTime=["", "", "09", "10"])
    )
    assert uids(find(database)) == ["4", "3", "2", "1"]


def test_numbers_are_ordered_as_numbers(database: Database) -> None:
    fill(database, [instance(1, n, SeriesNumber=value) for n, value in enumerate([10, 9, None, -1], 1)])
    assert uids(find(database, level=Level.SERIES)) == ["1.4", "1.2", "1.1", "1.3"]


def test_ends_of_pages(database: Database) -> None:
    fill(database, studies(PatientID=["A"] * 5))
    beyond = find(database, ("offset", "5"))
    assert (beyond.results, beyond.total, beyond.remaining, beyond.next_cursor) == ([], 5, 0, None)
    counted = find(database, ("limit", "0"))
    assert (counted.results, counted.total, counted.next_cursor) == ([], 5, None)
    assert find(database, ("limit", "5")).next_cursor is None
    assert find(database, ("PatientID", "B")).total == 0


def test_a_cursor_is_for_its_search_only(database: Database) -> None:
    fill(database, studies(PatientID=["A"] * 5))
    cursor = find(database, ("limit", "2")).next_cursor
    assert cursor is not None
    for bad in (cursor[:-1], cursor + "A", cursor.swapcase(), "é", "AAAA"):
        with pytest.raises(InvalidRequest):
            find(database, ("limit", "2"), ("cursor", bad))
    with pytest.raises(InvalidRequest):
        find(database, ("limit", "2"), ("cursor", cursor), ("PatientID", "A"))
    assert len(find(database, ("limit", "4"), ("cursor", cursor)).results) == 3


def test_too_many_candidates_are_refused_by_name(database: Database) -> None:
    fill(database, [instance(1, 1, number, SliceThickness=1.5) for number in range(1, 6)])
    assert len(find(database, ("SliceThickness", "1.5"), scan_limit=5).results) == 1
    with pytest.raises(InvalidRequest, match="filmroom attributes add SliceThickness") as error:
        find(database, ("SliceThickness", "1.5"), scan_limit=4)
    assert error.value.where == "SliceThickness"
    # An indexed key leaves few enough.
    assert len(find(database, ("SliceThickness", "1.5"), ("InstanceNumber", "3"), scan_limit=4).results) == 1


def test_values_come_from_an_instance_that_matches(database: Database) -> None:
    fill(database, two_studies())
    asked = [("includefield", "SliceThickness"), ("Modality", "SR")]
    (result,) = find(database, *asked, ("StudyInstanceUID", "1.2.1")).results
    assert result.extra == dataset({"Modality": "SR"})
    (result,) = find(database, ("SliceThickness", "2.5")).results
    assert result.extra == dataset({"SliceThickness": 2.5})
    assert result.modalities == ("CT", "SR")
    assert (result.study_series, result.study_instances) == (2, 3)
    listed = find(database, ("includefield", "Modality,Rows")).results
    assert [each.extra for each in listed] == [{}, {}]


@pytest.mark.parametrize(
    "value", ["%s", "%(a)s", "{}", "{0}", "' OR 1 = 1 --", "\\' OR 1 = 1 --", ":a", "$1"]
)
def test_values_are_never_words_of_the_statement(database: Database, value: str) -> None:
    fill(database, studies(PatientID=["A", "B" + value], PatientName=["A", "B" + value]))
    asked = [("PatientID", "B" + value), ("PatientName", "*" + value)]
    with statements(database) as noted:
        found = [uids(find(database, each)) for each in asked]
    assert all(value not in each.text for each in noted)
    assert found == [["2"], ["2"]]


def test_statements_are_few(database: Database) -> None:
    fill(database, two_studies())
    find(database)
    query = parse_query(
        Level.STUDY,
        Place(),
        [("PatientName", "*a*"), ("includefield", "00081030,00080060")],
        default_limit=101,
        max_limit=101,
    )
    with statements(database) as noted:
        run(database, query)
    assert len(noted) == 1
