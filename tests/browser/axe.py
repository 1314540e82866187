"""Accessibility, as axe-core judges it: nothing serious or critical on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def axe(page: Page) -> None:
    """Fail with what axe finds on the page as it stands, if any of it is serious or critical."""
    found = Axe().run(page).response["violations"]
    told = [
        f"{each['impact']}: {each['id']}: {each['help']}: "
        + "; ".join(f"{node['target']} {node.get('failureSummary', '')}" for node in each["nodes"][:5])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
    assert not told, "axe found:\n" + "\n".join(told)
