"""The OHIF viewer opens studies of every kind from this archive, and what it draws is not blank.

Each kind is opened where a person would: images and documents in the viewer mode, slides in microscopy, a
segmentation by its entry in the list of series. All in one tab, for its 40 MB of scripts are slow to begin.
Skipped only where the viewer is not installed and cannot be.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect

from archive.settings import Settings
from archive.viewer.folder import installed
from archive.viewer.install import install
from tests.browser import studies
from tests.browser.chromium import WIDE
from tests.browser.recorder import Recorder
from tests.browser.site import Site
from tests.samples import SAMPLES, pydicom_file

MR = "1.2.124.113532.10.122.1.203.20051130.122937.2950157"
US = "1.2.840.114340.3.8251017118051.1.20160503.120850.2171"
SR = "1.2.276.0.7230010.3.1.2.1787205428.166.1117461927.5"
SAMPLE_SLIDE = "1.2.826.0.1.3680043.9.7433.3.82970457260936734119270346325882945"
_SLOW = 45_000  # milliseconds, on two busy cores with WebGL in software
_KNOWN = """try {
  sessionStorage.setItem("investigationalUseDialog", "hidden");
  localStorage.setItem("shownTours", JSON.stringify(["basicViewerTour"]));
} catch { /* a document inside has no storage */ }"""

Pixels = NDArray[np.int16]


@pytest.fixture(scope="module", autouse=True)
def viewer() -> None:
    """Have the viewer, as `make test` has brought it; bring it where that was not run."""
    if installed(Settings()) is None:
        if shutil.which("npm") is None:
            pytest.skip("the viewer is not installed, and no npm is there to bring it")
        install(Settings())


@pytest.fixture(scope="module")
def data() -> Sequence[bytes]:
    """Give a study of each kind."""
    shipped = ("examples_overlay.dcm", "examples_ybr_color.dcm", "reportsi.dcm")
    slide = [] if SAMPLES is None else [(SAMPLES / "objects/highdicom__sm_image.dcm").read_bytes()]
    return [
        *studies.ct_series(),
        studies.segmentation(),
        *studies.slide(),
        studies.pdf(),
        *(pydicom_file(name).read_bytes() for name in shipped),
        *slide,
    ]


@pytest.fixture(scope="module")
def tab(browser: Browser, site: Site) -> Iterator[tuple[Page, Recorder]]:
    """Give a tab of somebody who has read the notice and the tour, which would lie over the images."""
    context = browser.new_context(
        base_url=site.root, viewport={"width": WIDE.width, "height": WIDE.height}, locale="en-GB"
    )
    context.set_default_timeout(_SLOW)
    context.add_init_script(_KNOWN)
    recorder = Recorder()
    recorder.watch(context)
    yield context.new_page(), recorder
    context.close()


@pytest.fixture
def reader(tab: tuple[Page, Recorder]) -> Iterator[Page]:
    """Give the tab, and see that nothing went wrong in it."""
    page, recorder = tab
    yield page
    page.goto("about:blank")
    recorder.verify()
    recorder.troubles.clear()


def view(page: Page, study: str, mode: str = "viewer") -> None:
    """Open a study."""
    page.goto(f"/viewer/{mode}?StudyInstanceUIDs={study}")


def seen_in(element: Locator, check: Callable[[Pixels], bool]) -> Pixels:
    """Wait until what is to be seen of an element's middle passes the check, and return it."""
    expect(element).to_be_visible(timeout=_SLOW)
    end = time.monotonic() + _SLOW / 1000
    while True:
        image = Image.open(BytesIO(element.screenshot())).convert("RGB")
        middle = image.crop(
            (image.width // 5, image.height // 5, image.width * 4 // 5, image.height * 4 // 5)
        )
        pixels = np.asarray(middle, np.int16)
        if check(pixels):
            return pixels
        spread = f"the values spread by {pixels.std():.1f}, colours by {colour(pixels)}"
        assert time.monotonic() < end, f"not seen: {spread}"
        element.page.wait_for_timeout(250)


def is_drawn(pixels: Pixels) -> bool:
    """Tell whether this is not blank."""
    return float(pixels.std()) > 20


def colour(pixels: Pixels) -> int:
    """Return how far red, green and blue are apart where they are farthest."""
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max())


def canvas(page: Page) -> Locator:
    """Return the canvas of the images."""
    return page.locator(".cornerstone-canvas").first


@pytest.mark.parametrize("study", [MR, US], ids=["MR", "US multi-frame"])
def test_images(reader: Page, study: str) -> None:
    view(reader, study)
    seen_in(canvas(reader), is_drawn)


def test_ct_and_scrolling_in_it(reader: Page) -> None:
    view(reader, studies.CT_STUDY)
    position = reader.locator('[data-cy="viewport-overlay-bottom-right"]')
    first = seen_in(canvas(reader), is_drawn)
    expect(position).to_contain_text("1/20", timeout=_SLOW)
    canvas(reader).hover()
    reader.mouse.wheel(0, 120)
    expect(position).to_contain_text("2/20", timeout=_SLOW)
    seen_in(canvas(reader), lambda pixels: np.abs(pixels - first).max() > 50)


def test_a_segmentation_colours_its_images(reader: Page) -> None:
    view(reader, studies.CT_STUDY)
    assert colour(seen_in(canvas(reader), is_drawn)) < 10
    reader.locator('[data-cy^="study-browser-thumbnail"]').filter(has_text="SEG").dblclick()
    seen_in(canvas(reader), lambda pixels: is_drawn(pixels) and colour(pixels) > 20)


@pytest.mark.parametrize("study", [studies.SLIDE_STUDY, SAMPLE_SLIDE], ids=["built", "sample"])
def test_slides(reader: Page, study: str) -> None:
    if study == SAMPLE_SLIDE and SAMPLES is None:
        pytest.skip("no folder of samples (FILMROOM_TEST_SAMPLES)")
    view(reader, study, "microscopy")
    seen_in(reader.locator(".DicomMicroscopyViewer canvas").first, lambda pixels: colour(pixels) > 20)


def test_the_quick_look_leads_to_the_right_mode(reader: Page) -> None:
    link = reader.get_by_role("link", name="Full viewer")
    reader.goto(f"/studies/{studies.SLIDE_STUDY}/look")
    expect(link).to_have_attribute("href", re.compile(f"/viewer/microscopy.*={studies.SLIDE_STUDY}"))
    reader.goto(f"/studies/{studies.CT_STUDY}/look")
    expect(link).to_have_attribute("href", re.compile(f"/viewer/viewer.*={studies.CT_STUDY}"))


def test_pdf(reader: Page) -> None:
    view(reader, studies.PDF_STUDY)
    document = reader.locator('object[type="application/pdf"]')
    # White paper in the grey of the browser's own reader.
    paper = seen_in(document, lambda pixels: float((pixels > 250).all(axis=2).mean()) > 0.2)
    assert paper.min() < 100, "there are no words on it"


def test_structured_report(reader: Page) -> None:
    view(reader, SR)
    expect(reader.locator("body")).to_contain_text("Recording Observer's Name", timeout=_SLOW)


def test_below_a_path_of_a_proxy(reader: Page, site: Site) -> None:
    outside = []

    def strip(route: Route) -> None:
        url = route.request.url
        if not url.startswith(f"{site.root}/pacs/"):
            outside.append(url)
        route.continue_(url=url.replace("/pacs/", "/", 1))

    reader.route(f"{site.root}/**", strip)
    try:
        reader.goto(f"/pacs/viewer/viewer?StudyInstanceUIDs={studies.CT_STUDY}")
        seen_in(canvas(reader), is_drawn)
    finally:
        reader.unroute(f"{site.root}/**")
    assert outside == []


def test_list_of_studies_below_the_notice_of_investigational_use(page: Page) -> None:
    page.goto("/viewer/")
    expect(page.get_by_text("Scrolling, Sally")).to_be_visible(timeout=_SLOW)
    expect(page.get_by_text("Slide, Sam")).to_be_visible()
    expect(page.get_by_text("investigational use")).to_be_visible(timeout=_SLOW)
