"""Retrieve metadata (PS3.18 10.4.1.1.2) as DICOM JSON (Annex F) and native XML (PS3.19 A.1)."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pydicom
import pytest
from defusedxml import ElementTree
from pydicom import Dataset, Sequence

from archive.settings import Settings
from tests.builders import IMPLICIT, UNDEFINED, dataset, element, instance, item, part10, raw_instance, uid
from tests.conformance.archive import Archive, parts_of
from tests.conformance.test_bulkdata import annotated, uris
from tests.conformance.wado import stored_at

JSON = "application/dicom+json"
XML = 'multipart/related; type="application/dicom+xml"'
STUDY = f"/studies/{uid('study', 1)}"


def strict(text: bytes) -> Any:
    """Parse JSON as its grammar is: no NaN, no keys twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


def metadata_of(archive: Archive, data: bytes) -> dict[str, Any]:
    """Store an instance and return its metadata, parsed strictly."""
    answer = archive.get(f"{stored_at(archive, data)}/metadata", JSON)
    assert answer.status_code == 200
    (found,) = strict(answer.data)
    assert list(found) == sorted(found)
    return dict(found)


@pytest.mark.parametrize(
    "accept",
    [
        *(None, "*/*", JSON, "application/json", f"{JSON}, application/json", "application/*"),
        *(f"{JSON}, multipart/related; type=application/octet-stream", f"{JSON}; charset=utf-8"),
    ],
)
def test_json_is_what_clients_get_for_what_they_send(archive: Archive, accept: str | None) -> None:
    """Any acceptable member of Accept is enough (RFC 9110 12.5.1); application/json is an old name."""
    path = stored_at(archive, instance())
    answer = archive.get(f"{path}/metadata", accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)
    assert strict(answer.data)[0]["00100010"]["Value"] == [{"Alphabetic": "Test^Tom"}]
    assert archive.get(f"{path}/metadata", "image/png").status_code == 406


def test_the_three_levels_agree_in_json_gzip_and_xml(archive: Archive) -> None:
    """A study is its series is its instances, whichever way it is asked for and coded."""
    sent = [
        instance(SOPInstanceUID=uid(s, n), SeriesInstanceUID=uid(s), SeriesNumber=s, InstanceNumber=n)
        for s in (1, 2)
        for n in (1, 2, 3)
    ]
    archive.stored(*reversed(sent))
    study = archive.json(f"{STUDY}/metadata")
    assert [each["00080018"]["Value"][0] for each in study] == [uid(s, n) for s in (1, 2) for n in (1, 2, 3)]
    of_series = [archive.json(f"{STUDY}/series/{uid(s)}/metadata") for s in (1, 2)]
    assert of_series[0] + of_series[1] == study
    for each in study:
        series, sop = each["0020000E"]["Value"][0], each["00080018"]["Value"][0]
        assert archive.json(f"{STUDY}/series/{series}/instances/{sop}/metadata") == [each]
    for path in (STUDY, f"{STUDY}/series/{uid(1)}"):
        plain = archive.get(f"{path}/metadata")
        zipped = archive.get(f"{path}/metadata", Accept_Encoding="gzip, br")
        assert (plain.headers.get("Content-Encoding"), zipped.headers["Content-Encoding"]) == (None, "gzip")
        assert gzip.decompress(zipped.data) == plain.data
        assert plain.headers["ETag"] != zipped.headers["ETag"]
        refused = archive.get(f"{path}/metadata", Accept_Encoding="gzip;q=0")
        assert "Content-Encoding" not in refused.headers
        parts = parts_of(archive.get(f"{path}/metadata", XML))
        assert len(parts) == len(json.loads(plain.data))
        for (headers, body), one in zip(parts, json.loads(plain.data), strict=True):
            assert headers["content-type"] == "application/dicom+xml"
            tags = [attribute.get("tag") for attribute in ElementTree.fromstring(body)]
            assert tags == list(one)


def test_it_holds_the_attributes_of_the_file_and_no_others(archive: Archive) -> None:
    """No group 0002, no book-keeping of the archive, and every private attribute with its creator."""
    data, _ = annotated(IMPLICIT)
    found = metadata_of(archive, data)
    ds = pydicom.dcmread(io.BytesIO(data))
    assert set(found) == {f"{element.tag:08X}" for element in ds}
    assert found["00290010"] == {"vr": "LO", "Value": ["FILMROOM TEST"]}
    assert not {"00080061", "00201206", "00201208", "00080056", "00081190"} & set(found)


def with_number(vr: str, text: str) -> bytes:
    """Return an instance with a decimal (0018,0050) or integer (0028,0008-like) string, as it is."""
    tag = {"DS": 0x00180050, "IS": 0x00181152}[vr]
    raw = text.encode()
    return raw_instance(element(tag, vr, raw + b" " * (len(raw) % 2)))


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("DS", "+1.5", [1.5]),
        ("DS", ".5", [0.5]),
        ("DS", "5.", [5]),
        ("DS", "007", [7]),
        ("DS", " 12 ", [12]),
        ("DS", "-.5E+3", [-500]),
        ("DS", "1.0E04", [10000]),
        ("DS", "0.1234567890123456789", ["0.1234567890123456789"]),
        ("DS", "1,5", ["1,5"]),
        ("DS", "@", ["@"]),
        ("DS", "1\\\\2", [1, None, 2]),
        ("IS", "2.0", ["2.0"]),
        ("IS", "+7", [7]),
        ("IS", "99999999999", [99999999999]),
        ("IS", "12@", ["12@"]),
    ],
)
def test_numbers_that_json_cannot_say_stay_strings(
    archive: Archive, vr: str, text: str, expected: list[Any]
) -> None:
    """DICOM spells numbers as JSON does not; a bad one never costs the metadata (F.2.3)."""
    found = metadata_of(archive, with_number(vr, text))
    tag = {"DS": "00180050", "IS": "00181152"}[vr]
    assert found[tag] == {"vr": vr, "Value": expected}


def test_floating_point_values_that_are_no_numbers(archive: Archive) -> None:
    """NaN and infinities are strings, the values around them and their count stay."""
    ds = dataset()
    ds.add_new(0x00186028, "FD", [math.nan, 1.5, -math.inf])
    ds.add_new(0x00189087, "FD", math.inf)
    found = metadata_of(archive, part10(ds))
    assert found["00186028"]["Value"] == ["NaN", 1.5, "-Infinity"]
    assert found["00189087"]["Value"] == ["Infinity"]
    assert math.isnan(float(found["00186028"]["Value"][0]))


def test_empty_values(archive: Archive) -> None:
    """Empty attributes keep key and vr without Value; an empty value among others is null (F.2.5)."""
    empty = ["AccessionNumber", "PatientName", "StudyDate", "SliceThickness", "ImageComments", "Rows"]
    ds = dataset(PixelData=None, **dict.fromkeys(empty, ""))
    ds.RequestAttributesSequence = Sequence([])
    ds.ImageType = ["A", "", "B"]
    found = metadata_of(archive, part10(ds))
    for keyword in (*empty, "RequestAttributesSequence"):
        assert set(found[f"{pydicom.datadict.tag_for_keyword(keyword):08X}"]) == {"vr"}
    assert found["00080008"]["Value"] == ["A", None, "B"]


def test_unknown_vrs_of_known_tags_are_read(archive: Archive) -> None:
    """A peer that lost the VR wrote UN: known tags have their dictionary VR again, sequences included."""
    inner = element(0x00080100, None, b"CODE") + element(0x00080102, None, b"99")
    extra = element(0x00081030, "UN", b"Text") + element(0x00180050, "UN", b"1.5 ")
    extra += element(0x00400260, "UN", item(inner), length=None)
    extra += element(0x20010010, "LO", b"PHILIPS ")
    nested = item(element(0x00080100, None, b"IN"), length=UNDEFINED)
    extra += element(0x20019000, "UN", nested + element(0xFFFEE0DD, None), length=UNDEFINED)
    extra += element(0x40100001, "CS", b"LAST")
    data = raw_instance(extra)
    found = metadata_of(archive, data)
    assert found["00081030"] == {"vr": "LO", "Value": ["Text"]}
    assert found["00180050"] == {"vr": "DS", "Value": [1.5]}
    assert found["00400260"]["Value"][0]["00080100"]["Value"] == ["CODE"]
    assert found["20010010"] == {"vr": "LO", "Value": ["PHILIPS"]}
    assert found["20019000"]["vr"] == "SQ"
    assert found["40100001"]["Value"] == ["LAST"]
    assert archive.instance(uid("study", 1), uid("series", 1), uid("instance", 1)) == data
    ds = Dataset.from_json(json.dumps({tag: each for tag, each in found.items() if tag < "20000000"}))
    assert ds.StudyDescription == "Text"


def test_the_longest_integers(archive: Archive) -> None:
    """OV, SV and UV have long headers; what a double cannot hold is a string."""
    ds = dataset()
    ds.add_new(0x00720082, "SV", [-(2**62), 5])
    ds.add_new(0x00720083, "UV", 2**63)
    ds.add_new(0x00720081, "OV", bytes(16))
    ds.add_new(0x00741000, "CS", "AFTER")
    found = metadata_of(archive, part10(ds))
    assert found["00720082"]["Value"] == [str(-(2**62)), 5]
    assert found["00720083"]["Value"] == [str(2**63)]
    assert base64.b64decode(found["00720081"]["InlineBinary"]) == bytes(16)
    assert found["00741000"]["Value"] == ["AFTER"]


def test_one_bad_file_never_spoils_a_series(archive: Archive) -> None:
    """Metadata of a hundred come, though one has a number that is none."""
    archive.stored(*(instance(SOPInstanceUID=uid(n), InstanceNumber=n) for n in range(1, 100)))
    archive.stow(with_number("IS", "2.0"))
    assert len(archive.json(f"{STUDY}/series/{uid('series', 1)}/metadata")) == 100


def test_etags_of_metadata_change_only_when_they_must(archive: Archive) -> None:
    """A viewer asks again with what it has; other series stay as they are."""
    archive.stored(instance(), instance(SOPInstanceUID=uid(2), SeriesInstanceUID=uid("other")))
    paths = [f"{STUDY}/series/{uid('series', 1)}/metadata", f"{STUDY}/series/{uid('other')}/metadata"]
    before = [archive.get(path).headers["ETag"] for path in paths]
    again = [archive.get(path, If_None_Match=etag) for path, etag in zip(paths, before, strict=True)]
    assert [(each.status_code, each.data) for each in again] == [(304, b"")] * 2
    assert "private" in again[0].headers["Cache-Control"]
    archive.stored(instance(SOPInstanceUID=uid(3)))
    after = [archive.get(path, If_None_Match=e).status_code for path, e in zip(paths, before, strict=True)]
    assert after == [200, 304]
    archive.request("DELETE", STUDY)
    archive.stored(instance(StudyDescription="another"))
    assert archive.get(paths[0]).headers["ETag"] not in before


def test_metadata_of_many_frames_stand_apart(archive: Archive) -> None:
    """Functional groups of thousands of frames are too long for a row: they are an object of their own."""
    groups = []
    for number in range(6000):
        group = Dataset()
        group.ImageComments = " ".join(uid(number, word) for word in range(14))  # compresses badly
        groups.append(group)
    ds = dataset(NumberOfFrames=1)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    path = stored_at(archive, part10(ds))
    kinds = [each.key.rsplit(".", 1)[1] for each in archive.services.objects.list()]
    plain = archive.get(f"{path}/metadata")
    (found,) = strict(plain.data)
    assert len(found["52009230"]["Value"]) == 6000
    assert found["52009230"]["Value"][5999]["00204000"]["Value"] == [groups[5999].ImageComments]
    assert gzip.decompress(archive.get(f"{path}/metadata", Accept_Encoding="gzip").data) == plain.data
    assert archive.get(found["7FE00010"]["BulkDataURI"].split("dicom-web")[1]).status_code == 200
    assert kinds.count("metadata") == 1


@pytest.fixture
def addressed(backend: Settings, request: pytest.FixtureRequest) -> Iterator[Archive]:
    """Give an archive with some settings changed."""
    made = Archive(replace(backend, **request.param))
    yield made
    made.close()


FORWARDED = {
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "pacs.example",
    "X_Forwarded_Prefix": "/x",
    "X_Forwarded_For": "10.0.0.1",
}


@pytest.mark.parametrize(
    ("addressed", "headers", "base"),
    [
        ({}, {}, "http://localhost"),
        ({}, FORWARDED, "http://localhost"),
        ({"trusted_proxies": 1}, FORWARDED, "https://pacs.example/x"),
        ({"trusted_proxies": 1}, {}, "http://localhost"),
        ({"public_url": "https://pub.example/y"}, FORWARDED, "https://pub.example/y"),
    ],
    indirect=["addressed"],
)
def test_addresses_are_those_that_clients_can_reach(
    addressed: Archive, headers: dict[str, str], base: str
) -> None:
    """Behind a proxy the archive's own address leads nowhere; strangers do not choose it, either."""
    data, expected = annotated()
    path = stored_at(addressed, data)
    plain = addressed.get(f"{path}/metadata", **headers)
    zipped = addressed.get(f"{path}/metadata", Accept_Encoding="gzip", **headers)
    assert gzip.decompress(zipped.data) == plain.data
    found = uris(json.loads(plain.data))
    assert len(found) == len(expected)
    for address in found:
        assert address.startswith(f"{base}/dicom-web{path}/bulkdata/")
        assert addressed.get(address.split("/dicom-web")[1], **headers).status_code == 200
    if base != "http://localhost" and headers:
        part = parts_of(addressed.get(f"{path}/frames/1", 'multipart/related; type="*/*"', **headers))[0]
        assert part[0]["content-location"].startswith(base)


@pytest.mark.parametrize("host", ["h\u00e4user.example", 'a"b\\c', "x" * 3000, "", "[::1]:8042"])
def test_any_host_header_leaves_json_whole(archive: Archive, host: str) -> None:
    """Host is the client's text: it must break neither the JSON nor the server."""
    path = stored_at(archive, instance())
    for each in (f"{path}/metadata", f"{path}/bulkdata/7FE00010", f"{path}/frames/1", path):
        answer = archive.get(each, Host=host.encode().decode("latin-1"))
        assert answer.status_code in (200, 400)
        if each.endswith("metadata") and answer.status_code == 200:
            strict(answer.data)
