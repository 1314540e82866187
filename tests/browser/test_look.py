"""The quick look, used as people use it: every picture is the one that the words beside it name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedCTImageStorage

from tests import builders
from tests.browser import studies
from tests.browser.axe import axe
from tests.browser.chromium import NARROW, WIDE, Viewport
from tests.browser.recorder import Recorder
from tests.browser.site import Site
from tests.samples import pydicom_file, sample

SLICES = 20
CT = f"/studies/{studies.CT_STUDY}/look"
BROKEN = builders.uid("look", "broken")
ENHANCED = builders.uid("look", "enhanced")
LONG = builders.uid("look", "long")
VIDEO_STUDY = "1.2.840.114340.3.8251017118051.1.20160503.120850.2171"
REPORT_STUDY = "1.2.276.0.7230010.3.1.2.1787205428.166.1117461927.5"

# The ball of studies.ct_series tells which slice a picture is of: where the middle row is bright.
SEEN = """(image) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const row = context.getImageData(0, canvas.height / 2, canvas.width, 1).data;
  const bright = [];
  for (let x = canvas.width * 0.15; x < canvas.width * 0.85; x++) {
    if (row[Math.round(x) * 4] > 200) bright.push(Math.round(x));
  }
  const middle = bright.reduce((sum, x) => sum + x, 0) / bright.length / canvas.width;
  return (middle - 0.3) / 0.4 * 19 + 1;
}"""


@pytest.fixture(scope="module")
def data() -> Sequence[bytes]:
    """Give a CT with a segmentation, documents, a multi-frame image, a broken and a long series."""
    tiny = {"Rows": 2, "Columns": 2, "PixelData": bytes(4), "StudyInstanceUID": LONG}
    return [
        *studies.ct_series(SLICES),
        studies.segmentation(SLICES),
        studies.pdf(),
        pydicom_file("examples_ybr_color.dcm").read_bytes(),
        pydicom_file("reportsi.dcm").read_bytes(),
        builders.encapsulated(
            [b"these are no pixels"],
            SOPInstanceUID=builders.uid("look", "broken", 1),
            StudyInstanceUID=BROKEN,
            SeriesInstanceUID=builders.uid("look", "broken", "series"),
        ),
        enhanced(),
        *(
            builders.instance(
                SOPInstanceUID=builders.uid("look", "long", number),
                SeriesInstanceUID=builders.uid("look", "long", "series"),
                InstanceNumber=number,
                **tiny,
            )
            for number in range(1, 521)
        ),
    ]


@pytest.fixture(scope="module")
def site_settings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Give an archive without the OHIF viewer: the quick look needs none."""
    return {"viewer_folder": str(tmp_path_factory.mktemp("no-viewer"))}


def enhanced() -> bytes:
    """Return two frames whose windows stand in their functional groups."""

    def frame(centre: int) -> Dataset:
        voi, group = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = centre, 200
        group.FrameVOILUTSequence = Items([voi])
        return group

    return builders.instance(
        SOPClassUID=EnhancedCTImageStorage,
        SOPInstanceUID=builders.uid("look", "enhanced", 1),
        StudyInstanceUID=ENHANCED,
        SeriesInstanceUID=builders.uid("look", "enhanced", "series"),
        Modality="CT",
        NumberOfFrames=2,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelData=bytes(256),
        PerFrameFunctionalGroupsSequence=Items([frame(100), frame(300)]),
    )


def picture(page: Page) -> Any:
    """Return the picture on the stage."""
    return page.locator("#picture img")


def words(page: Page, corner: str) -> str:
    """Return the words in a corner of the stage."""
    return page.inner_text(f"#corner-{corner}")


def is_shown(page: Page, number: int, of: int = SLICES) -> None:
    """See that an image of the CT is shown, by its words and by its pixels."""
    expect(page.locator("#corner-image")).to_contain_text(f"Image {number} of {of}")
    assert round(picture(page).evaluate(SEEN)) == number


def level(page: Page) -> float:
    """Return the mean grey of the picture."""
    return float(
        picture(page).evaluate(
            """(image) => {
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
              const context = canvas.getContext("2d");
              context.drawImage(image, 0, 0);
              const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
              return data.reduce((sum, value, at) => sum + (at % 4 === 0 ? value : 0), 0) / data.length * 4;
            }"""
        )
    )


def drag(page: Page, dx: int, dy: int, button: Any = "left") -> None:
    """Drag from the middle of the stage."""
    box = page.locator("#stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up(button=button)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_first_image_is_there_and_everybody_can_use_the_page(page: Page, viewport: Viewport) -> None:
    page.goto(CT)
    is_shown(page, 1)
    assert page.inner_text("h1") == "Scrolling, Sally"
    assert picture(page).get_attribute("alt") == "CT, Axial 2 mm, image 1 of 20"
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport.width
    axe(page)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#keys")).to_be_hidden()


def test_from_a_name_to_the_images(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox").first.fill("scroll")
    page.get_by_role("link", name="Look at Scrolling, Sally").click()
    is_shown(page, 1)
    page.get_by_role("link", name="Study", exact=True).click()
    page.get_by_role("link", name="Quick look", exact=True).first.click()
    is_shown(page, 1)


def test_scrolling_by_wheel_keys_slider_and_buttons(page: Page) -> None:
    page.goto(CT)
    is_shown(page, 1)
    page.locator("#stage").hover()
    page.mouse.wheel(0, 120)
    is_shown(page, 2)
    page.keyboard.press("ArrowDown")
    is_shown(page, 3)
    page.keyboard.press("PageDown")
    is_shown(page, 13)
    page.keyboard.press("End")
    is_shown(page, 20)
    page.keyboard.press("ArrowRight")
    is_shown(page, 20)
    page.locator("#slider").fill("7")
    is_shown(page, 7)
    page.get_by_label("Previous image").click()
    is_shown(page, 6)
    page.keyboard.press("s")
    drag(page, 0, 120)
    expect(page.locator("#corner-image")).not_to_contain_text("Image 6 of")
    assert page.locator("#slider").get_attribute("aria-valuetext") == words(page, "image").split("\n")[0]


def test_words_and_picture_never_disagree(page: Page) -> None:
    """Answers come late and in another order than asked for; every change is looked at."""
    page.add_init_script(
        """const ask = window.fetch;
        let number = 0;
        window.fetch = async (url, options) => {
          const answer = await ask(url, options);
          if (String(url).includes("rendered")) {
            await new Promise((done) => setTimeout(done, (number++ * 37) % 5 * 70));
          }
          return answer;
        };"""
    )
    page.goto(CT)
    is_shown(page, 1)
    page.evaluate(
        f"""() => {{
          const seen = {SEEN};
          const holder = document.querySelector("#picture");
          const said = document.querySelector("#corner-image");
          window.looks = [];
          // Called after every change, before anything of it is drawn.
          const observer = new MutationObserver(() => {{
            const number = Number(/Image (\\d+)/.exec(said.innerText)?.[1]);
            if (holder.firstChild) window.looks.push([number, Math.round(seen(holder.firstChild))]);
          }});
          observer.observe(holder, {{ childList: true }});
          observer.observe(said, {{ childList: true, subtree: true, characterData: true }});
        }}"""
    )
    for key in ("ArrowDown", "ArrowDown", "PageDown", "ArrowUp", "Home", "End", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_timeout(60)
    is_shown(page, 18)
    page.locator("#preset").select_option(label="2  Brain 40/80")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#corner-window")).to_have_text("C 40 W 80")
    is_shown(page, 17)
    looks = page.evaluate("window.looks")
    assert len({number for number, _ in looks}) > 4
    assert [look for look in looks if look[0] != look[1]] == []


def test_another_series_takes_the_picture_of_the_last_one_away(page: Page) -> None:
    page.goto(CT)
    is_shown(page, 1)
    page.evaluate(
        """() => {
          const ask = window.fetch;
          window.fetch = async (...what) => {
            await new Promise((done) => { window.goOn = done; });
            window.fetch = ask;
            return ask(...what);
          };
        }"""
    )
    page.get_by_role("link", name="Ball").click()
    assert picture(page).count() == 0
    assert words(page, "image") == ""
    page.evaluate("window.goOn()")
    expect(page.locator("#corner-series")).to_contain_text("SEG Ball")
    assert picture(page).count() == 1


def test_windows(page: Page) -> None:
    page.goto(CT)
    is_shown(page, 1)
    assert words(page, "window") == "C 40 W 400\nwindow as stored"
    stored = level(page)
    page.locator("#preset").select_option(label="6  Lung -600/1500")
    expect(page.locator("#corner-window")).to_have_text("C -600 W 1500")
    assert level(page) > stored + 20
    page.locator("#stage").focus()
    page.keyboard.press("1")
    expect(page.locator("#corner-window")).to_contain_text("as stored")
    assert level(page) == stored
    page.keyboard.press("w")
    drag(page, 100, 0)
    expect(page.locator("#corner-window")).not_to_contain_text("as stored")
    assert float(page.input_value("#width")) > 400
    assert page.input_value("#preset") == "own"
    page.fill("#centre", "200")
    page.fill("#width", "100")
    page.keyboard.press("Enter")
    expect(page.locator("#corner-window")).to_have_text("C 200 W 100")
    page.locator("#stage").focus()
    page.keyboard.press("0")
    expect(page.locator("#corner-window")).to_have_text(re.compile("C 40 W 400.*as stored"))


def test_zoom_move_turn_flip_and_invert(page: Page) -> None:
    page.goto(CT)
    is_shown(page, 1)
    before = picture(page).bounding_box()
    page.locator("#stage").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    larger = picture(page).bounding_box()
    assert larger["width"] > before["width"] * 1.5
    drag(page, 60, 30, button="right")
    moved = picture(page).bounding_box()
    assert (round(moved["x"] - larger["x"]), round(moved["y"] - larger["y"])) == (60, 30)
    page.locator("#stage").dblclick()
    assert picture(page).bounding_box() == before
    page.keyboard.press("r")
    page.keyboard.press("h")
    page.keyboard.press("i")
    style = page.locator("#picture").get_attribute("style") or ""
    assert "rotate(90deg)" in style
    assert "scale(-1, 1)" in style
    assert "invert(1)" in style
    assert page.locator("#invert").get_attribute("aria-pressed") == "true"
    assert page.inner_text("#corner-view") == "Left and right flipped, Turned 90°, Inverted"
    axe(page)
    page.get_by_role("button", name="Reset").click()
    style = page.locator("#picture").get_attribute("style") or ""
    assert "rotate(0deg)" in style
    assert "invert" not in style
    assert page.inner_text("#corner-view") == ""


def test_cine(page: Page) -> None:
    page.goto(f"/studies/{VIDEO_STUDY}/look")
    expect(page.locator("#corner-image")).to_contain_text("Image 1 of 30")
    assert page.input_value("#rate") == "30"  # its Frame Time is 33.333 ms
    assert page.locator("#preset").is_disabled()  # it has colours
    first = level(page)
    page.evaluate(
        """() => {
          const said = document.querySelector("#corner-image");
          window.played = [];
          new MutationObserver(() => window.played.push(Number(/Image (\\d+)/.exec(said.innerText)[1])))
            .observe(said, { childList: true });
        }"""
    )
    page.get_by_label("Images a second").fill("60")
    page.get_by_role("button", name="Loop").click()
    page.locator("#stage").focus()
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")  # it stops at the end
    assert page.evaluate("window.played") == list(range(2, 31))
    assert level(page) != first
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => window.played.length > 40")
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate("window.played.slice(29, 40)") == list(range(1, 12))


def test_windows_of_an_enhanced_image_are_those_of_its_frames(page: Page) -> None:
    page.goto(f"/studies/{ENHANCED}/look?image=2")
    expect(page.locator("#corner-window")).to_have_text(re.compile("C 300 W 200.*as stored"))
    page.keyboard.press("ArrowUp")
    expect(page.locator("#corner-window")).to_have_text(re.compile("C 100 W 200.*as stored"))
    assert page.input_value("#centre") == "100"


def test_a_video_that_the_browser_cannot_play_is_taken_apart(page: Page, site: Site) -> None:
    path = sample("by-transfer-syntax/synthetic/mpeg2-mp-ml.dcm")
    ds = dcmread(path, stop_before_pixels=True)
    site.store(path.read_bytes())
    page.goto(f"/studies/{ds.StudyInstanceUID}/look?series={ds.SeriesInstanceUID}")
    expect(page.locator("#corner-image")).to_contain_text("Image 1 of 25")
    first = level(page)
    page.keyboard.press("End")
    expect(page.locator("#corner-image")).to_contain_text("Image 25 of 25")
    assert level(page) != first


def test_the_address_says_what_is_shown(page: Page) -> None:
    page.goto(f"{CT}?image=5&window=40,80")
    is_shown(page, 5)
    assert words(page, "window") == "C 40 W 80"
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**image=6&window=40*80")
    page.reload()
    is_shown(page, 6)
    page.get_by_role("link", name="Ball").click()
    expect(page.locator("#corner-series")).to_contain_text("SEG Ball")
    page.go_back()
    is_shown(page, 6)
    uid = builders.uid("look", "ct", 8)
    page.goto(f"{CT}?series={builders.uid('look', 'ct', 'series')}&instance={uid}")
    is_shown(page, 9)


def test_documents(page: Page) -> None:
    page.goto(f"/studies/{REPORT_STUDY}/look")
    report = page.frame_locator("#document iframe")
    expect(report.locator("body")).to_contain_text("Section Heading")
    assert page.locator(".look-corner").first.is_hidden()
    page.goto(f"/studies/{studies.PDF_STUDY}/look")
    frame = page.locator("#document iframe")
    expect(frame).to_have_attribute("src", re.compile("accept=application%2Fpdf"))
    expect(page.get_by_role("link", name="Open by itself")).to_be_visible()
    for _ in range(60):
        seen = np.asarray(Image.open(BytesIO(frame.screenshot())).convert("L"))
        if (seen > 250).mean() > 0.2:  # white paper in the grey of the browser's reader
            break
        page.wait_for_timeout(250)
    else:
        pytest.fail("the PDF is not shown")


def test_a_document_comes_whatever_is_done_while_it_is_on_its_way(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile("/rendered$"), hold)
    with page.expect_request(re.compile("/rendered$")):
        page.goto(f"/studies/{REPORT_STUDY}/look")
    page.keyboard.press("0")  # the same document, looked at afresh
    held[0].continue_()
    expect(page.frame_locator("#document iframe").locator("body")).to_contain_text("Section Heading")
    expect(page.locator("#loading")).to_be_hidden()


def test_what_cannot_be_shown_is_said_in_words(page: Page, recorder: Recorder) -> None:
    recorder.allow("Failed to load resource: the server responded with a status of 406")
    page.goto(f"/studies/{BROKEN}/look")
    message = page.get_by_role("alert")
    expect(message).to_contain_text("OT, image 1 of 1 cannot be shown. Frame 1 cannot be decoded")
    assert picture(page).count() == 0


def test_a_long_series_is_read_page_by_page(page: Page) -> None:
    page.goto(f"/studies/{LONG}/look?image=519")
    expect(page.locator("#corner-image")).to_contain_text("Image 519 of 520")
    expect(page.locator("#corner-image")).to_contain_text("No. 519")
    page.keyboard.press("Home")
    expect(page.locator("#corner-image")).to_contain_text("Image 1 of 520")


@pytest.mark.parametrize("viewport", [NARROW], ids=["narrow"])
def test_fingers(page: Page) -> None:
    page.goto(CT)
    is_shown(page, 1)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[int, int]) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]},
        )

    fingers("touchStart", (200, 300))
    for y in range(300, 460, 10):
        fingers("touchMove", (200, y))
    fingers("touchEnd")
    expect(page.locator("#corner-image")).not_to_contain_text("Image 1 of")
    before = picture(page).bounding_box()
    fingers("touchStart", (180, 380), (220, 380))
    for reach in range(20, 90, 10):
        fingers("touchMove", (200 - reach, 380), (200 + reach, 380))
    fingers("touchEnd")
    assert picture(page).bounding_box()["width"] > before["width"] * 2
    is_shown(page, int(re.findall(r"Image (\d+)", words(page, "image"))[0]))


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_without_the_viewer_a_page_says_how_to_add_it(page: Page, recorder: Recorder) -> None:
    recorder.allow("404")
    page.goto(CT)
    is_shown(page, 1)
    assert page.get_by_role("link", name="Full viewer").count() == 0
    page.goto(f"/viewer/viewer?StudyInstanceUIDs={studies.CT_STUDY}")
    expect(page.get_by_role("heading", name="The viewer is not installed")).to_be_visible()
    axe(page)


def test_unknown_study(page: Page, recorder: Recorder, site: Site) -> None:
    recorder.allow("404")
    answer = page.goto("/studies/1.2.3/look")
    assert answer is not None
    assert answer.status == 404
    assert "not in this archive" in page.inner_text("main")
    assert site.root in page.url
