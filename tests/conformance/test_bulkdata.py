"""Retrieve bulk values by their BulkDataURI, and all of a place (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydicom import Dataset, Sequence

from tests.builders import BIG_ENDIAN, EXPLICIT, IMPLICIT, JPEG_LS, dataset, encapsulated, instance, part10
from tests.conformance.archive import Archive, parts_of
from tests.conformance.wado import ANY_PARTS, OCTETS, PARTS, stored_at

PDF = b"%PDF-1.4 " + bytes(range(256)) * 8


def annotated(syntax: str = EXPLICIT) -> tuple[bytes, dict[str, bytes]]:
    """Return an instance with long values in sequences, and the little-endian bytes of each by its path."""
    order = ">" if syntax == BIG_ENDIAN else "<"
    points, lengths = np.arange(2000, dtype="f4") / 3, np.arange(1500, dtype="u4")
    doubles = np.arange(700, dtype="f8") / 7
    groups = []
    for number in (1, 2):
        group = Dataset()
        group.PointCoordinatesData = (points * number).astype(f"{order}f4").tobytes()
        group.DoublePointCoordinatesData = doubles.astype(f"{order}f8").tobytes()
        group.LongPrimitivePointIndexList = lengths.astype(f"{order}u4").tobytes()
        groups.append(group)
    ds = dataset()
    ds.AnnotationGroupSequence = Sequence(groups)
    block = ds.private_block(0x0029, "FILMROOM TEST", create=True)
    block.add_new(0x10, "OB", bytes(range(250)) * 20)
    paths = {"00291010": bytes(range(250)) * 20, "7FE00010": bytes(range(64))}
    for number in (1, 2):
        paths[f"006A0002/{number}/00660016"] = (points * number).tobytes()
        paths[f"006A0002/{number}/00660022"] = doubles.tobytes()
        paths[f"006A0002/{number}/00660040"] = lengths.tobytes()
    return part10(ds, syntax), paths


def uris(value: object) -> list[str]:
    """Return every BulkDataURI in a data set, in order."""
    if isinstance(value, dict):
        own = [value["BulkDataURI"]] if "BulkDataURI" in value else []
        return own + [uri for each in value.values() for uri in uris(each)]
    return [uri for each in value for uri in uris(each)] if isinstance(value, list) else []


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_values_at_any_depth_come_little_endian(archive: Archive, syntax: str) -> None:
    """Annotations keep their coordinates in sequences; each value has its address there (F.2.6)."""
    data, expected = annotated(syntax)
    path = stored_at(archive, data)
    (metadata,) = archive.json(f"{path}/metadata")
    found = {uri.split("/bulkdata/")[1]: uri for uri in uris(metadata)}
    assert set(found) == set(expected)
    group = metadata["006A0002"]["Value"][0]
    assert [group[tag]["vr"] for tag in ("00660016", "00660022", "00660040")] == ["OF", "OD", "OL"]
    for tail, wanted in expected.items():
        address = found[tail].removeprefix("http://localhost/dicom-web")
        assert archive.get(address, OCTETS).data == wanted
        ((headers, body),) = parts_of(archive.get(address, PARTS))
        assert body == wanted
        assert headers["content-type"] == f"{OCTETS}; transfer-syntax={EXPLICIT}"
        assert headers["content-location"] == found[tail]
        part = archive.get(address, OCTETS, Range="bytes=13-41")
        assert (part.status_code, part.data) == (206, wanted[13:42])
    for above in (path, path.split("/instances")[0], path.split("/series")[0]):
        parts = parts_of(archive.get(f"{above}/bulkdata", PARTS))
        assert {headers["content-location"]: body for headers, body in parts} == {
            found[tail]: wanted for tail, wanted in expected.items()
        }


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "single"),
        (OCTETS, "single"),
        (PARTS, "multipart"),
        (ANY_PARTS, "multipart"),
        ("multipart/related", "multipart"),
        (f"{OCTETS};q=0.1, {PARTS}", "multipart"),
        ("image/png", 406),
    ],
)
def test_one_value_comes_alone_or_as_a_part(archive: Archive, accept: str, form: str | int) -> None:
    """Clients guess wrong where the form does not follow Accept; its Content-Type says which it is."""
    path = stored_at(archive, instance())
    answer = archive.get(f"{path}/bulkdata/7FE00010", accept)
    if form == 406:
        assert (answer.status_code, bool(json.loads(answer.data)["offered"])) == (406, True)
    elif form == "single":
        assert answer.data == bytes(range(64))
        assert answer.headers["Content-Location"].endswith(f"{path}/bulkdata/7FE00010")
    else:
        ((_, body),) = parts_of(answer)
        assert body == bytes(range(64))


@pytest.mark.parametrize(
    ("value", "status", "start", "stop"),
    [
        ("bytes=0-1", 206, 0, 2),
        ("bytes=60-", 206, 60, None),
        ("bytes=-4", 206, -4, None),
        ("bytes=64-", 416, 0, 0),
        ("bytes=9-3", 200, 0, None),
        ("bytes=0-1,5-6", 200, 0, None),
    ],
)
def test_a_range_of_a_value(archive: Archive, value: str, status: int, start: int, stop: int | None) -> None:
    """Microscopy viewers read annotations piece by piece; a multipart answer passes over Range."""
    address = f"{stored_at(archive, instance())}/bulkdata/7FE00010"
    answer = archive.get(address, OCTETS, Range=value)
    assert answer.status_code == status
    if status != 416:
        assert answer.data == bytes(range(64))[start:stop]
        assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert archive.get(address, PARTS, Range=value).status_code == 200
    etag = archive.get(address, OCTETS).headers["ETag"]
    assert archive.get(address, OCTETS, If_None_Match=etag).status_code == 304
    assert archive.get(address, OCTETS, Range="bytes=0-1", If_Range='"x"').status_code == 200


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/pdf", "application/pdf"),
        ("*/*", "application/pdf"),
        (OCTETS, OCTETS),
        ('multipart/related; type="application/pdf"', "multipart"),
        ("text/html", None),
    ],
)
def test_a_document_has_its_own_media_type(archive: Archive, accept: str, content_type: str | None) -> None:
    """A browser shows a PDF where the answer says that it is one (MIME Type of Encapsulated Document)."""
    data = instance(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        PixelData=None,
        EncapsulatedDocument=PDF,
        MIMETypeOfEncapsulatedDocument="application/pdf",
    )
    path = stored_at(archive, data)
    (metadata,) = archive.json(f"{path}/metadata")
    address = metadata["00420011"]["BulkDataURI"].removeprefix("http://localhost/dicom-web")
    answer = archive.get(address, accept)
    if content_type is None:
        assert answer.status_code == 406
        return
    assert answer.headers["Content-Type"].startswith(content_type)
    body = parts_of(answer)[0][1] if content_type == "multipart" else answer.data
    assert body[: len(PDF)] == PDF
    linked = archive.get(f"{address}?accept=application/pdf", "*/*")
    assert linked.headers["Content-Type"] == "application/pdf"
    for each in (path, f"{path}/metadata", f"{path}/bulkdata"):
        assert archive.get(each, "*/*").status_code == 200


@pytest.mark.parametrize(
    ("mime", "safe"),
    [
        ("text/html\r\nX-Evil: 1", OCTETS),
        ("nonsense", OCTETS),
        ("text/html", OCTETS),
        ("", OCTETS),
        ("TEXT/XML", "text/xml"),
    ],
)
def test_a_media_type_from_a_data_set_is_not_believed_blindly(archive: Archive, mime: str, safe: str) -> None:
    """What a sender wrote into the data set must neither break headers nor the answer."""
    data = instance(
        PixelData=None, EncapsulatedDocument=bytes(3000), MIMETypeOfEncapsulatedDocument=mime or None
    )
    path = stored_at(archive, data)
    answer = archive.get(f"{path}/bulkdata/00420011", "*/*")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] == safe
    assert "X-Evil" not in answer.headers
    assert ("sandbox" in answer.headers.get("Content-Security-Policy", "")) == (safe == "text/xml")


def test_encapsulated_pixels_come_frame_by_frame(archive: Archive) -> None:
    """Pixel Data in fragments has no bytes of its own: its address gives one part a frame."""
    frames = [b"\xff\xd8\xff" + bytes([n]) * 5 for n in (1, 2)]
    path = stored_at(archive, encapsulated(frames, syntax=JPEG_LS, NumberOfFrames=2))
    address = f"{path}/bulkdata/7FE00010"
    found = parts_of(archive.get(address, ANY_PARTS))
    assert [body for _, body in found] == frames
    assert {headers["content-type"] for headers, _ in found} == {f"image/jls; transfer-syntax={JPEG_LS}"}
    assert archive.get(address, "*/*").status_code == 200


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        ("7FE00010", 200),
        ("7fe00010", 200),
        ("00100010", 404),
        ("7FE00010/1/7FE00010", 404),
        ("7FE0001", 400),
        ("PixelData", 400),
        ("7FE00010/0/7FE00010", 400),
        ("../frames/1", 400),
        ("7FE00010/" * 300 + "7FE00010", 400),
    ],
)
def test_addresses_of_values_that_are_not_there(archive: Archive, tail: str, status: int) -> None:
    """A value that is not bulk has no address; what is no path of tags is 400."""
    path = stored_at(archive, instance())
    answer = archive.get(f"{path}/bulkdata/{tail}")
    assert answer.status_code == status
    if status != 200:
        assert json.loads(answer.data)["error"]


def test_a_long_value_is_passed_on_in_blocks(archive: Archive) -> None:
    """Memory does not grow with a value: 18 MiB come in pieces of 1 MiB, swapped on the way."""
    words = np.arange(9 * 2**20, dtype="u4").astype("u2")
    grey = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "Rows": 3072, "Columns": 3072}
    path = stored_at(archive, instance(syntax=BIG_ENDIAN, PixelData=words.astype(">u2").tobytes(), **grey))
    for accept in (OCTETS, PARTS):
        answer = archive.request(
            "GET", f"{path}/bulkdata/7FE00010", headers={"Accept": accept}, buffered=False
        )
        chunks = list(answer.response)
        answer.close()
        assert max(map(len, chunks)) <= 2**20
        assert words.tobytes() in b"".join(chunks)
