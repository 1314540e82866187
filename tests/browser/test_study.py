"""The pages of a study and of attributes in a browser: pictures, lists, downloads, searching as one types."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import Page, expect
from pydicom import Dataset

from tests import builders
from tests.browser.axe import axe
from tests.browser.chromium import NARROW, WIDE
from tests.browser.recorder import Recorder
from tests.browser.site import Site
from tests.builders import uid
from tests.samples import pydicom_file

STUDY, SERIES = uid("study", 1), uid("series", 1)
HOSTILE = "<img src=x onerror=document.title='hit'>"
BROKEN = builders.encapsulated(
    [b"no JPEG at all, really"],
    SOPInstanceUID=uid("broken"),
    SeriesInstanceUID=uid("broken series"),
    SeriesNumber=2,
    SeriesDescription="Broken",
)


def plain(number: int) -> bytes:
    """Return an image of the study, with a sequence."""
    code = Dataset()
    code.CodeValue, code.CodeMeaning = "T-D1100", "Head"
    return builders.instance(
        SOPInstanceUID=uid("instance", number),
        InstanceNumber=number,
        SeriesDescription=HOSTILE,
        AnatomicRegionSequence=[code],
    )


@pytest.fixture(scope="module")
def data() -> Sequence[bytes]:
    many = [
        builders.element(0x00110010, "LO", b"MAKER "),
        *(builders.element(0x00111000 + n, "LO", b"value %04d" % n) for n in range(60)),
    ]
    long = [
        builders.element(((0x0013 + 2 * k) << 16) + 0x1000 + n, "LO", b"value %d-%d " % (k, n))
        for k in range(20)
        for n in range(200)
    ]
    return [
        *(plain(number) for number in range(1, 131)),
        BROKEN,
        pydicom_file("CT_small.dcm").read_bytes(),
        pydicom_file("reportsi.dcm").read_bytes(),
        named(builders.raw_instance(b"".join(many)), "2.25.77"),
        named(builders.raw_instance(b"".join(long)), "2.25.78"),
    ]


def named(data: bytes, study: str) -> bytes:
    """Give a raw instance a study and an instance UID of its own, of the length of those that it has."""
    for old, new in ((uid("study", 1), study), (uid("instance", 1), f"{study}.1")):
        data = data.replace(old.encode(), new.encode().ljust(len(old), b"\0"))
    return data


def in_study(study: str, instance: str = "") -> str:
    """Return the path of an instance of a raw study."""
    return f"/studies/{study}/series/{SERIES}/instances/{instance or study + '.1'}"


def test_a_study_and_its_pictures(page: Page) -> None:
    page.goto("/")
    ct = pydicom.dcmread(pydicom_file("CT_small.dcm"), stop_before_pixels=True)
    page.goto(f"/studies/{ct.StudyInstanceUID}")
    expect(page.get_by_role("heading", level=1)).to_have_text("CompressedSamples, CT1")
    image = page.locator(".thumb img")
    expect(image).to_be_visible()
    expect(image).not_to_have_js_property("naturalWidth", 0)
    axe(page)


def test_what_has_no_picture_says_so(page: Page, recorder: Recorder) -> None:
    recorder.allow("406")
    page.goto(f"/studies/{STUDY}")
    broken = page.locator(".serie").filter(has_text="Broken")
    expect(broken.get_by_text("No preview")).to_be_visible()
    expect(broken.locator("img")).to_have_count(0)
    report = pydicom.dcmread(pydicom_file("reportsi.dcm"))
    page.goto(f"/studies/{report.StudyInstanceUID}")
    expect(page.locator(".serie .stand-in")).to_have_text("Report")


def test_a_document_opens(page: Page) -> None:
    report = pydicom.dcmread(pydicom_file("reportsi.dcm"))
    page.goto(f"/studies/{report.StudyInstanceUID}")
    page.locator(".documents a").click()
    expect(page.locator("body")).not_to_be_empty()
    expect(page).to_have_url(re.compile("/rendered$"))


def test_instances_are_listed_when_asked_for(page: Page, recorder: Recorder) -> None:
    recorder.allow("406")
    page.goto(f"/studies/{STUDY}")
    series = page.locator(".serie").first
    assert not series.locator("tbody tr").count()
    series.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(series.locator("tbody tr")).to_have_count(100)
    expect(page.locator("#said")).to_have_text("Instances 1 to 100 of 130")
    series.get_by_role("link", name="Next").click()
    expect(series.locator("tbody tr")).to_have_count(30)
    expect(series.locator(".instances-list")).to_be_focused()
    expect(series.locator("caption")).to_have_text("Instances 101 to 130 of 130")
    axe(page)
    series.get_by_role("link", name="Attributes of instance 102").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Instance 102 of 130")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Instance 103 of 130")
    assert page.title() != "hit"


def test_a_study_is_downloaded_as_zip(page: Page, recorder: Recorder, tmp_path: Path) -> None:
    recorder.allow("406")
    page.goto(f"/studies/{STUDY}")
    for link, expected in ((re.compile("^Download zip"), 131), (re.compile("^Zip"), 130)):
        with page.expect_download() as download:
            page.get_by_role("link", name=link).first.click()
        path = tmp_path / f"{expected}.zip"
        download.value.save_as(path)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            files = {archive.read(name) for name in archive.namelist()}
        assert len(files) == expected
        assert plain(7) in files
        assert (BROKEN in files) == (expected == 131)


def test_attributes_are_filtered_as_one_types(page: Page, site: Site) -> None:
    page.goto(in_study(STUDY, uid("instance", 1)))
    box, counted = page.get_by_label("Search attributes"), page.locator("#counted")
    shown = page.locator("li.attr:visible")
    total = len(site.json(f"{in_study(STUDY, uid('instance', 1))}/metadata")[0]) + 2
    expect(counted).to_have_text(f"{total} attributes")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    box.press_sequentially("patient")
    expect(counted).to_have_text(re.compile(rf"^\d of {total} attributes$"))
    assert all("atient" in text for text in shown.all_inner_texts())
    expect(page.locator("mark").first).to_have_text("Patient")
    box.fill("00080104")
    expect(counted).to_have_text(f"1 of {total} attributes")
    expect(shown).to_have_count(2)  # with the sequence around it, opened
    expect(page.get_by_text("Code Meaning")).to_be_visible()
    assert page.url.endswith("?q=00080104")
    box.fill("anatomicregion")
    expect(shown).to_have_count(1)  # the count of matches was the same before
    expect(counted).to_have_text(f"1 of {total} attributes")
    page.get_by_text("Anatomic Region Sequence").click()
    expect(page.get_by_text("Code Meaning")).to_be_visible()
    box.fill("onerror")
    expect(shown).to_have_count(1)
    expect(page.locator("mark")).to_have_text("onerror")
    axe(page)
    box.fill("nothing like this")
    expect(counted).to_have_text(f"0 of {total} attributes")
    box.fill("")
    expect(counted).to_have_text(f"{total} attributes")
    assert not page.locator("mark").count()
    assert not [each for each in asked if "favicon" not in each], (
        "the page has everything, and needs to ask for nothing"
    )
    assert page.title() != "hit"


def test_a_search_that_is_linked_to(page: Page) -> None:
    page.goto(f"{in_study(STUDY, uid('instance', 1))}?q=modality")
    box, counted = page.get_by_label("Search attributes"), page.locator("#counted")
    expect(page.locator("li.attr:visible")).to_have_count(1)
    box.fill("")
    expect(counted).to_have_text(re.compile(r"^\d+ attributes$"))
    box.fill("modality")
    expect(page.locator("li.attr:visible")).to_have_count(1)
    assert page.url.endswith("?q=modality")


def test_more_attributes_than_a_page_holds(page: Page) -> None:
    """The server is asked as one types; what it answers is what the page shows."""
    page.goto(in_study("2.25.78"))
    counted = page.locator("#counted")
    expect(counted).to_have_text("4,004 attributes")
    page.get_by_label("Search attributes").press_sequentially("value 19-1 ")
    expect(counted).to_have_text("111 of 4,004 attributes")
    expect(page.locator("li.attr")).to_have_count(111)
    page.get_by_label("Search attributes").fill("")
    expect(counted).to_have_text("4,004 attributes")
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".pager")).to_contain_text("2,001 to 4,000 of 4,004")


def test_a_uid_is_copied(page: Page, recorder: Recorder) -> None:
    recorder.allow("406")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/studies/{STUDY}")
    page.get_by_role("button", name="Copy study UID").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == STUDY


@pytest.mark.parametrize(("viewport", "dark"), [(WIDE, True), (NARROW, False)])
def test_each_size_and_both_colours(page: Page, recorder: Recorder) -> None:
    recorder.allow("406")
    for path in (
        f"/studies/{STUDY}",
        f"/studies/{STUDY}/series/{SERIES}?page=2",
        f"{in_study('2.25.77')}?q=value",
    ):
        page.goto(path)
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
