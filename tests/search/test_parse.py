"""Parameters of a search become a query, or an error that names the parameter."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dicomweb.search import parse_query
from archive.errors import InvalidRequest
from archive.model.level import Level, Place
from archive.model.query import AnyOf, DateTimeRange, Empty, FuzzyName, Key, Match, Query, Range, Wildcard

NAME, DATE, TIME, MODALITY = ("00100010",), ("00080020",), ("00080030",), ("00080061",)


def parse(text: str) -> Query:
    """Parse the query of an address."""
    pairs = parse_qsl(text, keep_blank_values=True)
    return parse_query(Level.STUDY, Place(), pairs, default_limit=100, max_limit=500)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("PatientName=Doe^John", AnyOf(("Doe^John",))),
        ("00100010=Doe", AnyOf(("Doe",))),
        ("PatientName=a,b", AnyOf(("a,b",))),
        ("PatientName=a,b&multiplevaluematching=true", AnyOf(("a", "b"))),
        ("PatientName=*x*&fuzzymatching=false", Wildcard(("*x*",))),
        ("PatientName=*x*%20y&fuzzymatching=true", FuzzyName(("*x*", "y"))),
        ("0020000d=1.2", AnyOf(("1.2",))),
        ("StudyInstanceUID=1.2,1.3", AnyOf(("1.2", "1.3"))),
        ("StudyInstanceUID=1.2%5C1.3", AnyOf(("1.2", "1.3"))),
        ("StudyInstanceUID=1.2&StudyInstanceUID=1.3", AnyOf(("1.2", "1.3"))),
        ("StudyInstanceUID=1.2,", AnyOf(("1.2",))),
        ("ModalitiesInStudy=CT,MR", AnyOf(("CT", "MR"))),
        ("Modality=CT%5CM*", Wildcard(("CT", "M*"))),
        ("StudyDate=20240101-", Range("20240101", None)),
        ("StudyDate=-1993.08.22", Range(None, "19930822")),
        ("StudyTime=12", Range("120000.000000", "125959.999999")),
        ("AcquisitionDateTime=2024-", Range("20240101000000.000000", None)),
        ("AcquisitionDateTime=20240101-0500", Range("20240101000000.000000", "20240101235960.999999")),
        ("AcquisitionDateTime=202401-0500-202402", Range("20240101000000.000000", "20240231235960.999999")),
        ('PatientID=""&emptyvaluematching=true', Empty()),
        ("SeriesNumber=%2B7", AnyOf(("+7",))),
        ("00091001=x", AnyOf(("x",))),
        ("PatientID=a&PatientID=a", AnyOf(("a",))),
    ],
)
def test_matches(text: str, match: Match) -> None:
    (key,) = parse(text).keys
    assert key.match == match


def test_date_and_time_ranges_are_one() -> None:
    (key,) = parse("StudyDate=20240101-20240102&StudyTime=1200-0600").keys
    both = DateTimeRange("20240101120000.000000", "20240102060059.999999", TIME)
    assert key == Key(DATE, "DA", both)
    assert len(parse("StudyDate=20240101-20240102&StudyTime=12").keys) == 2
    assert len(parse("StudyDate=20240101&StudyTime=12-13").keys) == 2
    (item,) = parse("00400275.SeriesDate=20240101-&00400275.SeriesTime=12-").keys
    assert item.match == DateTimeRange("20240101120000.000000", None, ("00400275", "00080031"))


@pytest.mark.parametrize("value", ["", "*", "**", '""', "%20", "^", "*=*"])
def test_universal_matches_are_included(value: str) -> None:
    query = parse(f"PatientName={value}")
    assert (query.keys, query.include) == ((), (NAME,))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("limit=-1", "limit"),
        ("limit=abc", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=1.5", "offset"),
        ("offset=٣", "offset"),
        ("offset=1&cursor=x", "offset"),
        ("fuzzymatching=maybe", "fuzzymatching"),
        ("StudyDate=yesterday", "StudyDate"),
        ("StudyDate=20240230", "StudyDate"),
        ("StudyDate=-", "StudyDate"),
        ("StudyDate=2024", "StudyDate"),
        ("00080020=1-2-3", "00080020"),
        ("StudyTime=25", "StudyTime"),
        ("StudyInstanceUID=1.2*", "StudyInstanceUID"),
        ("StudyInstanceUID=,", "StudyInstanceUID"),
        ("SeriesNumber=seven", "SeriesNumber"),
        ("PatientID=a&PatientID=b", "PatientID"),
        ("PatientName=a%00", "PatientName"),
        ("PatientName=" + "x" * 2000, "PatientName"),
        ("ProcedureCodeSequence=x", "ProcedureCodeSequence"),
        ("PixelData=x", "PixelData"),
        ("PatientName=a,b&multiplevaluematching=true&fuzzymatching=true", "PatientName"),
    ],
)
def test_faults_name_the_parameter(text: str, where: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        parse(text)
    assert error.value.where == where


@pytest.mark.parametrize(
    "text",
    ["foo=1", "patientid=1", "0010,0020=x", "TransferSyntaxUID=1.2", "Foo.PatientID=1", "PatientID.x=1"],
)
def test_unknown_names_are_noted(text: str) -> None:
    query = parse(text)
    assert query.keys == ()
    assert len(query.notes) == 1
    assert query.notes[0].isascii()


def test_controls() -> None:
    query = parse(
        "limit=9999&offset=5&includefield=PatientID,00081030&includefield=all&accept=x&charset=utf-8&="
    )
    assert (query.limit, query.offset, query.include_all) == (500, 5, True)
    assert query.include == (("00100020",), ("00081030",))
    assert len(query.notes) == 1
    assert parse("").limit == 100
    assert parse("includefield=Nonsense").notes


def test_a_key_that_is_also_included_still_matches() -> None:
    query = parse("0020000D=1.2&includefield=0020000D")
    assert query.keys[0].match == AnyOf(("1.2",))
    assert query.include == (("0020000D",),)


def test_what_the_viewer_sends() -> None:
    query = parse(
        "limit=101&offset=0&fuzzymatching=true&includefield=00081030%2C00080060&PatientName=*x*"
        "&00100020=*1*&AccessionNumber=*2*&StudyDescription=*y*&ModalitiesInStudy=CT%2CMR&StudyDate=20240101-20240101"
    )
    assert [type(key.match) for key in query.keys] == [FuzzyName, Wildcard, Wildcard, Wildcard, AnyOf, Range]


_NAMES = st.sampled_from(
    [
        *(
            "PatientName",
            "PatientID",
            "StudyDate",
            "StudyTime",
            "AcquisitionDateTime",
            "StudyInstanceUID",
            "00280010",
        ),
        *(
            "limit",
            "offset",
            "includefield",
            "fuzzymatching",
            "emptyvaluematching",
            "cursor",
            "00400275.00400009",
        ),
        *("ModalitiesInStudy", "DimensionIndexPointer", "PixelData", "00091001", "multiplevaluematching"),
    ]
)
_TEXT = st.text(max_size=12) | st.text(alphabet='0123456789-.,:\\*?"^=+ ', max_size=24) | st.just("true")


def fault_of(pairs: list[tuple[Any, Any]]) -> str | None:
    """Return what a fault names, None where there is none; anything but a query or a fault is raised."""
    try:
        query = parse_query(Level.STUDY, Place(), pairs, default_limit=100, max_limit=500)
    except InvalidRequest as error:
        return error.where or "nothing"
    return None if 0 <= query.limit <= 500 else "limit"


@given(st.lists(st.tuples(_NAMES | st.text(max_size=10), _TEXT), max_size=6))
def test_any_parameters_give_a_query_or_a_named_fault(pairs: list[tuple[Any, Any]]) -> None:
    assert fault_of(pairs) in {None, *(name for name, _ in pairs)}


@given(st.text(max_size=60))
def test_any_address_gives_a_query_or_a_named_fault(text: str) -> None:
    pairs = parse_qsl(text, keep_blank_values=True)
    assert fault_of(pairs) in {None, *(name for name, _ in pairs)}
