"""The page of a study and the lists of its instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pydicom import Dataset
from werkzeug.test import Client

from archive.app import create_app
from archive.errors import NotFound
from archive.model.level import Place
from archive.model.principal import ANYONE, Principal
from archive.services.study_summary import PAGE
from archive.settings import Settings
from archive.web.context import EXTENSION
from tests import builders
from tests.builders import uid
from tests.conformance.archive import Archive
from tests.web.html import Element, parse

STUDY = uid("study", 1)
SERIES = uid("series", 1)
STRANGER = Principal("stranger", "elsewhere")
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'


@pytest.fixture
def archive(backend: Settings) -> Iterator[Archive]:
    archive = Archive(backend)
    yield archive
    archive.close()


@pytest.fixture
def small(new_sqlite_database: Callable[[], str], tmp_path: object) -> Iterator[Archive]:
    """Give an archive on SQLite, for what hangs on no back end."""
    archive = Archive(Settings(data=str(tmp_path), database_url=new_sqlite_database()))
    yield archive
    archive.close()


def page(archive: Archive, path: str, status: int = 200) -> Element:
    """Return a page."""
    answer = archive.client.get(path, headers={"Accept": "text/html"}, buffered=True)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "text/html"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return parse(answer.get_data(as_text=True))


def report() -> bytes:
    """Return a verified report of the study."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "18748-4", "LN", "Imaging report"
    return builders.instance(
        **builders.without_pixels(),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11",
        SOPInstanceUID=uid("report"),
        SeriesInstanceUID=uid("report series"),
        SeriesNumber=9,
        Modality="SR",
        ConceptNameCodeSequence=[code],
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
    )


def test_a_study(archive: Archive) -> None:
    files = [
        builders.instance(SOPInstanceUID=uid("instance", n), InstanceNumber=n, SeriesDescription="Axial")
        for n in (1, 2, 10)
    ]
    cine = builders.instance(
        SOPInstanceUID=uid("cine"),
        SeriesInstanceUID=uid("series", 2),
        SeriesNumber=2,
        NumberOfFrames=5,
        PixelData=bytes(320),
    )
    archive.stored(*files, cine, report())
    found = page(archive, f"/studies/{STUDY}")
    assert found.one("h1").text == "Test, Tom"
    assert found.one("p", class_="study-patient").text == "ID P1 born 1 Jan 1970 other 54 y at the study"
    facts = found.one("dl").text
    size = sum(len(each) for each in (*files, cine, report()))
    assert f"3 series, 5 instances, {size / 1000:.1f} KB" in facts
    assert "Doctor, Dora" in facts
    axial, moving, text = found.all("li", class_="serie")
    assert "Axial" in axial.one("h3").text
    assert "3 images" in axial.text
    assert "5 frames" in moving.text
    image = axial.one("img").attributes
    assert image["src"] == f"/dicom-web/studies/{STUDY}/series/{SERIES}/thumbnail?viewport=256,256"
    assert image["loading"] == "lazy"
    assert not text.all("img")
    assert text.one("span", class_="stand-in").text == "Report"
    document = found.one("ul", class_="documents")
    assert document.text == "Imaging report Report, complete, verified"
    place = f"/dicom-web/studies/{STUDY}/series/{uid('report series')}/instances/{uid('report')}"
    assert document.one("a").attributes["href"] == f"{place}/rendered"


def test_every_link_of_the_page_leads_somewhere(small: Archive) -> None:
    small.stored(builders.instance())
    links = {each.attributes["href"] for each in page(small, f"/studies/{STUDY}").all("a")}
    listed = page(small, f"/studies/{STUDY}/series/{SERIES}")
    links |= {each.attributes["href"] for each in listed.all("a")}
    assert f"/dicom-web/studies/{STUDY}?accept=application/zip" in links
    assert f"/dicom-web/studies/{STUDY}/series/{SERIES}?accept=application/zip" in links
    for link in sorted(links - {"#main"}):
        if not link.startswith("/viewer"):
            assert small.client.get(link, buffered=True).status_code == 200, link


def test_another_patient_in_the_study_is_told(small: Archive) -> None:
    """WarningReason B007: the study is flagged, and whoever looks must see it."""
    small.stored(builders.instance())
    assert not page(small, f"/studies/{STUDY}").all("div", role="alert")
    small.stow(builders.instance(SOPInstanceUID=uid("wrong"), PatientID="<P2>"))
    alert = page(small, f"/studies/{STUDY}").one("div", role="alert").text
    assert "another patient" in alert
    assert "<P2>" in alert
    assert "P1" in alert


def test_what_is_not_there_or_no_more(small: Archive) -> None:
    small.stored(builders.instance())
    assert "Not found" in page(small, "/studies/1.2.3", 404).one("h1").text
    assert "Not found" in page(small, f"/studies/{STUDY}/series/1.2.3", 404).one("h1").text
    page(small, "/studies/no-uid", 400)
    assert small.request("DELETE", f"/studies/{STUDY}").status_code == 204
    for path in (f"/studies/{STUDY}", f"/studies/{STUDY}/series/{SERIES}"):
        assert "Deleted" in page(small, path, 410).one("h1").text


def test_hostile_values_stay_text(small: Archive) -> None:
    """Neither markup nor directions of writing get out of the value that brings them."""
    small.stored(
        builders.instance(
            PatientName=HOSTILE[:60],
            StudyDescription=HOSTILE,
            SeriesDescription=HOSTILE,
            AccessionNumber="\u202egnp.exe",
            BodyPartExamined="<b>",
            Modality="<i>",
        )
    )
    for path in (f"/studies/{STUDY}", f"/studies/{STUDY}/series/{SERIES}"):
        found = page(small, path)
        assert not found.one("main").all("script")
        assert not [each for each in found.all("img") if "onerror" in each.attributes]
        assert HOSTILE in [each.text for each in found.all("bdi")]
    assert "\u202egnp.exe" in [each.text for each in page(small, f"/studies/{STUDY}").all("bdi")]


def test_a_series_is_listed_a_page_at_a_time(archive: Archive) -> None:
    numbers = list(range(1, 2 * PAGE + 6))
    archive.stored(
        *(builders.instance(SOPInstanceUID=uid("instance", n), InstanceNumber=n) for n in reversed(numbers)),
        builders.instance(SOPInstanceUID=uid("unnumbered"), InstanceNumber=None),
    )
    shown: list[str] = []
    for number, rest in ((1, PAGE), (2, PAGE), (3, 6)):
        found = page(archive, f"/studies/{STUDY}/series/{SERIES}?page={number}")
        rows = found.one("tbody").all("tr")
        assert len(rows) == rest
        shown += [each.one("th").text.removeprefix("No. ") for each in rows]
        assert f"Page {number} of 3" in found.text
    assert shown == [str(n) for n in numbers] + ["\N{EN DASH}"]
    page(archive, f"/studies/{STUDY}/series/{SERIES}?page=4", 404)
    for wrong in ("0", "-1", "x", "²", "9999999"):
        page(archive, f"/studies/{STUDY}/series/{SERIES}?page={wrong}", 400)


def test_strangers_see_nothing(archive: Archive) -> None:
    """Unknown and forbidden look the same."""
    archive.stored(builders.instance(), report())
    services = archive.services
    series, instance = Place(STUDY, SERIES), Place(STUDY, SERIES, uid("instance", 1))
    assert services.study_summary.study(ANYONE, STUDY).summary.instances == 2
    for ask in (
        lambda: services.study_summary.study(STRANGER, STUDY),
        lambda: services.study_summary.series(STRANGER, series, 1),
        lambda: services.study_summary.neighbours(STRANGER, instance),
        lambda: services.instance_attributes.read(STRANGER, instance),
    ):
        with pytest.raises(NotFound):
            ask()


def test_a_proxy_may_put_a_path_before_the_archive(
    new_sqlite_database: Callable[[], str], tmp_path: object
) -> None:
    settings = Settings(data=str(tmp_path), database_url=new_sqlite_database(), trusted_proxies=1)
    archive = Archive(settings)
    archive.stored(builders.instance())
    client = Client(create_app(settings))
    try:
        for path in (
            f"/studies/{STUDY}",
            f"/studies/{STUDY}/series/{SERIES}",
            f"/studies/{STUDY}/series/{SERIES}/instances/{uid('instance', 1)}",
            "/upload",
        ):
            answer = client.get(path, headers={"X-Forwarded-Prefix": "/pacs"}, buffered=True)
            found = parse(answer.get_data(as_text=True))
            named = ("href", "src", "action", "data-source", "data-dicomweb", "data-study", "data-reports")
            links = [
                each.attributes[name] for each in found.all() for name in named if name in each.attributes
            ]
            assert len(links) > 8
            assert [each for each in links if not each.startswith(("/pacs/", "#"))] == []
    finally:
        archive.close()
        client.application.extensions[EXTENSION].close()
