"""OPTIONS, methods, errors and addresses: what holds for every transaction (PS3.18 8)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from werkzeug.test import TestResponse

from archive import errors
from archive.dicomweb.capabilities import Row, allowed
from archive.settings import Settings
from archive.web import conformance
from archive.web.context import ROOT
from archive.web.errors import STATUSES
from archive.web.routes import ROWS
from storage import errors as storage_errors
from tests import builders
from tests.conformance.archive import STOW, Archive, multipart_body, send

STUDY, SERIES, SOP = builders.uid("study", 1), builders.uid("series", 1), builders.uid("instance", 1)
OPERATION = {"/live", "/ready", "/metrics", "/api/requests/<request>", "/wado"}
PATHS = tuple(dict.fromkeys(row.path for row in ROWS))
NOWHERE = ("/nowhere", f"{ROOT}/nowhere", f"{ROOT}/studies/{STUDY}/nowhere")


def filled(path: str) -> str:
    """Put the UIDs of the stored image into a path template."""
    values = {"study": STUDY, "series": SERIES, "instance": SOP, "frames": "1", "path": "00282000"}
    return path.format(**values)


@pytest.fixture
def image(archive: Archive) -> Archive:
    """Give an archive that holds one image with a bulk value."""
    archive.stored(builders.instance(ICCProfile=bytes(3000)))
    return archive


def test_every_route_is_in_the_table_or_of_the_operation(archive: Archive) -> None:
    declared = {(row.method, ROOT + re.sub(r"\{(\w+)\}", r"<\1>", row.path)) for row in ROWS}
    for rule in archive.app.url_map.iter_rules():
        if rule.endpoint.startswith(("pages.", "viewer.")):
            continue  # for people, not for clients
        path = rule.rule.replace("<path:path>", "<path>")
        assert rule.methods is not None
        own = rule.methods - {"HEAD", "OPTIONS"}
        assert path in OPERATION or all((method, path) in declared for method in own), rule
        declared -= {(method, path) for method in own}
    assert not declared


def body_of(row: Row) -> dict[str, Any]:
    if row.method != "POST":
        return {}
    data = multipart_body([builders.instance(ICCProfile=bytes(3000))])
    return {"data": data, "headers": {"Content-Type": STOW.format("b")}}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_what_a_row_says_holds(image: Archive, row: Row) -> None:
    """Each media type that is offered comes, and every status that comes is in the table."""
    for offer in row.offers or ("*/*",):
        options = body_of(row)
        options["headers"] = {**options.get("headers", {}), "Accept": offer}
        answer = image.request(row.method, filled(row.path), **options)
        assert answer.status_code in row.statuses
        if answer.status_code != 406:  # a codec or a stored form that this image has not
            assert answer.status_code in {200, 204}, (offer, answer.data[:300])
            kind = answer.headers.get("Content-Type", offer)
            wanted = "application/dicom+json" if offer == "application/json" else offer
            assert row.method == "DELETE" or kind.split(";")[0] == wanted.split(";")[0]
    if row.offers:
        options = body_of(row)
        options["headers"] = {**options.get("headers", {}), "Accept": "text/x-none"}
        answer = image.request(row.method, filled(row.path), **options)
        assert (answer.status_code, 406 in row.statuses) == (406, True)
        assert answer.get_json()["offered"]
    for wrong in ("1..2", "1" * 65):
        if "{study}" in row.path:
            answer = image.request(row.method, filled(row.path).replace(STUDY, wrong), **body_of(row))
            assert (answer.status_code, 400 in row.statuses) == (400, True)
    for type_ in ("text/plain", "multipart/related; type=image/png; boundary=b") if row.accepts else ():
        answer = image.request(row.method, filled(row.path), data=b"x", headers={"Content-Type": type_})
        assert (answer.status_code, 415 in row.statuses) == (415, True)


def test_options_describes_the_resource_and_those_below_it(archive: Archive) -> None:
    for path in ("", "/", *PATHS):
        below = [
            row for row in ROWS if path in {"", "/"} or row.path == path or row.path.startswith(f"{path}/")
        ]
        address = ROOT + filled(path)
        wadl = send(archive, "OPTIONS", address)
        assert wadl.status_code == 200
        assert wadl.headers["Content-Type"].split(";")[0] == "application/vnd.sun.wadl+xml"
        space = "{http://wadl.dev.java.net/2009/02}"
        tree = ElementTree.fromstring(wadl.data)  # noqa: S314 our own answer
        found = {
            (method.get("name"), f"/{resource.get('path')}")
            for resource in tree.iter(f"{space}resource")
            for method in resource.iter(f"{space}method")
        }
        assert found >= {(row.method, row.path) for row in below}
        for kind in ("application/json", "application/dicom+json"):
            answer = send(archive, "OPTIONS", address, Accept=kind)
            resources = json.loads(answer.data)["application"]["resources"]
            assert {
                (m["name"], each["path"]) for each in resources["resource"] for m in each["methods"]
            } == found
            assert resources["base"] == f"http://localhost{ROOT}"
        assert send(archive, "OPTIONS", address, Accept="text/plain").status_code == 406
        assert wadl.headers["Allow"] == ", ".join(allowed(ROWS, path))


def test_other_methods_are_refused_with_those_that_are_taken(archive: Archive) -> None:
    for path in PATHS:
        taken = set(allowed(ROWS, path))
        assert taken == {row.method for row in ROWS if row.path == path} | {"OPTIONS"} | (
            {"HEAD"} if any(row.method == "GET" and row.path == path for row in ROWS) else set()
        )
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} - taken:
            answer = send(archive, method, ROOT + filled(path))
            assert answer.status_code == 405
            assert {each.strip() for each in answer.headers["Allow"].split(",")} == taken
            assert method == "HEAD" or answer.get_json()["error"]


def test_head_is_get_without_a_body(image: Archive) -> None:
    for path in (path for path in PATHS if "GET" in allowed(ROWS, path)):
        head, get = (send(image, method, ROOT + filled(path)) for method in ("HEAD", "GET"))
        assert head.status_code == get.status_code == 200
        assert head.data == b""
        names = {"Content-Type", "ETag", "Content-Length", "Vary", "Cache-Control"}
        boundary = re.compile("boundary=.*")
        assert [boundary.sub("", head.headers.get(name, "")) for name in sorted(names)] == [
            boundary.sub("", get.headers.get(name, "")) for name in sorted(names)
        ]


def test_all_answers_name_their_request_and_forbid_guessing(archive: Archive) -> None:
    for method, path in product(("GET", "POST", "DELETE", "OPTIONS"), (*NOWHERE, *OPERATION)):
        answer = send(archive, method, path, X_Request_ID="mine-1")
        assert answer.headers["X-Request-ID"] == "mine-1"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if path in NOWHERE:
            assert answer.status_code == 404
            assert answer.get_json()["request"] == "mine-1"
            assert answer.headers["Content-Type"] == "application/json"


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    """Go through a tree of errors, as far as archive/errors.py and storage/errors.py draw it."""
    if root.__module__ in {errors.__name__, storage_errors.__name__}:
        yield root
        for each in root.__subclasses__():
            yield from tree(each)


KINDS = [*tree(errors.FilmroomError), *tree(storage_errors.StorageError)]
EXTRA: dict[str, dict[str, Any]] = {"RangeNotSatisfiable": {"size": 10}}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_a_text(
    archive: Archive, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise kind("secret/key: what happened", **EXTRA.get(kind.__name__, {}))

    monkeypatch.setattr(archive.services.search, "search", broken)
    answer = archive.get("/studies")
    wanted = next((status for parent, status in STATUSES if issubclass(kind, parent)), 500)
    assert answer.status_code == wanted
    assert set(answer.get_json()) >= {"error", "status", "request"}
    assert "Traceback" not in answer.text
    assert ("Retry-After" in answer.headers) is (wanted == 503)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if wanted == 500 or issubclass(kind, storage_errors.StorageError):
        assert "secret" not in answer.text, "keys of objects and unforeseen texts are for the log"


def test_what_nobody_expected_is_a_500_without_its_text(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("Doe^John")

    monkeypatch.setattr(archive.services.search, "search", broken)
    answer = archive.get("/studies")
    assert answer.status_code == 500
    assert "Doe" not in answer.text
    assert "ValueError" not in answer.text


VIEWER = "https://viewer.example"
ASKED = "accept,authorization,range,content-type,if-none-match"
ADDRESSES = (*NOWHERE, *(ROOT + filled(path) for path in PATHS), *sorted(OPERATION), "/dicom-web/studies/..")


def preflight(archive: Archive, path: str, origin: str) -> TestResponse:
    return send(
        archive, "OPTIONS", path, Origin=origin,
        Access_Control_Request_Method="GET", Access_Control_Request_Headers=ASKED,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("origins", "allowed_"), [((VIEWER,), True), (("*",), True), (("https://x",), False)]
)
def test_browsers_of_listed_origins_may_call_every_address(
    backend: Settings, origins: tuple[str, ...], *, allowed_: bool
) -> None:
    """The Fetch standard: a preflight on any path, known or not; headers on errors as on successes."""
    archive = Archive(replace(backend, cors_origins=origins))
    for path in ADDRESSES:
        answer = preflight(archive, path, VIEWER)
        assert answer.status_code == 204
        assert answer.data == b""
        assert (answer.headers.get("Access-Control-Allow-Origin") in {VIEWER, "*"}) is allowed_
        headers = answer.headers.get("Access-Control-Allow-Headers", "").lower().replace(" ", "").split(",")
        assert (set(ASKED.split(",")) <= set(headers)) is allowed_
        for method in ("GET", "DELETE", "PUT"):
            plain = send(archive, method, path, Origin=VIEWER)
            assert (plain.headers.get("Access-Control-Allow-Origin") in {VIEWER, "*"}) is allowed_
            exposed = plain.headers.get("Access-Control-Expose-Headers", "")
            assert all(
                (name in exposed) is allowed_
                for name in ("Content-Location", "ETag", "Warning", "X-Total-Count", "Content-Range")
            )
            assert "Origin" in plain.headers["Vary"]
            assert "Access-Control-Allow-Credentials" not in plain.headers
    archive.close()


def test_without_a_list_no_other_origin_may_call(archive: Archive) -> None:
    answer = preflight(archive, f"{ROOT}/studies", VIEWER)
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118 pairs


def test_the_page_of_conformance_is_the_tables_word_for_word() -> None:
    page = Path(__file__).parents[2] / "docs" / "conformance.md"
    assert page.read_text("utf-8") == conformance.page(), "make docs"
