"""The browser harness itself: it notices trouble, and it reaches the archive and nothing else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Error, Page

from tests.browser.axe import axe
from tests.browser.recorder import Recorder
from tests.browser.site import Site


def test_reaches_the_archive(page: Page, site: Site, recorder: Recorder) -> None:
    recorder.allow("favicon")  # what is no page names none
    answer = page.goto("/live")
    assert answer is not None
    assert answer.json() == {"status": "live"}
    assert len(site.json("/studies")) == 2


def test_other_hosts_are_noticed_and_not_reached(page: Page, recorder: Recorder) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://example.org/")
    with pytest.raises(AssertionError, match=r"request to another host: http://example\.org/"):
        recorder.verify()
    recorder.allow("another host")


def test_errors_are_noticed(page: Page, recorder: Recorder) -> None:
    page.evaluate("console.error('oh'); setTimeout(() => { throw new Error('no') })")
    page.evaluate("new Promise(done => setTimeout(done, 10))")
    with pytest.raises(AssertionError, match=r"(?s)console: oh.*exception: no"):
        recorder.verify()
    recorder.allow("^(console: oh|exception: no)")


def test_axe_finds_what_is_wrong(page: Page) -> None:
    page.set_content("<html lang=en><title>Page</title><main><h1>Page</h1><img src='data:,'></main></html>")
    with pytest.raises(AssertionError, match="critical: image-alt"):
        axe(page)
