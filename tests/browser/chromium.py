"""The browser of the tests: where it is, how it is started, and the two sizes that pages are looked at in."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    # WebGL without a graphics card.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # No name resolves, so nothing leaves this machine even where a page asks for it.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


class Viewport(NamedTuple):
    """A window in CSS pixels."""

    width: int
    height: int
    touch: bool


WIDE = Viewport(1280, 800, touch=False)
NARROW = Viewport(390, 844, touch=True)


def chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    named = os.environ.get("FILMROOM_TEST_CHROMIUM")
    if named:
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)
