"""What the quick look begins with: whose study it is, its series, and addresses below any path of a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from archive.settings import Settings
from tests import builders
from tests.builders import uid
from tests.conformance.archive import Archive
from tests.web.html import Element, parse

STUDY, SERIES = uid("study", 1), uid("series", 1)
PATH = f"/studies/{STUDY}/look"
HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}'


@pytest.fixture
def archive(new_sqlite_database: Callable[[], str], tmp_path: Path) -> Iterator[Archive]:
    """Give an archive without OHIF."""
    archive = Archive(
        Settings(
            data=str(tmp_path),
            database_url=new_sqlite_database(),
            viewer_folder=str(tmp_path / "viewer"),
            trusted_proxies=1,
        )
    )
    yield archive
    archive.close()


def get(archive: Archive, path: str = PATH, **headers: str) -> TestResponse:
    """Send GET as a browser does."""
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return archive.client.get(path, headers={"Accept": "text/html", **pairs}, buffered=True)


def page(archive: Archive, **headers: str) -> Element:
    """Return the page of the study."""
    answer = get(archive, **headers)
    assert answer.status_code == 200
    return parse(answer.text)


def test_says_whose_study_it_is_and_lists_its_series(archive: Archive) -> None:
    archive.stored(
        builders.instance(SeriesDescription="Chest"),
        builders.instance(SOPInstanceUID=uid("instance", 2), InstanceNumber=2, SeriesDescription="Chest"),
    )
    answer = get(archive)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    found = parse(answer.text)
    assert found.all("h1")[0].text == "Test, Tom"
    assert "P1" in found.all("header", class_="look-head")[0].text
    (series,) = found.all("a", class_="look-series")
    assert series.attributes["data-series"] == SERIES
    assert series.text == "OT Chest 2 images"
    assert "data-images" in series.attributes
    assert "Full viewer" not in answer.text


def test_addresses_are_below_the_path_of_a_proxy(archive: Archive) -> None:
    archive.stored(builders.instance())
    found = page(archive, X_Forwarded_Prefix="/pacs", X_Forwarded_Host="pacs.example.org")
    (root,) = found.all("div", id="look")
    assert root.attributes["data-dicomweb"] == "/pacs/dicom-web"
    (thumbnail,) = found.all("img")
    assert thumbnail.attributes["src"] == f"/pacs/dicom-web/studies/{STUDY}/series/{SERIES}/thumbnail"
    links = [each.attributes["href"] for each in found.all("a")]
    assert not [each for each in links if not each.startswith(("/pacs/", "#", "?"))]


def test_another_patient_in_the_study_is_told_of(archive: Archive) -> None:
    archive.stored(builders.instance())
    assert not page(archive).all("p", class_="look-conflict")
    archive.stow(builders.instance(SOPInstanceUID=uid("instance", 2), PatientID="P2"))
    (told,) = page(archive).all("p", class_="look-conflict")
    assert "another patient: P2" in told.text


def test_names_are_text(archive: Archive) -> None:
    archive.stored(
        builders.instance(PatientName=HOSTILE, SeriesDescription=HOSTILE, StudyDescription=HOSTILE)
    )
    found = page(archive)
    assert "{{ 7*7 }}" in found.all("h1")[0].text
    assert [each.attributes.get("type") for each in found.all("script")] == ["module"]


@pytest.mark.parametrize(
    ("path", "status"), [("/studies/1.2.3/look", 404), ("/studies/1..2/look", 400), (PATH, 410)]
)
def test_what_is_not_there(archive: Archive, path: str, status: int) -> None:
    archive.stored(builders.instance())
    archive.request("DELETE", f"/studies/{STUDY}")
    answer = get(archive, path)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
