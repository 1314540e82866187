"""Retrieve studies, series and instances (PS3.18 10.4.1.1.1), in what is accepted (8.7), whole or in part."""

from __future__ import annotations

import email.parser
import email.policy
import io
import json
import logging
import shutil
import subprocess
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path

import pydicom
import pytest

from tests.builders import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, encapsulated, instance, uid
from tests.conformance.archive import AS_STORED, Archive, instance_path, parts_of
from tests.conformance.wado import lose_object, stored_at
from tests.samples import pydicom_file

MULTIPART = 'multipart/related; type="application/dicom"'
STUDY = f"/studies/{uid('study', 1)}"
VIDEO = "1.2.840.10008.1.2.4.102"


def numbered(number: int, **overrides: object) -> bytes:
    """Return the small image as instance `number` of its series."""
    values = {"SOPInstanceUID": uid("instance", number), "InstanceNumber": number}
    return instance(**{**values, **overrides})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "multipart"),
        ("*/*", "multipart"),
        ("multipart/related", "multipart"),
        ("multipart/*", "multipart"),
        ("application/dicom", "single"),
        ("application/*", "single"),
        (MULTIPART, "multipart"),
        ("multipart/related;type=application/dicom;transfer-syntax=*", "multipart"),
        (f'Multipart/Related; transfer-syntax="{EXPLICIT}";TYPE="application/dicom"', "multipart"),
        (f'multipart/related; type="application/dicom; transfer-syntax={EXPLICIT}"', "multipart"),
        (f"application/dicom;q=0.1, {MULTIPART}", "multipart"),
        (f"{MULTIPART};q=0.2, application/dicom", "single"),
        ("image/png, application/dicom", "single"),
        ("application/zip", "zip"),
        ("image/png", 406),
        ("application/dicom+json", 406),
        ('multipart/related; type="application/octet-stream"', 406),
        (f"application/dicom; transfer-syntax={IMPLICIT}", 406),
        (f"application/dicom; transfer-syntax={VIDEO}", 406),
        ("application/dicom; transfer-syntax=1.2.3", 406),
    ],
)
def test_the_form_follows_accept(archive: Archive, accept: str | None, form: str | int) -> None:
    """Clients name media types in many spellings; what is not offered is 406 with what is (8.7.5)."""
    path = stored_at(archive, instance())
    answer = archive.get(path, accept)
    if isinstance(form, int):
        assert answer.status_code == form
        assert MULTIPART in json.loads(answer.data)["offered"]
        return
    assert answer.status_code == 200
    kinds = {"multipart": "multipart/related;", "single": "application/dicom;", "zip": "application/zip"}
    assert answer.headers["Content-Type"].startswith(kinds[form])
    assert answer.data


def test_the_query_parameter_accept_wins(archive: Archive) -> None:
    """A browser cannot set Accept on a link (8.3.3.1)."""
    path = stored_at(archive, instance())
    single = archive.get(f"{path}?accept=application/dicom", "application/dicom+json")
    assert single.headers["Content-Type"].startswith("application/dicom;")
    escaped = f"{path}?accept=multipart/related%3Btype%3Dapplication/dicom%3Btransfer-syntax%3D*"
    assert parts_of(archive.get(escaped, "*/*"))[0][1] == instance()
    assert archive.get(f"{path}?accept=nonsense").status_code == 400


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
def test_native_syntaxes_come_as_explicit_little_endian_unless_asked_as_stored(
    archive: Archive, syntax: str
) -> None:
    """Implicit and Big Endian are never sent but as stored (8.7.3); a part says in which syntax it is."""
    data = instance(syntax=syntax, BitsAllocated=16, BitsStored=16, HighBit=15, PixelData=bytes(range(128)))
    path = stored_at(archive, data)
    assert archive.get(path, "application/dicom; transfer-syntax=*").data == data
    ((headers, as_stored),) = parts_of(archive.get(path, AS_STORED))
    assert (headers["content-type"], as_stored) == (f"application/dicom; transfer-syntax={syntax}", data)
    ((headers, converted),) = parts_of(archive.get(path))
    assert headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    ds, before = pydicom.dcmread(io.BytesIO(converted)), pydicom.dcmread(io.BytesIO(data))
    assert ds.file_meta.TransferSyntaxUID == EXPLICIT
    assert (ds.pixel_array == before.pixel_array).all()
    del ds.PixelData, before.PixelData
    assert ds == before


def test_lossy_and_video_stay_as_stored_unless_asked_otherwise(archive: Archive) -> None:
    """Decompressing a lossy image only makes it larger; a video cannot be (8.7.3.4)."""
    jpeg = pydicom_file("SC_rgb_jpeg_dcmtk.dcm").read_bytes()
    video = encapsulated([b"\0\0\0\x18ftypmp42"], syntax=VIDEO, NumberOfFrames=9)
    for data in (jpeg, video):
        assert archive.get(stored_at(archive, data), "application/dicom").data == data
    explicit = f"application/dicom; transfer-syntax={EXPLICIT}"
    assert archive.get(stored_at(archive, video), explicit).status_code == 406
    ds = pydicom.dcmread(io.BytesIO(archive.get(stored_at(archive, jpeg), explicit).data))
    assert (ds.file_meta.TransferSyntaxUID, ds.PhotometricInterpretation) == (EXPLICIT, "RGB")


def test_an_instance_that_cannot_be_decoded_goes_as_stored(archive: Archive) -> None:
    """One broken frame must not hide its instance; who insists on Explicit VR is told (406)."""
    data = encapsulated([b"\xff\xd8\xff nothing"])
    path = stored_at(archive, data)
    assert archive.get(path, "application/dicom").data == data
    refused = archive.get(path, f"application/dicom; transfer-syntax={EXPLICIT}")
    assert (refused.status_code, "cannot be decoded" in refused.get_data(as_text=True)) == (406, True)


def test_what_one_of_many_cannot_be_sent_in_is_told_before_any_is(archive: Archive) -> None:
    """A study of an image and a video, wanted uncompressed: 406, not a body that breaks off."""
    archive.stored(
        *(numbered(n) for n in range(8)),
        encapsulated([b"ftyp"], syntax=VIDEO, SOPInstanceUID=uid("v"), InstanceNumber=99),
    )
    for path, accept in (
        (STUDY, f"{MULTIPART}; transfer-syntax={EXPLICIT}"),
        (f"{STUDY}/pixeldata", 'multipart/related; type="application/octet-stream"'),
    ):
        assert archive.get(path, accept).status_code == 406
    assert len(parts_of(archive.get(STUDY))) == 9


def test_parts_are_read_by_any_multipart_reader(archive: Archive) -> None:
    """Each part has its own headers; readers that cut by the first one's length fail otherwise (RFC 2046)."""
    sent = {uid("instance", n): numbered(n, ImageComments="C" * 9 * n) for n in (1, 2, 3)}
    archive.stored(*sent.values())
    answer = archive.get(STUDY, AS_STORED)
    text = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode() + answer.data
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
    by_email = [part.get_payload(decode=True) for part in message.iter_parts()]
    assert by_email == list(sent.values()) == [body for _, body in parts_of(answer)]
    assert all(body[128:132] == b"DICM" for body in by_email)
    assert len({tuple(headers) for headers, _ in parts_of(answer)}) == 1


def test_pixels_that_look_like_boundaries_come_back(archive: Archive) -> None:
    """The body of a part is opaque: blank lines and delimiters in pixel data are pixels."""
    pixels = b"\r\n\r\n--b\r\n\r\n--b--\r\nContent-Type: x\r\n\r\n".ljust(64, b"\0")
    data = instance(PixelData=pixels)
    archive.request(
        "POST",
        "/studies",
        data=b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--edge--",
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=edge'},
    )
    path = instance_path(uid("study", 1), uid("series", 1), uid("instance", 1))
    assert archive.instance(uid("study", 1), uid("series", 1), uid("instance", 1)) == data
    assert archive.get(f"{path}/frames/1", "application/octet-stream").data == pixels


@pytest.mark.parametrize(
    ("value", "status", "start", "stop"),
    [
        ("bytes=0-1", 206, 0, 2),
        ("bytes=100-", 206, 100, None),
        ("bytes=-50", 206, -50, None),
        ("bytes=10-999999", 206, 10, None),
        ("bytes=999999-", 416, 0, 0),
        ("bytes=5-2", 200, 0, None),
        ("bytes=0-1,4-5", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
def test_a_range_of_a_stored_instance(
    archive: Archive, value: str, status: int, start: int, stop: int | None
) -> None:
    """Interrupted downloads go on where they stopped (RFC 9110 14)."""
    data = instance()
    path, single = stored_at(archive, data), "application/dicom; transfer-syntax=*"
    answer = archive.get(path, single, Range=value)
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(data)}"
        return
    assert answer.data == data[start:stop]
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    if status == 206:
        first = start % len(data)
        last = first + len(answer.data) - 1
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(data)}"
        assert archive.get(path, AS_STORED, Range=value).status_code == 200  # parts have no ranges


def test_if_range_sends_all_when_the_bytes_are_others(archive: Archive) -> None:
    """RFC 9110 13.1.5: only of the same representation may a part be sent."""
    path, single = stored_at(archive, instance()), "application/dicom; transfer-syntax=*"
    etag = archive.get(path, single).headers["ETag"]
    same = archive.get(path, single, Range="bytes=0-1", If_Range=etag)
    other = archive.get(path, single, Range="bytes=0-1", If_Range='"other"')
    assert (same.status_code, other.status_code) == (206, 200)


def test_head_is_get_without_a_body(archive: Archive) -> None:
    """Download managers ask for the length first (RFC 9110 9.3.2)."""
    path = stored_at(archive, instance())
    series = path.split("/instances")[0]
    for each, accept in (
        (path, "application/dicom"),
        (path, AS_STORED),
        (path, "application/zip"),
        (series, "*/*"),
        (f"{series}/metadata", "application/dicom+json"),
        (f"{path}/frames/1", "application/octet-stream"),
        (f"{path}/frames/1", "*/*"),
        (f"{path}/bulkdata/7FE00010", "application/octet-stream"),
    ):
        get = archive.get(each, accept)
        head = archive.request("HEAD", each, headers={"Accept": accept})
        assert (head.status_code, head.data) == (200, b"")
        for name in ("ETag", "Content-Length", "Accept-Ranges"):
            assert head.headers.get(name) == get.headers.get(name), (each, name)
        assert get.data


def test_etags_change_with_what_they_name_only(archive: Archive) -> None:
    """An ETag that changes by itself flushes caches; one that stays keeps old images (RFC 9110 8.8)."""
    other = uid("series", 2)
    archive.stored(numbered(1), numbered(2, SeriesInstanceUID=other))
    paths = [STUDY, f"{STUDY}/series/{uid('series', 1)}", f"{STUDY}/series/{other}"]
    before = [archive.get(path).headers["ETag"] for path in paths]
    assert before == [archive.get(path).headers["ETag"] for path in paths]
    assert archive.get(STUDY, "application/zip").headers["ETag"] not in before
    for path, etag in zip(paths, before, strict=True):
        answer = archive.get(path, If_None_Match=f'"x", W/{etag}')
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
        assert "private" in answer.headers["Cache-Control"]
        assert "Accept" in answer.headers["Vary"]
    archive.stored(numbered(3))
    changed = [archive.get(path).headers["ETag"] != etag for path, etag in zip(paths, before, strict=True)]
    assert changed == [True, True, False]


@pytest.mark.parametrize("accept", [MULTIPART, AS_STORED, "application/zip"])
def test_an_object_that_is_missing_breaks_the_answer_off(
    archive: Archive, accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A study with a hole must never look complete (8.5); the log says where, without patient data."""
    archive.stored(*(numbered(n, PatientName="Secret^Name") for n in range(1, 11)))
    lose_object(archive, uid("instance", 9))
    answer = archive.request("GET", STUDY, headers={"Accept": accept}, buffered=False)
    chunks: list[bytes] = []
    with pytest.raises(Exception, match=uid("instance", 9)):
        chunks.extend(answer.response)  # keeps what came before the end
    got = b"".join(chunks)
    assert got
    assert not got.rstrip().endswith(b"--")
    assert b"PK\x05\x06" not in got
    lose_object(archive, uid("instance", 1))
    with caplog.at_level(logging.INFO):
        first = archive.get(STUDY, accept)
    assert (first.status_code, "missing" in first.get_data(as_text=True)) == (500, True)
    assert uid("instance", 1) in caplog.text
    assert "Secret" not in caplog.text


def test_a_long_object_that_is_missing_is_an_error_and_no_broken_body(archive: Archive) -> None:
    """Long objects are sent in blocks; the first is there before the status line goes out."""
    path = stored_at(archive, instance(Rows=2048, Columns=4096, PixelData=bytes(2**23)))
    lose_object(archive, uid("instance", 1))
    for each in (path, STUDY, f"{path}/frames/1", f"{path}/bulkdata/7FE00010"):
        assert archive.get(each).status_code == 500
        if each != STUDY:
            assert archive.get(each, "application/octet-stream, application/dicom").status_code == 500


def zipped(archive: Archive, path: str, tmp_path: Path) -> dict[str, bytes]:
    """Return the files of a zip by their names, after two programs have found it whole."""
    answer = archive.get(path, "application/zip")
    assert answer.status_code == 200
    file = tmp_path / "study.zip"
    file.write_bytes(answer.data)
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tq", str(file)], check=True, capture_output=True)
    with zipfile.ZipFile(file) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def test_a_zip_holds_the_files_in_folders_that_a_person_knows(archive: Archive, tmp_path: Path) -> None:
    """Study, then series, then images in their order; names of hostile values stay inside the folder."""
    hostile = {"PatientID": "../../etc/p\\q:1", "StudyDescription": "Kopf / Hals  \u00e9"}
    named = {"SeriesDescription": "Axial", "SeriesNumber": 2, **hostile}
    files = [numbered(n, **named) for n in (1, 2, 10)]
    other = numbered(5, SeriesInstanceUID=uid("series", 2), SeriesNumber=1, **hostile)
    archive.stored(*reversed(files), other)
    found = zipped(archive, STUDY, tmp_path)
    assert list(found.values()) == [other, *files]
    assert all(not name.startswith(("/", ".")) and ".." not in name.split("/") for name in found)
    assert len({name.split("/")[0] for name in found}) == 1
    assert [name.rsplit("/", 1)[1] for name in found] == ["00001.dcm", "00001.dcm", "00002.dcm", "00003.dcm"]
    assert "Axial" in list(found)[-1]
    series = zipped(archive, f"{STUDY}/series/{uid('series', 1)}", tmp_path)
    assert list(series.values()) == files
    one = zipped(archive, instance_path(uid("study", 1), uid("series", 1), uid("instance", 2)), tmp_path)
    assert list(one.values()) == [files[1]]


def test_no_file_of_a_zip_takes_the_place_of_another(archive: Archive, tmp_path: Path) -> None:
    """Where a zip is unpacked, names that differ in case or in how accents are written may be one name."""
    named = ["T1 Axial", "t1 axial", "T\u00fcr", "Tu\u0308r", "x" * 80, "x" * 90]
    archive.stored(
        *(
            numbered(n, SeriesInstanceUID=uid("series", n), SeriesNumber=1, SeriesDescription=text)
            for n, text in enumerate(named)
        )
    )
    found = zipped(archive, STUDY, tmp_path)
    assert len(found) == len(named)
    assert len({unicodedata.normalize("NFKC", name).casefold() for name in found}) == len(named)


def test_memory_does_not_grow_with_a_study(archive: Archive) -> None:
    """A study is passed on, never gathered."""
    archive.stored(*(numbered(n, Rows=512, Columns=512, PixelData=bytes(2**18)) for n in range(60)))
    for accept in (AS_STORED, MULTIPART, "application/zip"):
        archive.get(STUDY, accept)
        tracemalloc.start()
        answer = archive.request("GET", STUDY, headers={"Accept": accept}, buffered=False)
        size = sum(len(chunk) for chunk in answer.response)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        answer.close()
        assert size > 60 * 2**18
        assert peak < 8 * 2**20, accept


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/1.2.3", 404),
        ("/studies/1.2.3/series/1.2.4", 404),
        ("/studies/1.2.3/series/1.2.4/instances/1.2.5", 404),
        ("/studies/1.2.3/series/1.2.4/instances/1.2.5/frames/1", 404),
        ("/studies/1.2.3/metadata", 404),
        ("/studies/1.2.3x/metadata", 400),
        ("/studies/1..2", 400),
        ("/studies/" + "1" * 65, 400),
        ("//studies", 200),
        ("/studies/", 200),
        ("/studies?&", 200),
    ],
)
def test_addresses_that_name_nothing(archive: Archive, path: str, status: int) -> None:
    """What is unknown is 404, what is no UID is 400, and doubled or trailing slashes never break anything."""
    answer = archive.get(path)
    assert answer.status_code == status
    if status >= 400:
        assert json.loads(answer.data)["error"]
