"""A real Chromium on a live archive: what every browser test asks for by name.

data          (module; override it) Part 10 files that the archive holds when the module begins
site_settings (module; override it) settings of the archive beside its data folder
site          (module) the archive, served by `filmroom serve` on loopback
viewport      WIDE; parametrize it with WIDE and NARROW
dark          False; parametrize it with True for the dark colours
page          a page of a fresh context of the one browser; the test fails on whatever `recorder` has seen
recorder      console errors, page errors and requests to other hosts; `.allow(pattern)` for what is expected

Tests are skipped only where no Chromium is found: in PATH, or where FILMROOM_TEST_CHROMIUM says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from archive.settings import Settings
from tests.browser.chromium import ARGUMENTS, WIDE, Viewport, chromium
from tests.browser.recorder import Recorder
from tests.browser.site import Site
from tests.samples import pydicom_file
from tests.services.filmroom import Filmroom

_PATIENCE = 15_000  # milliseconds; two cores, WebGL in software


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give the browser of this run; each test has a context of its own."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium in PATH, nor named by FILMROOM_TEST_CHROMIUM; `make browser` brings one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def data() -> Sequence[bytes]:
    """Give the instances that the archive holds."""
    return [pydicom_file("CT_small.dcm").read_bytes(), pydicom_file("MR_small.dcm").read_bytes()]


@pytest.fixture(scope="module")
def site_settings() -> Mapping[str, Any]:
    """Give settings by name."""
    return {}


@pytest.fixture(scope="module")
def site(
    browser: Browser,  # noqa: ARG001, RUF100 no server where there is no browser
    data: Sequence[bytes],
    site_settings: Mapping[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Give the archive, on SQLite and a folder, with its data."""
    folder: Path = tmp_path_factory.mktemp("site")
    settings = Settings(**{"data": str(folder), "embedded_worker": "no", **site_settings})
    with Filmroom(settings, folder, workers=1, threads=16) as server:
        site = Site(server.root, server.log)
        site.store(*data)
        yield site


@pytest.fixture
def viewport() -> Viewport:
    """Give the size of the window."""
    return WIDE


@pytest.fixture
def dark() -> bool:
    """Tell whether the page is shown in dark colours."""
    return False


@pytest.fixture
def recorder() -> Recorder:
    """Give what looks for trouble; allow there what a test brings about on purpose."""
    return Recorder()


@pytest.fixture
def page(
    browser: Browser, site: Site, viewport: Viewport, recorder: Recorder, *, dark: bool
) -> Iterator[Page]:
    """Give a page; addresses are relative to the archive. Fail on trouble that the test did not allow."""
    context = browser.new_context(
        base_url=site.root,
        viewport={"width": viewport.width, "height": viewport.height},
        has_touch=viewport.touch,
        color_scheme="dark" if dark else "light",
        accept_downloads=True,
        locale="en-GB",
    )
    context.set_default_timeout(_PATIENCE)
    recorder.watch(context)
    try:
        yield context.new_page()
    finally:
        context.close()
    recorder.verify()
