"""The page of the attributes of an instance: all of them, searched, bounded, and harmless."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from archive.services import instance_attributes
from archive.settings import Settings
from archive.web.pages.attributes import ROWS
from tests import builders
from tests.builders import uid
from tests.conformance.archive import Archive
from tests.samples import pydicom_file
from tests.web.html import Element, parse

STUDY, SERIES, INSTANCE = uid("study", 1), uid("series", 1), uid("instance", 1)
PATH = f"/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}"


@pytest.fixture
def archive(new_sqlite_database: Callable[[], str], tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(Settings(data=str(tmp_path), database_url=new_sqlite_database()))
    yield archive
    archive.close()


def page(archive: Archive, path: str = PATH, status: int = 200) -> Element:
    """Return a page."""
    answer = archive.client.get(path, headers={"Accept": "text/html"}, buffered=True)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return parse(answer.get_data(as_text=True))


def rows(found: Element) -> list[Element]:
    """Return the attributes on a page."""
    return found.all("li", class_="attr")


def own(row: Element, part: str) -> str:
    """Return the text of a cell of an attribute, not of those in it."""
    return row.all("span", class_=part)[0].text


def tags(found: Element) -> list[str]:
    """Return the tags of the attributes on a page."""
    return [row.all("code", class_="tag")[0].text for row in rows(found)]


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "reportsi.dcm", "rtplan.dcm", "liver_1frame.dcm", "chrX1.dcm"]
)
def test_every_attribute_is_there(archive: Archive, name: str) -> None:
    """As pydicom walks the same file."""
    data = pydicom_file(name).read_bytes()
    archive.stored(data)
    ds = pydicom.dcmread(pydicom_file(name))
    place = f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    found = page(archive, place)
    expected = [
        f"({each.tag.group:04X},{each.tag.element:04X})" for each in ds.iterall() if each.tag.element != 0
    ]
    assert sorted(tags(found)) == sorted(expected)
    assert found.one(id="counted").text == f"{len(expected):,} attributes"
    assert found.one(id="attributes").attributes["data-complete"] == "yes"
    keywords = {row.attributes.get("data-keyword", "") for row in rows(found)}
    assert {keyword_for_tag(each.tag) for each in ds} <= keywords | {""}


def test_values_and_what_they_mean(archive: Archive) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D1100", "SRT", "Head"
    archive.stored(
        builders.instance(
            AnatomicRegionSequence=[code, Dataset()],
            ImageType=["ORIGINAL", "PRIMARY"],
            PixelSpacing=[0.5, 2.0],
            PatientName="Yamada^Tarou=山田^太郎",
            PatientComments="one\ntwo",
            AccessionNumber="",
        )
    )
    by_keyword = {row.attributes.get("data-keyword"): row for row in rows(page(archive))}
    values = {name: own(row, "value") for name, row in by_keyword.items()}
    assert values["ImageType"] == "ORIGINAL\\PRIMARY"
    assert values["PixelSpacing"] == "0.5\\2"
    assert values["PatientName"] == "Yamada^Tarou=山田^太郎"
    assert values["PatientComments"] == "one two"
    assert values["AccessionNumber"] == ""
    assert values["SOPClassUID"] == "1.2.840.10008.5.1.4.1.1.7 Secondary Capture Image Storage"
    assert values["AnatomicRegionSequence"] == "2 items: Head"
    assert own(by_keyword["CodeMeaning"], "name") == "Code Meaning"
    assert "Item 1: Head" in by_keyword["AnatomicRegionSequence"].text


def test_private_attributes_have_the_name_of_their_creator(archive: Archive) -> None:
    extra = builders.element(0x00091001, "LO", b"before ") + builders.element(0x00110010, "LO", b"MAKER ")
    archive.stored(builders.raw_instance(extra + builders.element(0x00111001, "LO", b"value ")))
    names = {row.all("code", class_="tag")[0].text: own(row, "name") for row in rows(page(archive))}
    assert names["(0009,1001)"] == "Private, no creator"
    assert names["(0011,0010)"] == "Private creator"
    assert names["(0011,1001)"] == "Private, MAKER"


def test_bulk_values_are_links_with_their_size(archive: Archive) -> None:
    archive.stored(builders.instance(Rows=64, Columns=64, PixelData=bytes(4096), ICCProfile=bytes(3000)))
    links = [each for row in rows(page(archive)) for each in row.all("a")]
    assert [each.text for each in links] == ["3,000 bytes", "4,096 bytes"]
    for link, size in zip(links, (3000, 4096), strict=True):
        answer = archive.client.get(link.attributes["href"], buffered=True)
        assert answer.status_code == 200
        assert len(answer.data) >= size
    archive.stored(builders.encapsulated([b"1234", b"56"], SOPInstanceUID=uid("packed")))
    packed = rows(page(archive, PATH.replace(INSTANCE, uid("packed"))))[-1]
    assert packed.one("a").text == "30 bytes"  # an empty offset table and two items


def test_the_links_of_the_page(archive: Archive) -> None:
    archive.stored(*(builders.instance(SOPInstanceUID=uid("i", n), InstanceNumber=n) for n in (1, 2, 3)))
    place = PATH.replace(INSTANCE, uid("i", 2))
    found = page(archive, f"{place}?q=rows")
    links = {
        each.text: each.attributes["href"]
        for each in found.all("a")
        if "button" in each.attributes.get("class", "")
    }
    assert links["Previous"] == f"{PATH.replace(INSTANCE, uid('i', 1))}?q=rows"
    assert links["Next"] == f"{PATH.replace(INSTANCE, uid('i', 3))}?q=rows"
    assert "2 of 3" in found.one("h1").text
    kinds = {}
    for text, link in links.items():
        answer = archive.client.get(link, buffered=True)
        assert answer.status_code == 200, link
        kinds[text.split()[0]] = answer.content_type
    assert kinds["DICOM"] == "application/dicom+json"
    assert kinds["XML"].startswith('multipart/related; type="application/dicom+xml"')
    assert kinds["File"].startswith("application/dicom")
    assert kinds["Picture"] == "image/jpeg"
    assert "Previous" not in page(archive, PATH.replace(INSTANCE, uid("i", 1))).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("patient name", ["(0010,0010)"]),
        ("PATIENTNAME", ["(0010,0010)"]),
        ("0010,0020", ["(0010,0020)"]),
        ("(0010,0020)", ["(0010,0020)"]),
        ("00100020", ["(0010,0020)"]),
        ("test^tom", ["(0010,0010)"]),
        ("secondary capture", ["(0008,0016)"]),
        ("code", ["(0008,2218)", "(0008,0100)", "(0008,0104)"]),
        ("anatomic", ["(0008,2218)", "(0008,0100)", "(0008,0104)"]),  # what it holds is shown with it
        ("no such thing", []),
    ],
)
def test_search(archive: Archive, text: str, expected: list[str]) -> None:
    code = Dataset()
    code.CodeValue, code.CodeMeaning = "T-D1100", "Head"
    archive.stored(builders.instance(AnatomicRegionSequence=[code]))
    found = page(archive, f"{PATH}?q={quote(text)}")
    assert tags(found) == expected
    assert found.one("input", id="q").attributes["value"] == text
    marked = {each.text.lower() for each in found.all("mark")}
    in_sight = text not in {"PATIENTNAME", "00100020"}  # these spellings are not on the page
    assert bool(marked) == (bool(expected) and in_sight)
    assert all(any(word in mark or mark in word for word in text.lower().split()) for mark in marked)
    if not expected:
        assert f"No attribute has “{text}”" in found.text


def test_hostile_values_stay_text(archive: Archive) -> None:
    """Markup, scripts, templates, directions of writing and control characters."""
    script = '</bdi></li></ul><script>alert(1)</script><img src=x onerror="alert(2)">'
    extra = b"".join(
        [
            builders.element(0x00080005, "CS", b"ISO_IR 192"),
            builders.element(0x00104000, "LT", script.encode()),
            builders.element(0x00200010, "SH", "\u202e{{7*7}}".encode()),
            builders.element(0x00204000, "LT", b"bell\x07nul\x00end "),
            builders.element(0x00110010, "LO", b"<b>MAKER</b>"),
            builders.element(0x00111001, "LO", b"<i>x</i>"),
        ]
    )
    archive.stored(builders.raw_instance(extra))
    for query in ("", "?q=<script>alert", "?q=%22%3E%3Cb%3E"):
        found = page(archive, PATH + query)
        assert not found.one("main").all("script")
        assert not found.all("img")
        assert not found.one("main").all("b")
    values = [each.text for each in page(archive).all("bdi")]
    assert script in values
    assert "\u202e{{7*7}}" in values
    assert "bell␇nul␀end" in values


def many(number: int) -> bytes:
    """Return an instance of many attributes: private ones, and a long sequence."""
    half = number // 2
    private = b"".join(
        builders.element(((0x0011 + 2 * (n // 200)) << 16) + 0x1000 + n % 200, "LO", b"value %05d " % n)
        for n in range(half)
    )
    items = b"".join(
        builders.item(
            builders.element(0x00080100, "SH", b"%06d" % n) + builders.element(0x00080104, "LO", b"meaning ")
        )
        for n in range(half // 2)
    )
    return builders.raw_instance(private + builders.element(0xFFEF1001, "SQ", items))


def test_20_000_attributes(archive: Archive) -> None:
    """No page is long, all pages together have everything, and a search sees everything."""
    archive.stored(many(20_000))
    seen: list[str] = []
    place: str | None = PATH
    while place:
        start = time.monotonic()
        found = page(archive, place)
        assert time.monotonic() - start < 5  # on a busy machine; it is 0.15 s on an idle one
        part = rows(found)
        assert len(part) <= ROWS + 1  # and the sequence that they are in
        assert found.one(id="attributes").attributes["data-complete"] == "no"
        seen += [each.attributes["id"] for each in part]
        following = [
            each.attributes["href"]
            for each in found.one("nav", aria_label="Pages of attributes").all("a", rel="next")
        ]
        place = following[0] if following else None
    assert len(set(seen)) == 20_005
    assert found.one(id="counted").text == "20,005 attributes"
    assert tags(page(archive, f"{PATH}?q=004999")) == ["(FFEF,1001)", "(0008,0100)"]
    assert page(archive, f"{PATH}?q=meaning").one(id="counted").text == "5,001 of 20,005 attributes"
    page(archive, f"{PATH}?from=x", 400)
    assert tags(page(archive, f"{PATH}?from=999999")) == []


def test_a_data_set_that_is_too_long_is_shown_as_far_as_it_goes(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.stored(many(2000))
    monkeypatch.setattr(instance_attributes, "LARGEST", 50_000)
    found = page(archive)
    assert "Only the beginning is shown" in found.text
    assert found.one(id="attributes").attributes["data-complete"] == "no"
    assert 500 < len(rows(found)) < 2000


def test_a_long_value_is_cut_and_searched_whole(archive: Archive) -> None:
    archive.stored(builders.instance(PatientComments="x" * 5000 + " needle"))
    found = page(archive)
    comments = next(row for row in rows(found) if row.attributes.get("data-keyword") == "PatientComments")
    assert own(comments, "value").endswith("x … 5,007 characters in all")
    assert found.one(id="attributes").attributes["data-complete"] == "no"  # so the server is asked
    assert tags(page(archive, f"{PATH}?q=needle")) == ["(0010,4000)"]


def test_sequences_within_sequences(archive: Archive) -> None:
    """As deep as the archive takes them (256), and searched at their bottom."""
    inner = builders.element(0x00104000, "LT", b"deepest ")
    for _ in range(250):
        inner = builders.element(0x00082112, "SQ", builders.item(inner))
    archive.stored(builders.raw_instance(inner))
    assert len(rows(page(archive))) == 255
    assert tags(page(archive, f"{PATH}?q=deepest"))[-1] == "(0010,4000)"
