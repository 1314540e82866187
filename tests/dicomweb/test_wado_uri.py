"""The query of WADO-URI (PS3.18 clause 9)."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from archive.dicomweb.headers import parse_accept
from archive.dicomweb.negotiation import AS_STORED, UNNAMED
from archive.dicomweb.wado_uri import WadoUri, parse_wado_uri
from archive.errors import InvalidRequest
from archive.model.level import Place
from archive.model.rendering import MAX_SIDE, Region, Rendering, Viewport, Window
from tests.dicomweb.test_rendered import fault_of

WHICH = [("requestType", "WADO"), ("studyUID", "1.2"), ("seriesUID", "1.2.3"), ("objectUID", "1.2.3.4")]
STATE = [("presentationSeriesUID", "1.2.5"), ("presentationUID", "1.2.5.6")]


def parsed(*parameters: tuple[str, str], accept: str = "*/*") -> WadoUri:
    return parse_wado_uri([*WHICH, *parameters], parse_accept([accept]))


def test_the_least() -> None:
    asked = parsed()
    assert asked.place == Place("1.2", "1.2.3", "1.2.3.4")
    assert (asked.accept, asked.transfer_syntax, asked.frame, asked.state) == (None, UNNAMED, None, None)
    assert (asked.rendering, asked.anonymize, asked.is_for_dicom) == (Rendering(), False, False)
    assert parsed(("foo", "bar")) == asked


GOOD = [
    ([("imageQuality", "70")], Rendering(quality=70)),
    ([("rows", "100"), ("columns", "200")], Rendering(viewport=Viewport(200, 100))),
    ([("rows", "100")], Rendering(viewport=Viewport(MAX_SIDE, 100))),
    ([("columns", "100")], Rendering(viewport=Viewport(100, MAX_SIDE))),
    ([("region", "0.3,0.4,0.5,0.5")], Rendering(region=Region(0.3, 0.4, 0.5, 0.5))),
    ([("region", "0,0,1,1")], Rendering(region=Region(0, 0, 1, 1))),
    ([("windowCenter", "-1000"), ("windowWidth", "2500")], Rendering(window=Window(-1000, 2500))),
    ([("annotation", "patient,technique")], Rendering(annotations=("patient", "technique"))),
    ([("imageAnnotation", "patient")], Rendering(annotations=("patient",))),
]


@pytest.mark.parametrize(("parameters", "rendering"), GOOD)
def test_pictures(parameters: list[tuple[str, str]], rendering: Rendering) -> None:
    assert parsed(*parameters).rendering == rendering


def test_which_media_type() -> None:
    """contentType wins over Accept; nothing, or anything, leaves the default (9.3)."""
    assert parsed(accept="image/png").accept == parse_accept(["image/png"])
    found = parsed(("contentType", "image/png,image/gif;q=0.5"), accept="text/html").accept
    assert found == parse_accept(["image/png,image/gif;q=0.5"])
    assert parsed(("contentType", "*/*")).accept is None
    assert parsed(("contentType", ""), accept="image/png").accept == parse_accept(["image/png"])
    assert parsed(("contentType", "application/dicom")).is_for_dicom


def test_dicom() -> None:
    asked = parsed(("contentType", "application/dicom"), ("transferSyntax", "1.2.840.10008.1.2.4.50"))
    assert (asked.is_for_dicom, asked.transfer_syntax) == (True, "1.2.840.10008.1.2.4.50")
    assert parsed(("transferSyntax", "*")).transfer_syntax == AS_STORED
    assert parsed(("anonymize", "yes")).anonymize


def test_a_presentation_state() -> None:
    asked = parsed(*STATE, ("region", "0,0,0.5,0.5"), ("rows", "64"), ("imageQuality", "50"))
    assert asked.state == Place("1.2", "1.2.5", "1.2.5.6")


BAD: list[tuple[str, list[tuple[str, str]]]] = [
    ("contentType", [("contentType", "junk")]),
    ("contentType", [("contentType", "application/dicom,image/jpeg")]),
    ("contentType", [("contentType", "application/dicom;transfer-syntax=1.2.840.10008.1.2.1")]),
    ("contentType", [("contentType", "text/html;charset=utf-8")]),
    ("transferSyntax", [("transferSyntax", "")]),
    ("transferSyntax", [("transferSyntax", "1.2,1.3")]),
    ("transferSyntax", [("transferSyntax", "1.2"), ("transferSyntax", "1.3")]),
    *(("frameNumber", [("frameNumber", value)]) for value in ("", "0", "-1", "1,2", "a", "1.0", "٣")),
    *(("rows", [("rows", value)]) for value in ("", "0", "-1", "1.5", "99999", "x")),
    *(("columns", [("columns", value)]) for value in ("", "0", "99999")),
    *(
        ("region", [("region", value)])
        for value in (
            "",
            "0,0,1",
            "0,0,1,1,1",
            "0.5,0,0.5,1",
            "0,0,1,1.01",
            "-0.1,0,1,1",
            "a,0,1,1",
            "nan,0,1,1",
        )
    ),
    ("windowWidth", [("windowCenter", "1")]),
    ("windowCenter", [("windowWidth", "1")]),
    ("windowCenter", [("windowCenter", "x"), ("windowWidth", "1")]),
    ("windowWidth", [("windowCenter", "1"), ("windowWidth", "0")]),
    *(("imageQuality", [("imageQuality", value)]) for value in ("0", "101", "x")),
    ("annotation", [("annotation", "foo")]),
    ("imageAnnotation", [("imageAnnotation", "")]),
    ("anonymize", [("anonymize", "no")]),
    ("anonymize", [("anonymize", "yes"), ("anonymize", "yes")]),
    ("presentationUID", [STATE[0]]),
    ("presentationSeriesUID", [STATE[1]]),
    ("presentationUID", [STATE[0], ("presentationUID", "a")]),
    ("frameNumber", [*STATE, ("frameNumber", "1")]),
    ("windowCenter", [*STATE, ("windowCenter", "1"), ("windowWidth", "1")]),
    ("windowCenter", [("contentType", "application/dicom"), ("windowCenter", "1"), ("windowWidth", "1")]),
]


@pytest.mark.parametrize(("where", "parameters"), BAD)
def test_a_bad_value_names_its_parameter(where: str, parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parsed(*parameters)
    assert caught.value.where == where
    assert where in str(caught.value)


@pytest.mark.parametrize("name", [name for name, _ in WHICH])
@pytest.mark.parametrize("value", [None, "", "x", "1..2", "1" * 65])
def test_which_instance_must_be_said(name: str, value: str | None) -> None:
    rest = [pair for pair in WHICH if pair[0] != name]
    with pytest.raises(InvalidRequest) as caught:
        parse_wado_uri([*rest, *([] if value is None else [(name, value)])])
    assert caught.value.where == name


NAMES = sorted({name for name, _ in BAD} | {"requestType", "studyUID"})


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=20)), max_size=4))
def test_any_query_is_read_or_refused(parameters: list[tuple[str, str]]) -> None:
    assert fault_of(lambda query: parse_wado_uri([*WHICH, *query]), parameters) in {None, *NAMES}
