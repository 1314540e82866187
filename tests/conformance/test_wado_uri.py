"""WADO-URI (PS3.18 clause 9): what old clients send, and what they get."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pydicom
import pytest
from werkzeug.test import TestResponse

from tests import builders
from tests.conformance.archive import Archive, send
from tests.conformance.pictures import frames, image, levels, opened, paths, report
from tests.samples import pydicom_file

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def wado(
    archive: Archive, /, accept: str | None = None, method: str = "GET", **parameters: Any
) -> TestResponse:
    """Ask for the first image of `pictures`, or for what the parameters say; None leaves one out."""
    which = {
        "requestType": "WADO",
        "studyUID": builders.uid("study", 1),
        "seriesUID": builders.uid("series", 1, 1),
        "objectUID": builders.uid("picture", 1, 1, 1),
    }
    query = urlencode({name: value for name, value in (which | parameters).items() if value is not None})
    return send(archive, method, f"/wado?{query}", **({} if accept is None else {"Accept": accept}))


def told(answer: TestResponse) -> tuple[int, str | None]:
    """Return the status of an error and the parameter at fault."""
    found = answer.get_json()
    assert found["error"]
    return answer.status_code, found.get("where")


def test_the_default_is_a_jpeg(archive: Archive) -> None:
    """9.3: without contentType, and with Accept of anything, image/jpeg."""
    archive.stored(image())
    for accept in (None, "*/*", "text/html,image/webp,*/*;q=0.8"):
        answer = wado(archive, accept)
        assert opened(answer).format == "JPEG"
        assert answer.headers["Content-Location"] == f"http://localhost/dicom-web{paths()[2]}/rendered"
        assert answer.headers["ETag"]


def test_content_type_wins_over_accept(archive: Archive) -> None:
    archive.stored(image())
    assert opened(wado(archive, "image/png")).format == "PNG"
    assert opened(wado(archive, "text/html", contentType="image/gif")).format == "GIF"
    assert opened(wado(archive, contentType="image/jp2,image/png;q=0.5")).format == "PNG"
    for accept, parameters in (("text/html", {}), (None, {"contentType": "text/html"})):
        answer = wado(archive, accept, **parameters)
        assert (told(answer)[0], answer.get_json()["offered"][0]) == (406, "image/jpeg")


def test_dicom(archive: Archive) -> None:
    """9.4: Explicit VR Little Endian by default, another on request; no transfer syntax in Content-Type."""
    stored = image(syntax=IMPLICIT)
    archive.stored(stored)
    answer = wado(archive, contentType="application/dicom")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/dicom")
    assert answer.headers["Content-Location"] == f"http://localhost/dicom-web{paths()[2]}"
    assert syntax_of(answer) == EXPLICIT
    assert wado(archive, "application/dicom").data == answer.data
    as_stored = wado(archive, contentType="application/dicom", transferSyntax="*")
    assert as_stored.data == stored
    part = wado(archive, contentType="application/dicom", transferSyntax="*", method="HEAD")
    assert (part.status_code, int(part.headers["Content-Length"])) == (200, len(stored))
    same = wado(archive, contentType="application/dicom", transferSyntax=EXPLICIT)
    assert syntax_of(same) == EXPLICIT
    refused = wado(archive, contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.100")
    assert told(refused)[0] == 406


def syntax_of(answer: TestResponse) -> str:
    """Return the transfer syntax of an instance."""
    return str(pydicom.dcmread(BytesIO(answer.data)).file_meta.TransferSyntaxUID)


def test_what_cannot_be_shown_comes_in_dicom(archive: Archive) -> None:
    """Old clients name no type, and take what comes; those who name a picture get 406."""
    archive.stored(pydicom_file("rtplan.dcm").read_bytes())
    ds = pydicom.dcmread(pydicom_file("rtplan.dcm"))
    which = {
        "studyUID": ds.StudyInstanceUID,
        "seriesUID": ds.SeriesInstanceUID,
        "objectUID": ds.SOPInstanceUID,
    }
    assert told(wado(archive, contentType="image/jpeg", **which))[0] == 406
    assert wado(archive, **which).status_code == 200


def test_how_the_picture_is_made(archive: Archive) -> None:
    """9.5.1.2: rows and columns are maxima, region is in fractions, the window in pixel values."""
    archive.stored(image())
    png = {"contentType": "image/png"}
    plain = levels(wado(archive, **png))
    assert levels(wado(archive, rows=24, columns=64, **png)).shape == (24, 32)
    assert levels(wado(archive, rows=24, **png)).shape == (24, 32)
    assert levels(wado(archive, columns=16, **png)).shape == (12, 16)
    assert np.array_equal(levels(wado(archive, region="0.5,0,1,0.5", **png)), plain[:24, 32:])
    assert levels(wado(archive, region="0.5,0,1,0.5", rows=12, columns=12, **png)).shape == (9, 12)
    assert set(np.unique(levels(wado(archive, windowCenter=128, windowWidth=2, **png)))) <= {0, 255}
    assert not np.array_equal(levels(wado(archive, annotation="patient,technique", **png)), plain)
    assert len(wado(archive, imageQuality=1).data) < len(wado(archive, imageQuality=100).data)


def test_frames(archive: Archive) -> None:
    archive.stored(frames(5))
    png = {"contentType": "image/png"}
    assert [int(levels(wado(archive, frameNumber=n, **png))[0, 0]) for n in (1, 3, 5)] == [0, 20, 40]
    assert opened(wado(archive)).format == "JPEG"
    assert getattr(opened(wado(archive, contentType="image/gif")), "n_frames", 1) == 5
    assert opened(wado(archive, frameNumber=2, contentType="image/gif")).size == (64, 48)
    assert told(wado(archive, frameNumber=6)) == (400, "frameNumber")


WRONG: list[dict[str, Any]] = [
    {"requestType": None},
    {"requestType": "WADO2"},
    {"studyUID": None},
    {"seriesUID": "x"},
    {"objectUID": ""},
    {"contentType": "application/dicom,image/jpeg"},
    {"transferSyntax": "x", "contentType": "application/dicom"},
    {"frameNumber": 0},
    {"frameNumber": 2},
    {"rows": 0},
    {"columns": "many"},
    {"region": "0,0,2,2"},
    {"windowCenter": 1},
    {"windowWidth": "wide", "windowCenter": 1},
    {"imageQuality": 101},
    {"annotation": "all"},
    {"presentationUID": "1.2"},
    {"anonymize": "no"},
]


def test_each_error_names_its_parameter(archive: Archive) -> None:
    archive.stored(image())
    for parameters in WRONG:
        status, where = told(wado(archive, **parameters))
        assert status == 400, parameters
        assert where in {*parameters, "windowWidth", "presentationSeriesUID"}


def test_nothing_goes_out_as_anonymized_that_is_not(archive: Archive) -> None:
    archive.stored(image())
    for content_type in (None, "image/jpeg", "application/dicom"):
        answer = wado(archive, anonymize="yes", contentType=content_type)
        assert told(answer) == (400, "anonymize")


def test_what_is_not_there(archive: Archive) -> None:
    archive.stored(image(), report())
    for name in ("studyUID", "seriesUID", "objectUID"):
        assert told(wado(archive, **{name: "1.2.3"}))[0] == 404
    archive.request("DELETE", paths()[2])
    for content_type in (None, "application/dicom"):
        assert told(wado(archive, contentType=content_type))[0] == 410


def test_validators(archive: Archive) -> None:
    archive.stored(image())
    for parameters in ({}, {"contentType": "application/dicom"}):
        etag = wado(archive, **parameters).headers["ETag"]
        query = urlencode({"requestType": "WADO", **parameters})
        which = {"studyUID": ("study", 1), "seriesUID": ("series", 1, 1), "objectUID": ("picture", 1, 1, 1)}
        uids = urlencode({name: builders.uid(*words) for name, words in which.items()})
        again = send(archive, "GET", f"/wado?{query}&{uids}", If_None_Match=etag)
        assert (again.status_code, again.data) == (304, b"")


def test_options_and_other_methods(archive: Archive) -> None:
    answer = send(archive, "OPTIONS", "/wado", Accept="application/json")
    (resource,) = answer.get_json()["application"]["resources"]["resource"]
    assert resource["path"] == "/wado"
    assert answer.get_json()["application"]["resources"]["base"] == "http://localhost"
    names = {each["name"] for each in resource["methods"][0]["request"]["param"]}
    assert {"requestType", "objectUID", "frameNumber", "presentationUID"} <= names
    for method in ("POST", "PUT", "DELETE"):
        refused = send(archive, method, "/wado")
        assert refused.status_code == 405
        assert {each.strip() for each in refused.headers["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}


def test_real_images(archive: Archive) -> None:
    for name in ("CT_small.dcm", "JPEG2000.dcm"):
        data, ds = pydicom_file(name).read_bytes(), pydicom.dcmread(pydicom_file(name))
        archive.stored(data)
        which = {
            "studyUID": ds.StudyInstanceUID,
            "seriesUID": ds.SeriesInstanceUID,
            "objectUID": ds.SOPInstanceUID,
        }
        assert opened(wado(archive, **which)).size == (ds.Columns, ds.Rows)
        stored = wado(archive, contentType="application/dicom", transferSyntax="*", **which)
        assert stored.data == data


def test_the_access_log_has_the_study_and_no_values(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "filmroom.access"):
        wado(archive, annotation="patient", PatientName="Somebody", somebody=1)
    fields = caplog.records[-1].fields  # type: ignore[attr-defined] # what the JSON line holds
    assert (fields["route"], fields["study"]) == ("/wado", builders.uid("study", 1))
    assert fields["query"][-3:] == ["annotation", "PatientName", "?"]
    assert "Somebody" not in str(fields)
