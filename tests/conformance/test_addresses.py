"""Addresses, in and out: UIDs and slashes in paths, values in queries, what answers say behind a proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urljoin

import pytest

from archive.settings import Settings
from archive.web.context import ROOT
from tests import builders
from tests.conformance.archive import Archive, send

STUDY, SERIES, SOP = builders.uid("study", 1), builders.uid("series", 1), builders.uid("instance", 1)


@pytest.mark.parametrize(
    "path",
    ["/dicom-web//studies", "/dicom-web///studies/", "/dicom-web/studies/",
     "/dicom-web/studies?&", "/dicom-web/studies?=&&", f"/dicom-web/studies/{STUDY}//series/"],
)  # fmt: skip
def test_addresses_that_clients_join_carelessly_are_understood(archive: Archive, path: str) -> None:
    """A redirect would send clients behind a proxy to a name that only we know."""
    archive.stored(builders.instance())
    answer = send(archive, "GET", path)
    assert answer.status_code == 200
    assert len(json.loads(answer.data)) == 1


HOSTILE = (
    "..", "%2e%2e", "..%2f..%2fetc", "1.2%00", "1.2%0d%0aX-Evil:1", "1.2%0A", "1" * 65, "1." + "2" * 5000,
    "'%20OR%201=1--", "1.2;DROP", "%ff%fe", "%F0%9F%92%A9", "1.2%2F3", "1..2", ".1", "1.", "1.a", "%D9%A1.2",
    "-1",
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "OPTIONS"])
def test_what_is_no_uid_goes_no_further(archive: Archive, method: str) -> None:
    """Neither keys nor SQL meet it, and nothing of it comes back in a header."""
    templates = ("/studies/{}", "/studies/1.2/series/{}", "/studies/1.2/series/1.2/instances/{}")
    ends = ("", "/metadata", "/instances", "/frames/1")
    for bad in HOSTILE:
        for address in (template.format(bad) + end for template in templates for end in ends):
            answer = send(archive, method, ROOT + address)
            assert answer.status_code in {200, 400, 404, 405, 415}, (address, answer.status_code)
            assert method == "OPTIONS" or answer.status_code != 200 or bad == ".."
            assert "X-Evil" not in answer.headers
    assert list(archive.services.objects.list("")) == []


@pytest.mark.parametrize("name", ["%00", "a%0d%0ab", "a" * 65, "..", "%ff", "none"])
def test_reports_of_no_request_are_not_found(archive: Archive, name: str) -> None:
    assert send(archive, "GET", f"/api/requests/{name}").status_code == 404


@pytest.mark.parametrize("uid", ["1.2.003.4", "0.1", "00.1.2", "1" * 64, "2.25.0", "1", "1.2.3 ", "1.2.3\0"])
def test_a_uid_that_was_stored_works_everywhere(archive: Archive, uid: str) -> None:
    """Old devices write leading zeros: they are matched as text, and never for the number they are."""
    data = builders.instance(StudyInstanceUID=uid, SeriesInstanceUID=uid, SOPInstanceUID=uid)
    assert archive.stow(data).status_code == 200
    plain = uid.strip(" \0")
    at = f"/studies/{plain}/series/{plain}/instances/{plain}"
    assert archive.instance(plain, plain, plain) == data
    assert len(archive.json(f"/instances?SOPInstanceUID={plain}&StudyInstanceUID={plain}")) == 1
    assert archive.json(f"{at}/metadata")[0]["0020000D"]["Value"] == [plain]
    without_zeros = ".".join(str(int(part)) for part in plain.split("."))
    if without_zeros != plain:
        assert archive.get(f"/studies/{without_zeros}").status_code == 404
        assert archive.json(f"/studies?StudyInstanceUID={without_zeros}") == []
    assert archive.request("DELETE", at).status_code == 204
    assert archive.json("/instances") == []


@pytest.mark.parametrize("uid", ["1.2.a", "../1", "1..2", "1" * 65, "", "1.2/3"])
def test_a_uid_that_no_path_could_name_is_not_stored(archive: Archive, uid: str) -> None:
    answer = archive.stow(builders.instance(StudyInstanceUID=uid))
    assert answer.status_code == 409
    assert "StudyInstanceUID" in answer.headers["Warning"] or "0020000D" in answer.headers["Warning"]
    assert archive.json("/studies") == []


SPECIAL = ("A+B/C&D=E #1%2A^^", "A*B", "A B", "A+B", "%2A", "Ä?;'\"", "a\\b")


@pytest.mark.parametrize("identity", SPECIAL[:-1])
def test_what_a_query_holds_is_decoded_once(archive: Archive, identity: str) -> None:
    """A plus sign that is not escaped is a blank, an escaped one a plus; %252A is a literal %2A."""
    for number, each in enumerate(SPECIAL[:-1]):
        archive.stored(
            builders.instance(
                PatientID=each, StudyInstanceUID=builders.uid("special", number),
                SeriesInstanceUID=builders.uid("s", number), SOPInstanceUID=builders.uid("i", number),
            )
        )  # fmt: skip
    found = archive.json(f"/studies?PatientID={quote(identity, safe='')}")
    told = [each["00100020"]["Value"][0] for each in found]
    wild = {"A*B": {"A*B", "A B", "A+B"}}  # an asterisk is a wildcard, however it is escaped
    assert set(told) == wild.get(identity, {identity})


def urls(value: Any) -> Iterator[str]:
    """Give every address in a DICOM JSON answer."""
    if isinstance(value, list):
        for each in value:
            yield from urls(each)
    elif isinstance(value, dict):
        if "BulkDataURI" in value:
            yield value["BulkDataURI"]
        if value.get("vr") == "UR":
            yield from value.get("Value", [])
        for each in value.values():
            yield from urls(each)


FORWARDED = {
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "pub.example",
    "X_Forwarded_Prefix": "/x",
    "X_Forwarded_For": "192.0.2.1",
}
PROXIES = [
    ({}, FORWARDED, "http://localhost/dicom-web"),
    ({"trusted_proxies": 1}, FORWARDED, "https://pub.example/x/dicom-web"),
    ({"trusted_proxies": 1}, {}, "http://localhost/dicom-web"),
    ({"public_url": "https://pub.example/x"}, {}, "https://pub.example/x/dicom-web"),
    ({"public_url": "https://pub.example/x"}, {"Host": "evil.example"}, "https://pub.example/x/dicom-web"),
    ({"public_url": "https://pub.example", "trusted_proxies": 1}, FORWARDED, "https://pub.example/dicom-web"),
]


@pytest.mark.parametrize(("more", "headers", "base"), PROXIES)
def test_addresses_in_answers_are_those_that_clients_can_follow(
    backend: Settings, more: dict[str, Any], headers: dict[str, str], base: str
) -> None:
    """Viewers break on http:// in an https page and on names of inner hosts; only a trusted proxy may say."""
    archive = Archive(replace(backend, **more))
    data = [
        builders.instance(SOPInstanceUID=builders.uid("p", n), ICCProfile=bytes(3000 + 2 * n)) for n in (0, 1)
    ]
    answer = archive.stow(*data, **headers)
    at = f"/studies/{STUDY}/series/{SERIES}/instances"
    answers = [answer.get_json(force=True)]
    for path in ("/studies", f"{at}?limit=1", f"/studies/{STUDY}/metadata"):
        answer = archive.get(path, **headers)
        assert answer.status_code == 200
        answers.append(answer.get_json(force=True))
        link = answer.headers.get("Link")
        assert ("limit=1" in path) is (link is not None)
        assert link is None or link.startswith(f"<{base}{at}?limit=1&cursor=")
    parts = archive.get(f"{at}/{builders.uid('p', 0)}/frames/1", **headers)
    assert f"Content-Location: {base}/".encode() in parts.data
    wadl = send(archive, "OPTIONS", f"{ROOT}/studies", Accept="application/json", **headers)
    assert wadl.get_json()["application"]["resources"]["base"] == base
    found = list(urls(answers))
    assert len(found) >= 8
    for url in found:
        assert urljoin(base + "/studies", url).startswith(f"{base}/studies/{STUDY}")
        assert archive.get(ROOT + url.removeprefix(base)).status_code == 200
    archive.close()


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("t", "t:8042"), ("http", "http:8042"), ("pacs:81", "pacs:81"), ("a b", "127.0.0.1:8042")],
)
def test_the_address_of_those_who_speak_to_us_directly(archive: Archive, host: str, wanted: str) -> None:
    """Some leave the port out of Host; one that is none is as if it was not sent."""
    archive.stored(builders.instance())
    environ = {"HTTP_HOST": host, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8042"}
    answer = archive.client.open(f"{ROOT}/studies", environ_overrides=environ, buffered=True)
    assert list(urls(answer.get_json(force=True))) == [f"http://{wanted}/dicom-web/studies/{STUDY}"]


@pytest.mark.parametrize("host", ["", "a b", "x/y", "x\r\nX-Evil: 1", '"><script>', "[::1", "a" * 5000])
def test_a_strange_host_is_never_a_fault_of_ours(archive: Archive, host: str) -> None:
    archive.stored(builders.instance())
    environ = {"HTTP_HOST": host}
    answer = archive.client.open(f"{ROOT}/studies", environ_overrides=environ, buffered=True)
    assert answer.status_code in {200, 400}
    assert "X-Evil" not in answer.headers


def test_ranges_of_bulk_data_are_honoured_where_there_is_one_body(archive: Archive) -> None:
    """RFC 9110 14: 206 of a single part; a multipart answer ignores Range and is whole."""
    profile = bytes(range(250)) * 12
    archive.stored(builders.instance(ICCProfile=profile))
    address = f"/studies/{STUDY}/series/{SERIES}/instances/{SOP}/bulkdata/00282000"
    part = archive.get(address, "application/octet-stream", Range="bytes=100-199")
    assert (part.status_code, part.data) == (206, profile[100:200])
    assert part.headers["Content-Range"] == "bytes 100-199/3000"
    whole = archive.get(address, 'multipart/related; type="application/octet-stream"', Range="bytes=100-199")
    assert whole.status_code == 200
    assert profile in whole.data
    beyond = archive.get(address, "application/octet-stream", Range="bytes=3000-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */3000")
