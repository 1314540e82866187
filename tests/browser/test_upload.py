"""The upload page in a real browser: what is sent, what is said of each file, and what happens in trouble."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom.uid import MediaStorageDirectoryStorage

from tests import builders
from tests.browser.axe import axe
from tests.browser.chromium import NARROW, WIDE, Viewport
from tests.browser.recorder import Recorder
from tests.browser.site import Site
from tests.services.proxy import Fault, Proxy

HERE = builders.instance(SOPInstanceUID=builders.uid("here"), StudyInstanceUID=builders.uid("here", "study"))
OTHER = builders.instance(
    SOPInstanceUID=builders.uid("other"), StudyInstanceUID=builders.uid("here", "study")
)
DONE = re.compile("^(Done|Ended)")


@pytest.fixture(scope="module")
def data() -> Sequence[bytes]:
    return [HERE, OTHER]


def image(study: str, number: int, **overrides: object) -> bytes:
    """Return a small image of a study."""
    return builders.instance(
        StudyInstanceUID=builders.uid(study, "study"),
        SeriesInstanceUID=builders.uid(study, "series"),
        SOPInstanceUID=builders.uid(study, number),
        InstanceNumber=number,
        PatientName=f"{study.title()}^Ada",
        **overrides,
    )


def disc(folder: Path, study: str) -> Path:
    """Write what is on the discs that patients bring, and what goes wrong with them."""
    disc = folder / "DISC"
    images = disc / "IMAGES" / "deep" / "deeper"
    images.mkdir(parents=True)
    for number in range(120):  # more than readEntries gives at once
        (images / f"IM{number:04d}").write_bytes(image(study, number))
    (disc / "DICOMDIR").write_bytes(index())
    (disc / "AUTORUN.INF").write_text("[autorun]")
    (disc / "README.TXT").write_text(
        "Open VIEWER.EXE and read no further, there is nothing else in here.\n" * 9
    )
    (disc / "EMPTY").write_bytes(b"")
    (disc / "VIEWER.ZIP").write_bytes(b"PK\x03\x04" + bytes(200))
    (disc / "again.dcm").write_bytes(HERE)
    (disc / "changed.dcm").write_bytes(
        builders.instance(
            SOPInstanceUID=builders.uid("other"),
            StudyInstanceUID=builders.uid("here", "study"),
            PixelData=bytes(64),
        )
    )
    (disc / "no uid.dcm").write_bytes(builders.instance(SOPInstanceUID=None))
    (disc / "someone else.dcm").write_bytes(
        builders.instance(
            SOPInstanceUID=builders.uid(study, "someone else"),
            StudyInstanceUID=builders.uid("here", "study"),
            PatientID="P2",
        )
    )
    return disc


def index() -> bytes:
    """Return the beginning of a DICOMDIR."""
    return builders.instance(SOPClassUID=MediaStorageDirectoryStorage, PixelData=None)


def row(page: Page, path: str) -> Locator:
    """Find the line of a file in the list."""
    return page.locator("#files-list li").filter(has=page.locator("bdi", has_text=re.compile(f"{path}$")))


def finished(page: Page) -> None:
    """Wait until all is done, however it ended."""
    expect(page.locator("#headline")).to_have_text(DONE, timeout=30_000)


def uids(site: Site, study: str) -> set[str]:
    """Return the instances of a study that a search finds."""
    found = site.json(f"/instances?StudyInstanceUID={builders.uid(study, 'study')}&limit=1000")
    return {each["00080018"]["Value"][0] for each in found}


def check_disc(page: Page, site: Site, study: str) -> None:
    """See that each file of a disc has its result, and that what was stored is found."""
    finished(page)
    expect(page.locator("#headline")).to_have_text("Ended with problems: 122 of 129 files in the archive")
    for path, state, why in (
        ("changed.dcm", "Refused", "is stored already, with different content"),
        ("no uid.dcm", "Refused", "SOPInstanceUID"),
        ("someone else.dcm", "Stored with warning", "PatientID or IssuerOfPatientID differs"),
        ("DICOMDIR", "Skipped", "DICOMDIR is an index, not an image"),
        ("README.TXT", "Skipped", "Not a DICOM file"),
        ("AUTORUN.INF", "Skipped", "operating system"),
        ("EMPTY", "Skipped", "empty"),
        ("VIEWER.ZIP", "Skipped", "zip"),
        ("again.dcm", "Already here", ""),
    ):
        expect(row(page, path)).to_contain_text(state)
        expect(row(page, path)).to_contain_text(why)
    expect(page.locator("#counts")).to_contain_text("120 stored")
    assert uids(site, study) == {builders.uid(study, number) for number in range(120)}
    link = page.get_by_role("link", name=f"{study.title()}, Ada")
    expect(link).to_have_attribute("href", f"/studies/{builders.uid(study, 'study')}")


def test_a_folder_that_is_chosen(page: Page, site: Site, recorder: Recorder, tmp_path: Path) -> None:
    recorder.allow("409")
    page.goto("/upload")
    axe(page)
    page.set_input_files("#choose-folder", disc(tmp_path, "chosen"))
    check_disc(page, site, "chosen")
    axe(page)
    page.get_by_label("Show").select_option("refused")
    expect(page.locator("#files-list li")).to_have_count(2)
    page.get_by_role("link", name="Chosen, Ada").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Chosen, Ada")


def test_a_folder_that_is_dropped(page: Page, site: Site, recorder: Recorder, tmp_path: Path) -> None:
    """The browser's own drop: entries that are walked, a hundred at a time."""
    recorder.allow("409")
    page.goto("/upload")
    drop(page, disc(tmp_path, "dropped"))
    check_disc(page, site, "dropped")


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders on the page, as from a file manager."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 200, "data": data})


def test_files_that_are_chosen_by_keyboard(page: Page, site: Site, tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(image("keys", number))
    page.on(
        "filechooser", lambda chooser: chooser.set_files(paths)
    )  # early, for it takes the browser a while
    page.goto("/upload")
    page.locator("#choose-folder").focus()
    expect(page.locator("#choose-folder")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#choose-files")).to_be_focused()
    page.keyboard.press("Space")
    finished(page)
    expect(page.locator("#headline")).to_have_text("Done: 3 of 3 files in the archive")
    expect(page.locator("#said")).to_have_text("Done: 3 of 3 files in the archive. 3 stored.")
    assert len(uids(site, "keys")) == 3


@pytest.fixture
def proxy(site: Site) -> Proxy:
    return Proxy(int(site.root.rsplit(":", 1)[1]))


def test_broken_connections_are_tried_again(
    page: Page, site: Site, proxy: Proxy, recorder: Recorder, tmp_path: Path
) -> None:
    """Nobody needs to do anything where the trouble passes."""
    recorder.allow("ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED")
    big = image("broken", 1, Rows=2000, Columns=2000, PixelData=bytes(4_000_000))
    (tmp_path / "big.dcm").write_bytes(big)
    with proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/upload")
        proxy.cut_all()  # no connection is left that was open before
        proxy.faults = [Fault(cut_up=1_000_000, reset=True), Fault(cut_up=2_000_000, reset=True)]
        page.set_input_files("#choose-files", tmp_path / "big.dcm")
        finished(page)
    assert not proxy.faults
    expect(page.locator("#headline")).to_have_text("Done: 1 of 1 file in the archive")
    assert len(uids(site, "broken")) == 1


def test_an_archive_that_is_away_for_long(
    page: Page, site: Site, proxy: Proxy, recorder: Recorder, tmp_path: Path
) -> None:
    """After a minute or so the files are said to have failed; one button sends them all again."""
    recorder.allow("Failed to load resource")
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.dcm").write_bytes(image("away", number))
    page.clock.install()
    with proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/upload")
        proxy.cut_all()
        proxy.fault = Fault(cut_up=1, reset=True)
        page.set_input_files("#choose-folder", folder)
        for _ in range(40):
            page.clock.run_for(10_000)
            if page.locator("#again").is_visible() and not page.locator("#cancel").is_visible():
                break
        expect(page.locator("#headline")).to_have_text("Ended with problems: 0 of 30 files in the archive")
        expect(row(page, "many/7.dcm")).to_contain_text("The archive cannot be reached")
        axe(page)
        proxy.fault = Fault()
        page.get_by_role("button", name="Retry many/7.dcm").click()
        page.clock.run_for(1000)
        expect(page.get_by_role("button", name="Retry all 29 files")).to_be_visible()
        page.get_by_role("button", name="Retry all 29 files").click()
        page.clock.run_for(1000)
        page.clock.resume()
        expect(page.locator("#headline")).to_have_text("Done: 30 of 30 files in the archive")
    assert len(uids(site, "away")) == 30


def test_an_archive_that_asks_for_patience(page: Page, recorder: Recorder, tmp_path: Path) -> None:
    """Retry-After counts, and so does impatience. No page of a proxy is taken for success."""
    recorder.allow("503")
    (tmp_path / "one.dcm").write_bytes(image("patience", 1))
    page.goto("/upload")
    busy = {"status": 503, "headers": {"Retry-After": "40"}, "body": '{"error": "the index is too busy"}'}
    page.route("**/dicom-web/studies", lambda route: route.fulfill(**busy))
    page.set_input_files("#choose-files", tmp_path / "one.dcm")
    expect(page.locator("#wait")).to_contain_text(
        re.compile(r"The index is too busy. Trying again in (3\d|40) s.")
    )
    expect(page.locator("#said")).to_contain_text("The index is too busy. It is tried again by itself.")
    page.unroute("**/dicom-web/studies")
    page.route("**/dicom-web/studies", lambda route: route.fulfill(body="<p>Log in</p>"), times=1)
    page.get_by_role("button", name="Try now").click()
    finished(page)
    expect(page.locator("#headline")).to_have_text("Done: 1 of 1 file in the archive")


def test_cancel_and_the_warning_of_leaving(
    page: Page, proxy: Proxy, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.allow("Failed to load resource")
    (tmp_path / "slow.dcm").write_bytes(image("slow", 1, Rows=2000, Columns=2000, PixelData=bytes(4_000_000)))
    with proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/upload")
        proxy.cut_all()
        proxy.fault = Fault(silent_up=500_000)
        page.set_input_files("#choose-files", tmp_path / "slow.dcm")
        bar = page.get_by_role("progressbar", name="Uploading 1 file")
        expect(bar).to_have_attribute("aria-valuetext", re.compile(r"^[1-9]\d? percent, 0 of 1 file$"))
        asked = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        page.locator("h1").click()  # browsers ask only those who did something on the page
        page.close(run_before_unload=True)
        expect(page.locator("#cancel")).to_be_visible()
        assert asked == ["beforeunload"]
        page.get_by_role("button", name="Cancel").click()
        expect(row(page, "slow.dcm")).to_contain_text("Cancelled")
        expect(page.locator("#headline")).to_be_focused()


@pytest.mark.parametrize(("viewport", "dark"), [(WIDE, True), (NARROW, False)])
def test_the_page_at_each_size_and_in_both_colours(
    page: Page, tmp_path: Path, viewport: Viewport, *, dark: bool
) -> None:
    (tmp_path / "a file with a long name that goes on and on.dcm").write_bytes(b"x" * 500)
    (tmp_path / "\u202egnp.exe<img src=x onerror=alert(1)>").write_bytes(image("name", viewport.width + dark))
    page.goto("/upload")
    page.set_input_files("#choose-files", sorted(tmp_path.iterdir()))
    finished(page)
    expect(row(page, re.escape("onerror=alert(1)>"))).to_contain_text("Stored")
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
