"""What an answer holds at each of the six places of a search (PS3.18 Tables 10.6.3-3 to 10.6.3-5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from archive.dicomweb.attribute_names import keyword_of
from archive.dicomweb.search import parse_query
from archive.index.engine import Database
from archive.model.level import Level, Place
from archive.services.search_answers import Answers
from tests.search.corpus import CT, EXPLICIT, SR, fill, instance, run

BASE = "http://archive.example/dicom-web"
STUDY, SERIES = Place("1.2.1"), Place("1.2.1", "1.2.1.1")
CODE = [{"CodeValue": "77", "CodeMeaning": "Head"}]

STUDY_KEYS = {
    *("StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName"),
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID"),
    *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
}
SERIES_KEYS = {
    *("Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "RequestAttributesSequence"),
    *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "NumberOfSeriesRelatedInstances"),
}
BOTH = {"StudyDescription", "SliceThickness"}
INSTANCE_KEYS = {"SOPClassUID", "SOPInstanceUID", "InstanceNumber"}
ALWAYS = {"SpecificCharacterSet", "InstanceAvailability", "RetrieveURL", "StudyInstanceUID"}


@pytest.fixture
def database(new_sqlite_database: Any) -> Iterator[Database]:
    """Give an index of one study; what the rows hold is compared on both back ends elsewhere."""
    database = Database(new_sqlite_database(), pool=2, timeout=10)
    study = {"PatientName": "Doe^Jane=山田", "StudyDescription": "Head", "ProcedureCodeSequence": CODE}
    fill(
        database,
        [
            instance(1, 1, 1, **study, SliceThickness=2.5, StationName="A", Rows=512),
            instance(1, 2, 1, **study, Modality="SR", SOPClassUID=SR),
        ],
    )
    yield database
    database.close()


def answers(
    database: Database, level: Level, place: Place, *parameters: tuple[str, str]
) -> list[dict[str, Any]]:
    """Return the answer, its tags as keywords."""
    query = parse_query(level, place, parameters, default_limit=100, max_limit=100)
    page = run(database, query)
    made = Answers(query, BASE)
    datasets = [made.dataset(result) for result in page.results]
    assert orjson.loads(made.json(page.results)) == datasets
    assert all(list(each) == sorted(each) for each in datasets)
    return [{keyword_of(tag): dict(element) for tag, element in each.items()} for each in datasets]


@pytest.mark.parametrize(
    ("level", "place", "keys"),
    [
        (Level.STUDY, Place(), STUDY_KEYS),
        (Level.SERIES, Place(), STUDY_KEYS | SERIES_KEYS),
        (Level.SERIES, STUDY, SERIES_KEYS),
        (Level.INSTANCE, Place(), STUDY_KEYS | SERIES_KEYS | INSTANCE_KEYS),
        (Level.INSTANCE, STUDY, SERIES_KEYS | INSTANCE_KEYS),
        (Level.INSTANCE, SERIES, INSTANCE_KEYS | {"SeriesInstanceUID"}),
    ],
)
def test_required_attributes_are_there_even_when_empty(
    database: Database, level: Level, place: Place, keys: set[str]
) -> None:
    for answer in answers(database, level, place):
        # Rows is there for images only (PS3.18 Table 10.6.3-5).
        assert keys | ALWAYS == set(answer) - {"Rows"}
        assert ("Rows" in answer) == (level is Level.INSTANCE and answer["SOPClassUID"]["Value"] == [CT])
        assert answer["SpecificCharacterSet"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
        assert answer.get("StudyDate", {"vr": "DA"}) == {"vr": "DA"}


def test_values_of_a_study(database: Database) -> None:
    (study,) = answers(database, Level.STUDY, Place())
    assert study["PatientName"]["Value"] == [{"Alphabetic": "Doe^Jane", "Ideographic": "山田"}]
    assert study["ModalitiesInStudy"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert study["NumberOfStudyRelatedInstances"] == {"vr": "IS", "Value": [2]}
    assert study["RetrieveURL"] == {"vr": "UR", "Value": [f"{BASE}/studies/1.2.1"]}
    assert study["PatientID"] == {"vr": "LO"}


def test_addresses_and_counts_below_a_study(database: Database) -> None:
    first, second = answers(database, Level.SERIES, STUDY)
    assert first["RetrieveURL"]["Value"] == [f"{BASE}/studies/1.2.1/series/1.2.1.1"]
    assert second["NumberOfSeriesRelatedInstances"]["Value"] == [1]
    (one,) = answers(database, Level.INSTANCE, SERIES)
    assert one["RetrieveURL"]["Value"] == [f"{BASE}/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1"]


@pytest.mark.parametrize(
    ("level", "place", "parameters", "expected"),
    [
        (Level.STUDY, Place(), "includefield=ProcedureCodeSequence", {"ProcedureCodeSequence"}),
        (Level.STUDY, Place(), "includefield=00081032.00080100", {"ProcedureCodeSequence"}),
        (Level.STUDY, Place(), "includefield=StudyDescription,SliceThickness", BOTH),
        (Level.STUDY, Place(), "includefield=StudyDescription&includefield=00180050", BOTH),
        (Level.STUDY, Place(), "StudyDescription=head", {"StudyDescription"}),
        (Level.STUDY, Place(), "StudyDescription=*", {"StudyDescription"}),
        (Level.STUDY, Place(), "Modality=SR", {"Modality"}),
        (Level.STUDY, Place(), "SliceThickness=2.5", {"SliceThickness"}),
        (Level.STUDY, Place(), "includefield=SOPClassesInStudy", {"SOPClassesInStudy"}),
        (Level.STUDY, Place(), "includefield=ImageComments", set()),
        (Level.SERIES, STUDY, "Modality=CT&PatientName=doe*", {"PatientName"}),
        (Level.SERIES, STUDY, "Modality=CT&includefield=ModalitiesInStudy", {"ModalitiesInStudy"}),
        (Level.SERIES, STUDY, "StationName=A", {"StationName"}),
        (Level.INSTANCE, SERIES, "includefield=AvailableTransferSyntaxUID", {"AvailableTransferSyntaxUID"}),
        (Level.INSTANCE, SERIES, "includefield=PatientName", {"PatientName"}),
    ],
)
def test_what_is_asked_for_is_added(
    database: Database, level: Level, place: Place, parameters: str, expected: set[str]
) -> None:
    plain = answers(database, level, place)[0]
    pairs = [pair.split("=", 1) for pair in parameters.split("&")]
    (answer, *_) = answers(database, level, place, *((name, value) for name, value in pairs))
    assert set(answer) - set(plain) == expected


def test_sequences_are_whole_and_all_is_all(database: Database) -> None:
    (study,) = answers(database, Level.STUDY, Place(), ("includefield", "all"))
    assert study["ProcedureCodeSequence"]["Value"][0]["00080104"]["Value"] == ["Head"]
    assert study["SOPClassesInStudy"]["Value"] == [CT, SR]
    (one,) = answers(database, Level.INSTANCE, SERIES, ("includefield", "all"))
    assert one["AvailableTransferSyntaxUID"]["Value"] == [EXPLICIT]
    assert one["Rows"] == {"vr": "US", "Value": [512]}
    assert "PatientName" not in one
