"""STOW-RS of metadata and bulk data apart (PS3.18 10.5.2): the instance is the one described."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pydicom
import pytest

from archive.dicom.xml import dataset_to_xml
from tests import builders
from tests.conformance.archive import Archive, instance_path
from tests.samples import pydicom_file

JSON, XML = "application/dicom+json", "application/dicom+xml"
STUDY, SERIES, SOP = builders.uid("study", 1), builders.uid("series", 1), builders.uid("instance", 1)
PIXELS = bytes(range(64))


def described(**overrides: Any) -> dict[str, Any]:
    """Return the metadata of a small image whose pixels are at the location `pixels`."""
    dataset = builders.dataset(**overrides).to_json_dict()
    dataset["7FE00010"] = {"vr": "OB", "BulkDataURI": "pixels"}
    return dict(dataset)


def body(metadata: list[tuple[str, bytes]], bulk: list[tuple[str, str, bytes]]) -> bytes:
    """Join metadata (type, text) and bulk data parts (location, type, bytes)."""
    parts = [(f"Content-Type: {kind}", text) for kind, text in metadata]
    parts += [(f"Content-Type: {kind}\r\nContent-Location: {place}", data) for place, kind, data in bulk]
    joined = b"".join(b"--b\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts)
    return joined + b"--b--\r\n"


def send(archive: Archive, kind: str, data: bytes) -> Any:
    headers = {"Content-Type": f'multipart/related; type="{kind}"; boundary=b', "Accept": JSON}
    return archive.request("POST", "/studies", data=data, headers=headers)


OCTETS = [("pixels", "application/octet-stream", PIXELS)]


@pytest.mark.parametrize("kind", [JSON, XML])
def test_native_pixels_and_metadata_make_an_instance(archive: Archive, kind: str) -> None:
    metadata = described(PatientName="Müller^Jörg=山田^太郎", SpecificCharacterSet="ISO_IR 192")
    text = json.dumps([metadata]).encode() if kind == JSON else dataset_to_xml(metadata)
    answer = send(archive, kind, body([(kind, text)], OCTETS))
    assert answer.status_code == 200, answer.data
    stored = pydicom.dcmread(BytesIO(archive.instance(STUDY, SERIES, SOP)))
    assert stored.PixelData == PIXELS
    assert stored.PatientName.ideographic == "山田^太郎"
    assert stored.file_meta.TransferSyntaxUID == builders.EXPLICIT
    back = archive.json(f"{instance_path(STUDY, SERIES, SOP)}/metadata")[0]
    expected = {tag: element for tag, element in metadata.items() if tag != "7FE00010"}
    assert {tag: back[tag] for tag in expected} == expected


def test_a_jpeg_part_makes_a_jpeg_instance(archive: Archive) -> None:
    source = pydicom.dcmread(pydicom_file("SC_rgb_jpeg_dcmtk.dcm"))
    frame = next(pydicom.encaps.generate_frames(source.PixelData, number_of_frames=1))
    metadata = described(
        Rows=source.Rows,
        Columns=source.Columns,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation=source.PhotometricInterpretation,
    )
    jpeg = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"
    answer = send(archive, JSON, body([(JSON, json.dumps([metadata]).encode())], [("pixels", jpeg, frame)]))
    assert answer.status_code == 200, answer.data
    stored = pydicom.dcmread(BytesIO(archive.instance(STUDY, SERIES, SOP)))
    assert stored.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    again = archive.get(f"{instance_path(STUDY, SERIES, SOP)}/frames/1", "image/jpeg")
    assert again.data.rstrip(b"\0") == frame.rstrip(b"\0")


def test_each_instance_of_a_request_fails_by_itself(archive: Archive) -> None:
    good, bad = described(), described(SOPInstanceUID=builders.uid("other"))
    bad["7FE00010"]["BulkDataURI"] = "nowhere"
    answer = send(archive, JSON, body([(JSON, json.dumps([good, bad]).encode())], OCTETS))
    assert answer.status_code == 202
    response = json.loads(answer.data)
    assert response["00081199"]["Value"][0]["00081155"]["Value"] == [SOP]
    (failed,) = response["00081198"]["Value"]
    assert failed["00081155"]["Value"] == [builders.uid("other")]
    assert "7FE00010" in answer.headers["Warning"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b"[1]"),
        (JSON, b"[" * 5000),
        (XML, b"<NativeDicomModel>"),
        (XML, b'<!DOCTYPE x [<!ENTITY a "b">]><NativeDicomModel>&a;</NativeDicomModel>'),
    ],
)
def test_metadata_that_cannot_be_read_are_the_clients_fault(archive: Archive, kind: str, text: bytes) -> None:
    answer = send(archive, kind, body([(kind, text)], OCTETS))
    assert answer.status_code == 400
    assert archive.json("/studies") == []


def test_a_body_without_metadata_is_refused(archive: Archive) -> None:
    assert send(archive, JSON, body([], OCTETS)).status_code == 400


def test_missing_uids_are_named(archive: Archive) -> None:
    metadata = described(SOPInstanceUID=None)
    answer = send(archive, JSON, body([(JSON, json.dumps([metadata]).encode())], OCTETS))
    assert answer.status_code == 409
    assert "00080018" in answer.headers["Warning"]
