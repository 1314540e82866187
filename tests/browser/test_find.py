"""Finding studies in a browser: as one types, by keys alone, there and back, and with no script at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests import builders
from tests.browser.axe import axe
from tests.browser.chromium import NARROW, WIDE
from tests.browser.recorder import Recorder
from tests.browser.site import Site
from tests.builders import uid

MANY = 60
PEOPLE = [
    ("Müller^Anna", "AB-1001", "RIS1", "CT", "Head CT", "20240105"),
    ("Miller^Bob", "1002", "RIS2", "MR", "Knee left", "20240106"),
    ("Hamilton^Carl", "1003", "RIS3", "CT", "Chest", "20240107"),
]
COUNT = re.compile(r"^1.50 of 63 studies$")


def study(name: str, number: int, **attributes: object) -> bytes:
    """Return the one image of a study."""
    return builders.instance(
        StudyInstanceUID=uid("found study", number),
        SeriesInstanceUID=uid("found series", number),
        SOPInstanceUID=uid("found instance", number),
        PatientName=name,
        **attributes,
    )


@pytest.fixture(scope="module")
def data() -> Sequence[bytes]:
    known = [
        study(
            name,
            number,
            PatientID=patient,
            AccessionNumber=accession,
            Modality=modality,
            StudyDescription=description,
            StudyDate=date,
        )
        for number, (name, patient, accession, modality, description, date) in enumerate(PEOPLE)
    ]
    today = datetime.now(UTC).astimezone().strftime("%Y%m%d")
    many = [
        study(f"Crowd^{number:02}", 100 + number, PatientID=f"C{number:02}", Modality="US", StudyDate=today)
        for number in range(MANY)
    ]
    return [*known, *many]


def listed(page: Page, *names: str) -> None:
    """Wait until the list holds these names and no others."""
    expect(page.locator("#results a.name")).to_have_text(list(names))


def first(page: Page, *names: str) -> None:
    """Wait until the list begins with these names."""
    for place, name in enumerate(names):
        expect(page.locator("#results a.name").nth(place)).to_have_text(name)


def test_results_follow_as_one_types(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text(COUNT).first).to_be_visible()
    box = page.get_by_role("searchbox")
    expect(box).to_be_focused()
    box.press_sequentially("mil")
    expect(page.locator("#results .count")).to_have_text("2 studies")
    listed(page, "Hamilton, Carl", "Miller, Bob")
    expect(box).to_be_focused()
    expect(page.get_by_role("status").first).to_have_text("2 studies")
    assert page.url.endswith("/?q=mil")
    expect(page).to_have_title(re.compile("^mil"))
    page.get_by_label("Modality").select_option("MR")
    expect(page.locator("#results .count")).to_have_text("1 study")
    listed(page, "Miller, Bob")
    assert "modality=MR" in page.url
    page.reload()
    listed(page, "Miller, Bob")
    expect(box).to_have_value("mil")
    expect(page.get_by_label("Modality")).to_have_value("MR")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#results .count")).to_have_text(COUNT)
    expect(box).to_have_value("")
    expect(page.get_by_label("Modality")).to_have_value("")


def test_back_leaves_a_search_and_not_a_letter(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("searchbox")
    box.press_sequentially("hamil")
    expect(page.locator("#results .count")).to_have_text("1 study")
    page.get_by_role("link", name="Patient ID").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Patient ID")
    page.go_back()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Date")
    expect(box).to_have_value("hamil")
    page.go_back()
    expect(page.locator("#results .count")).to_have_text(COUNT)
    expect(box).to_have_value("")
    page.go_forward()
    expect(page.locator("#results .count")).to_have_text("1 study")
    expect(box).to_have_value("hamil")


def test_sorted_and_paged_by_keys_alone(page: Page) -> None:
    page.goto("/")
    heading = page.get_by_role("link", name="Patient", exact=True)
    heading.focus()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Patient")
    expect(heading).to_be_focused()
    first(page, "Crowd, 00", "Crowd, 01")
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Patient")
    first(page, "Müller, Anna")
    following = page.get_by_role("link", name="Next").first
    following.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results .count")).to_have_text(re.compile("^51.63 of 63 studies$"))
    # It was the last page: what leads back has the focus now.
    expect(page.get_by_role("link", name="Previous").first).to_be_focused()
    expect(page.locator("#results a.name").last).to_have_text("Crowd, 00")
    page.keyboard.press("Enter")
    expect(page.locator("#results .count")).to_have_text(COUNT)
    first(page, "Müller, Anna")


def test_from_the_box_to_a_study_by_keys_alone(page: Page) -> None:
    page.goto("/?q=mil")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Miller, Bob", exact=True)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{uid('found study', 2)}")


def test_enter_opens_a_study_that_is_the_only_one(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox").fill("RIS2")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{uid('found study', 1)}")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("RIS2")
    page.get_by_role("searchbox").fill("mil")
    page.keyboard.press("Enter")
    expect(page.locator("#results .count")).to_have_text("2 studies")
    assert page.url.endswith("/?q=mil")


def test_a_click_on_a_row_opens_the_study(page: Page) -> None:
    page.goto("/?q=hamil")
    page.get_by_role("cell", name="Chest").click()
    page.wait_for_url(f"**/studies/{uid('found study', 2)}")


def test_dates_of_one_click(page: Page) -> None:
    page.goto("/")
    today = page.get_by_role("link", name="Today")
    today.click()
    expect(page.locator("#results .count")).to_have_text(re.compile("of 60 studies$"))
    expect(today).to_have_attribute("aria-current", "true")
    assert re.search(r"from=\d{4}-\d\d-\d\d&to=\d{4}-\d\d-\d\d", page.url)
    today.click()
    expect(page.locator("#results .count")).to_have_text(COUNT)
    page.get_by_label("From").fill("2024-01-06")
    page.get_by_label("To", exact=True).fill("2024-01-07")
    expect(page.locator("#results .count")).to_have_text("2 studies")


def test_only_the_newest_answer_is_shown(page: Page) -> None:
    """An answer that comes late, to a question that was asked before, changes nothing."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.goto("/")
    page.route(re.compile(r"/\?q=mil$"), hold)
    box = page.get_by_role("searchbox")
    box.press_sequentially("mil")
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    assert len(held) == 1
    box.press_sequentially("ler")
    expect(page.locator("#results .count")).to_have_text("1 study")
    held[0].continue_()
    page.unroute(re.compile(r"/\?q=mil$"))
    listed(page, "Miller, Bob")
    assert page.locator("#results[aria-busy]").count() == 0


def test_trouble_is_told_in_place(page: Page, recorder: Recorder) -> None:
    recorder.allow("400|Failed to load|ERR_FAILED")
    page.goto("/?q=mil")
    page.route(re.compile("order="), lambda route: route.abort())
    page.get_by_role("link", name="Patient", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    expect(page.get_by_role("searchbox")).to_have_value("mil")
    page.unroute(re.compile("order="))
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Patient")
    page.goto("/?q=mil&cursor=nonsense")
    expect(page.get_by_role("alert")).to_contain_text("not there any more")
    page.get_by_role("link", name="Search again").click()
    expect(page.locator("#results .count")).to_have_text("2 studies")


@pytest.fixture
def plain(browser: Browser, site: Site) -> Iterator[Page]:
    """Give a page of a browser that runs no scripts."""
    context = browser.new_context(base_url=site.root, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_scripts_it_is_a_form(plain: Page) -> None:
    plain.goto("/")
    plain.get_by_role("searchbox").fill("mil")
    plain.get_by_role("button", name="Find").click()
    listed(plain, "Hamilton, Carl", "Miller, Bob")
    plain.get_by_role("link", name="Patient ID").click()
    listed(plain, "Miller, Bob", "Hamilton, Carl")
    plain.get_by_label("Modality").select_option("CT")
    plain.get_by_role("button", name="Find").click()
    listed(plain, "Hamilton, Carl")
    assert "order=id" in plain.url
    plain.get_by_role("link", name="Clear").click()
    plain.get_by_role("link", name="Next").first.click()
    expect(plain.locator("#results .count")).to_have_text(re.compile("^51.63 of 63"))


FOUND, STATUS = "/?q=mil&order=name&modality=CT", "/status"


@pytest.mark.parametrize(
    ("viewport", "dark", "paths"),
    [
        (WIDE, False, ("/", FOUND, "/?q=nobody-at-all", STATUS, "/nothing")),
        (NARROW, True, ("/", FOUND, STATUS)),
        (WIDE, True, (FOUND, STATUS)),
        (NARROW, False, (FOUND,)),
    ],
    ids=["wide, light", "narrow, dark", "wide, dark", "narrow, light"],
)
def test_everybody_can_use_the_pages(page: Page, recorder: Recorder, paths: tuple[str, ...]) -> None:
    recorder.allow("404")
    for path in paths:
        page.goto(path)
        axe(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is wider than the window"


@pytest.mark.parametrize("viewport", [NARROW])
def test_on_a_phone(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_label("Patient name")).to_be_hidden()
    page.get_by_label("More fields").check()
    page.get_by_label("Patient name").fill("anna")
    expect(page.locator("#results .count")).to_have_text("1 study")
    row = page.get_by_role("row").last
    expect(row.get_by_role("link", name="Müller, Anna", exact=True)).to_be_visible()
    for text in ("AB-1001", "RIS1", "Head CT", "5 Jan 2024", "1 image"):
        expect(row.get_by_text(text)).to_be_visible()
    page.get_by_label("Sorted by").select_option("id")
    expect(page.locator("#results .count")).to_have_text("1 study")
    assert "order=id" in page.url
    page.get_by_role("link", name=re.compile("^Look")).click()
    page.wait_for_url("**/look*")


def test_the_status_copies_an_address(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Status").click()
    expect(page.get_by_text("In service")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the address of STOW-RS").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith("/dicom-web/studies")


def test_the_first_tab_skips_to_the_content(page: Page) -> None:
    page.goto("/status")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
