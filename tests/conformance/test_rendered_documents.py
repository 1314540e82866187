"""Instances without pixels rendered as documents (PS3.18 10.4.1.1.3), and what these may do in a browser."""

from __future__ import annotations

import io
import re

import pydicom
import pytest
from PIL import Image

from tests import builders
from tests.conformance.archive import Archive, parts_of
from tests.conformance.pictures import PDF, fault, image, opened, paths, report
from tests.conformance.test_rendered import counted
from tests.conformance.wado import stored_at
from tests.samples import pydicom_file

CDA = "1.2.840.10008.5.1.4.1.1.104.2"
STUDY, SERIES, ONE = paths(series=9)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def document(data: bytes, media_type: str, sop_class: str = PDF) -> bytes:
    """Return an encapsulated document, padded to an even length."""
    values = {
        "SOPClassUID": sop_class,
        "Modality": "DOC",
        "MIMETypeOfEncapsulatedDocument": media_type,
        "EncapsulatedDocument": data + bytes(len(data) % 2),
        "EncapsulatedDocumentLength": len(data),
    }
    return image(**builders.without_pixels() | values)


def test_a_report_is_a_page(archive: Archive) -> None:
    """text/html is the default of the category Text."""
    archive.stored(report())
    for accept in (None, "*/*", "text/html", "text/*", BROWSER):
        answer = archive.get(f"{ONE}/rendered", accept)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        assert "Finding" in answer.get_data(as_text=True)
    plain = archive.get(f"{ONE}/rendered", "text/plain")
    assert plain.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "Nothing <script>alert(1)</script> found" in plain.get_data(as_text=True)


def test_a_page_is_harmless(archive: Archive) -> None:
    """What stands in a stored object runs nothing and loads nothing in a browser."""
    archive.stored(report())
    answer = archive.get(f"{ONE}/rendered")
    assert "<script" not in answer.get_data(as_text=True).lower()
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    ((headers, body),) = parts_of(archive.get(f"{ONE}/rendered", "multipart/related; type=text/html"))
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-location"].endswith(f"{ONE}/rendered")
    assert body == answer.data


def test_a_report_is_no_picture(archive: Archive) -> None:
    """BC-123: 406 that says what there is; no icon with 200."""
    archive.stored(report())
    status, told = fault(archive, f"{ONE}/rendered", "image/jpeg")
    assert (status, told["offered"][:2]) == (406, ["text/html", "text/plain"])
    assert fault(archive, f"{ONE}/frames/1/rendered")[0] == 404
    assert fault(archive, f"{ONE}/thumbnail")[0] == 404


def test_a_pdf_is_itself(archive: Archive) -> None:
    """BC-133: the bytes of the document, without the one that makes its length even."""
    data = b"%PDF-1.7\n" + b"x" * 1000 + b"\n%%EOF"
    data += b"\n" if len(data) % 2 == 0 else b""
    path = stored_at(archive, document(data, "application/pdf"))
    for accept in (None, "application/pdf", BROWSER):
        answer = archive.get(f"{path}/rendered", accept)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
        assert answer.data == data
    part = archive.get(f"{path}/rendered", Range="bytes=0-3")
    assert (part.status_code, part.data) == (206, b"%PDF")
    assert fault(archive, f"{path}/rendered", "text/html")[0] == 406
    archive.request("DELETE", path)
    other = stored_at(archive, document(b"MZ no PDF", "application/pdf"))
    assert fault(archive, f"{other}/rendered", "application/pdf")[0] == 406


def test_a_clinical_document_is_a_page_and_its_xml(archive: Archive) -> None:
    text = "Well & <b>fine</b>".replace("&", "&amp;").replace("<", "&lt;")
    data = (
        '<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>Letter</title>'
        "<component><structuredBody><component><section><title>Findings</title>"
        f"<text><paragraph>{text}</paragraph></text></section></component></structuredBody></component>"
        "</ClinicalDocument>"
    ).encode()
    path = stored_at(archive, document(data, "text/xml", CDA))
    page = archive.get(f"{path}/rendered")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Well &amp; &lt;b&gt;fine" in page.get_data(as_text=True)
    source = archive.get(f"{path}/rendered", "text/xml")
    assert (source.headers["Content-Type"], source.data) == ("text/xml", data)
    for answer in (page, source):
        assert answer.headers["Content-Security-Policy"] == POLICY


def test_a_waveform_is_a_drawing(archive: Archive) -> None:
    path = stored_at(archive, pydicom_file("waveform_ecg.dcm").read_bytes())
    drawing = archive.get(f"{path}/rendered", "image/svg+xml")
    assert (drawing.status_code, drawing.headers["Content-Type"]) == (200, "image/svg+xml")
    assert drawing.headers["Content-Security-Policy"] == POLICY
    assert opened(archive.get(f"{path}/rendered", "image/png")).format == "PNG"
    for place in (path, path.split("/instances")[0], path.split("/series")[0]):
        small = opened(archive.get(f"{place}/thumbnail?viewport=200,100", "image/jpeg"))
        assert small.width <= 200
        assert small.height <= 100


def test_anything_else_is_a_table_of_its_attributes(archive: Archive) -> None:
    path = stored_at(archive, pydicom_file("rtplan.dcm").read_bytes())
    answer = archive.get(f"{path}/rendered")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert str(pydicom.dcmread(pydicom_file("rtplan.dcm")).RTPlanLabel) in answer.get_data(as_text=True)


def test_each_encoding_is_read(archive: Archive) -> None:
    for syntax in builders.NATIVE:
        data = report(SOPInstanceUID=builders.uid("report", syntax), syntax=syntax)
        path = stored_at(archive, data)
        assert "Finding" in archive.get(f"{path}/rendered").get_data(as_text=True)


def test_links_lead_to_the_address_that_was_asked(archive: Archive) -> None:
    """Pages refer to other instances below the address of this server, so that is part of the ETag."""
    reference = pydicom.Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    reference.ReferencedSOPInstanceUID = "1.2.3"
    item = pydicom.Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
    item.ReferencedSOPSequence = [reference]
    archive.stored(report(ContentSequence=[item]))
    answers = [archive.get(f"{ONE}/rendered", Host=host) for host in ("one.example", "two.example")]
    assert all(answer.status_code == 200 for answer in answers)
    assert answers[0].headers["ETag"] != answers[1].headers["ETag"]
    for answer, host in zip(answers, ("one.example", "two.example"), strict=True):
        found = re.findall(r'href="(http[^"]*)"', answer.get_data(as_text=True))
        assert all(each.startswith(f"http://{host}/dicom-web/") for each in found)


def test_validators_and_what_is_kept(archive: Archive) -> None:
    archive.stored(report())
    tasks = counted(archive)
    first = archive.get(f"{ONE}/rendered")
    assert archive.get(f"{ONE}/rendered").data == first.data
    again = archive.get(f"{ONE}/rendered", If_None_Match=first.headers["ETag"])
    assert (again.status_code, tasks) == (304, ["document"])
    head = archive.request("HEAD", f"{ONE}/rendered")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(first.data)))


def test_a_data_set_that_is_too_long_is_told(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.services.rendered_source.MAX_HEAD", 500)
    archive.stored(report())
    status, told = fault(archive, f"{ONE}/rendered")
    assert status == 406
    assert "500" in told["error"]


def test_pictures_in_a_study_of_documents(archive: Archive) -> None:
    """Those who take anything get each instance in its own form."""
    archive.stored(report(), report(2))
    found = parts_of(archive.get(f"{SERIES}/rendered"))
    assert [headers["content-type"] for headers, _ in found] == ["text/html; charset=utf-8"] * 2
    archive.stored(image())
    (part,) = parts_of(archive.get(f"{STUDY}/rendered", "multipart/related; type=image/png"))
    assert Image.open(io.BytesIO(part[1])).format == "PNG"
