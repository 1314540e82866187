"""SQL on either back end finds what the matcher over DICOM JSON finds, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.dicomweb.attribute_names import path_of
from archive.dicomweb.search import parse_query
from archive.errors import InvalidRequest
from archive.index import search_attributes
from archive.index.engine import Database
from archive.index.search_match import matches_all
from archive.model.level import Level, Place
from tests.search.corpus import CT, SR, fill, instance, run

NAMES = [
    "Doe^John",
    "DOE^jane",
    "Müller-Lüdenscheidt^Hans",
    "Yamada^Tarou=山田^太郎=やまだ",
    "a_b%c^[x]*",
    "",
    "=山",
]
TEXTS = ["Head CT", "head ct", "50%_off", "[a-z]?", "back\\slash", "", "Straße", "1", "*"]
IDS = ["A1", "a1", "A10", "", "P%", "[A]", "\U0001f600"]
DATES = ["20240101", "20240102", "", "19991231"]
TIMES = ["12", "1230", "235959.5", ""]

REQUESTS = "RequestAttributesSequence"
CODES = "PersonIdentificationCodeSequence"
CHOSEN = {
    "Manufacturer": "LO",
    "OperatorsName": "PN",
    "SliceThickness": "DS",
    "AcquisitionDateTime": "DT",
    f"{REQUESTS}.AccessionNumber": "SH",
    f"{CODES}.CodeValue": "SH",
}


def corpus() -> Iterator[dict[str, Any]]:
    """Give instances in which every value meets several others."""
    for n in range(24):
        study = {
            "StudyDate": DATES[n % 4],
            "StudyTime": TIMES[n // 4 % 4],
            "AccessionNumber": IDS[n % 7],
            "StudyID": IDS[n // 3 % 7],
            "PatientID": IDS[n * 3 % 7],
            "PatientName": NAMES[n % 7],
            "ReferringPhysicianName": NAMES[n // 2 % 7],
            "StudyDescription": TEXTS[n % 9],
            "PatientBirthDate": DATES[n // 2 % 4],
            "RequestingPhysician": NAMES[n // 5 % 7],
        }
        for m in range(3):
            items = [
                {
                    "ScheduledProcedureStepID": IDS[(n + m // 2 + i) % 7],
                    "RequestedProcedureID": IDS[n * i % 7],
                }
                | {"AccessionNumber": IDS[(n + i) % 7]}
                for i in range(n % 3)
            ]
            series = {
                "Modality": "SR" if m // 2 else "CT",
                "SOPClassUID": SR if m // 2 else CT,
                "SeriesDescription": TEXTS[(n + m // 2) % 9],
                "PerformedProcedureStepStartDate": DATES[(n + m // 2) % 4],
                "PerformedProcedureStepStartTime": TIMES[n % 4],
                REQUESTS: items if m // 2 else items[:1],
                "Manufacturer": TEXTS[(n * 5 + m // 2) % 9],
                "OperatorsName": NAMES[(n + 3 * (m // 2)) % 7],
            }
            own = {
                "SliceThickness": [1, 2.5, None][(n + m) % 3],
                "AcquisitionDateTime": ["20240101120000", "2024", None][(n + m) % 3],
                "ImageComments": TEXTS[(n + m) % 9],
                CODES: [{"CodeValue": IDS[(n + m) % 7], "CodeMeaning": TEXTS[m]}],
            }
            yield instance(n, m // 2 + 1, m % 2 + 1, **study, **series, **own)


CORPUS = list(corpus())


Pairs = st.SearchStrategy[tuple[str, str]]


def texts(values: list[str], *more: str) -> st.SearchStrategy[str]:
    """Give values that are stored, parts of them with wildcards, and more."""

    def cut(text: str) -> st.SearchStrategy[str]:
        return st.sampled_from([text, f"{text[:2]}*", f"*{text[-2:]}", f"*{text[1:3]}*", f"?{text[1:]}"])

    stored = st.sampled_from([each for each in values if each])
    return stored | stored.flatmap(cut) | st.sampled_from([*more, '""'])


def keys(values: st.SearchStrategy[str], *keywords: str) -> Pairs:
    """Give one of the keywords with one of the values."""
    return st.tuples(st.sampled_from(keywords), values)


KEYS: Pairs = st.one_of(
    keys(
        texts(NAMES, "doe", "muller hans", "山*=", "*=山*", "doe^*", "^", "-"),
        *("PatientName", "ReferringPhysicianName", "RequestingPhysician", "OperatorsName"),
    ),
    keys(
        texts(TEXTS, "HEAD*", "strasse"),
        *("StudyDescription", "SeriesDescription", "Manufacturer", "ImageComments", f"{CODES}.CodeMeaning"),
    ),
    keys(texts(IDS), "AccessionNumber", "PatientID", "StudyID", f"{CODES}.CodeValue"),
    keys(
        texts(IDS),
        *(f"{REQUESTS}.{w}" for w in ("ScheduledProcedureStepID", "RequestedProcedureID", "AccessionNumber")),
    ),
    keys(
        st.sampled_from(
            ["20240101", "20240101-", "-20240102", "20240101-20240102", "20240102-20240101", '""']
        ),
        *("StudyDate", "PatientBirthDate", "PerformedProcedureStepStartDate"),
    ),
    keys(
        st.sampled_from(["12-", "-1230", "12-1230", "2359-06", "12", "1230", '""']),
        *("StudyTime", "PerformedProcedureStepStartTime"),
    ),
    keys(st.sampled_from(["CT", "SR", "CT,SR", "S*", "MR", '""']), "Modality"),
    keys(st.sampled_from([SR, "1.2", f"1.2,{SR}"]), "SOPClassUID"),
    keys(st.sampled_from(["1.2.3", "1.2.3,1.2.4", "1.2"]), "StudyInstanceUID"),
    keys(
        st.sampled_from(["1", "2", "01", "2.5", "2.50", '""']),
        *("InstanceNumber", "SeriesNumber", "SliceThickness"),
    ),
    keys(st.sampled_from(["2024", "20240101-", "-2023", "202401011200", '""']), "AcquisitionDateTime"),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Iterator[list[Database]]:
    """Give two indexes of the same corpus: a plain one, and one with attributes of the site's choice."""
    new: Callable[[], str] = request.getfixturevalue(
        "new_sqlite_database" if request.param == "sqlite" else "new_database"
    )
    plain, more = (Database(new(), pool=2, timeout=30) for _ in range(2))
    fill(plain, CORPUS)
    fill(more, CORPUS[:39])
    for word, vr in CHOSEN.items():
        path = path_of(word)
        assert path is not None
        attribute = search_attributes.add(more, path, vr)
        last: int | None = 0
        while last is not None:
            last = search_attributes.fill(more, attribute, last, 16, lambda _key: b"")
    fill(more, CORPUS[39:])
    yield [plain, more]
    plain.close()
    more.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    level=st.sampled_from(Level),
    pairs=st.lists(KEYS, min_size=1, max_size=3, unique_by=lambda pair: pair[0]),
    fuzzy=st.booleans(),
    empty=st.booleans(),
)
def test_sql_and_python_agree(
    databases: list[Database], level: Level, pairs: list[tuple[str, str]], fuzzy: bool, empty: bool
) -> None:
    options = [("fuzzymatching", str(fuzzy).lower()), ("emptyvaluematching", str(empty).lower())]
    try:
        query = parse_query(level, Place(), [*pairs, *options], default_limit=1000, max_limit=1000)
    except InvalidRequest:
        return
    tag = {Level.STUDY: "0020000D", Level.SERIES: "0020000E", Level.INSTANCE: "00080018"}[level]
    expected = {each[tag]["Value"][0] for each in CORPUS if matches_all(query.keys, each)}
    for database in databases:
        page = run(database, query)
        found = [each.sop_uid or each.series_uid or each.study_uid for each in page.results]
        assert sorted(found) == sorted(expected)
        assert page.total == run(database, replace(query, limit=0)).total == len(expected)
