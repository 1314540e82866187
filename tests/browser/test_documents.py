"""Documents in a browser: readable at any width in light and dark, and unable to do anything."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from playwright.sync_api import Page

from tests.browser.axe import axe
from tests.browser.chromium import NARROW, WIDE
from tests.browser.site import Site
from tests.builders import part10
from tests.rendering.documents import CDA, encapsulated_cda, stored
from tests.samples import pydicom_file

_FILES = ("reportsi.dcm", "test-SR.dcm", "waveform_ecg.dcm", "rtplan.dcm")
_SCRIPT = "<script>document.title = 'harmed'</script><img src='x' onerror='1'/>"


def _files() -> list[bytes]:
    narrative = f"<paragraph>Well. {_SCRIPT}</paragraph><list listType='ordered'><item>One</item></list>"
    return [*(pydicom_file(name).read_bytes() for name in _FILES), part10(encapsulated_cda(narrative))]


@pytest.fixture(scope="module")
def data() -> Sequence[bytes]:
    return _files()


def _addresses() -> list[str]:
    found = []
    for each in _files():
        ds = stored(each)
        uids = (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
        found.append("dicom-web/studies/{}/series/{}/instances/{}/rendered".format(*uids))
    return found


@pytest.mark.parametrize("address", _addresses(), ids=[*_FILES, CDA])
@pytest.mark.parametrize(("viewport", "dark"), [(WIDE, False), (NARROW, True)])
def test_documents_are_readable_and_harmless(page: Page, site: Site, address: str) -> None:
    answer = page.goto(f"{site.root}/{address}")
    assert answer is not None
    assert answer.status == 200
    assert page.locator("h1").is_visible()
    assert page.title() != "harmed"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # In the sandbox of its policy no timer runs, which axe needs: it looks at the same page outside.
    text = answer.text()
    page.goto("about:blank")
    page.set_content(text)
    axe(page)
