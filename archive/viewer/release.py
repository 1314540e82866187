"""The release of OHIF that this archive serves: its name, its proof, and what is changed in it.

OHIF's build takes for granted that it lies at the root of a server. The changes let it find its parts
wherever it lies: the page through `window.PUBLIC_URL`, which our app-config.js sets, workers through their
own address. How often each text is there is known, so a release that is laid out otherwise is noticed, not
half changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

from archive.errors import Unavailable

PACKAGE = "@ohif/app"
VERSION = "3.13.2"
INTEGRITY = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""As the registry's metadata has it: "sha512-" and the Base64 of the SHA-512 of the archive."""

BUILD = f"{VERSION}-1"
"""The release and the number of our changes to it; raise the number with every change below."""

FOLDER = "package/dist/"
"""Where the built viewer is in the archive; nothing else of it is taken."""

_LEFT_OUT = (
    "*.map",
    "ort/*",  # machine learning in the browser, which no mode of ours uses
    "customizations/*",  # examples
    "assets/apple-touch-startup-image-*",
    "index.html",  # ours is archive/web/templates/viewer/index.html
    "app-config.js",  # archive/web/viewer.py writes it
    # Service workers, sign-in and hosting of OHIF's own deployments, some of which load from other hosts.
    "sw.js",
    "init-service-worker.js",
    "google.js",
    "silent-refresh.html",
    "oidc-client.min.js",
    "es6-shim.min.js",
    "polyfill.min.js",
    "manifest.json",
    "serve.json",
    "_headers",
    "_redirects",
)


@dataclass(frozen=True, slots=True)
class Change:
    """`old` becomes `new` in the files whose names match; it is there `count` times in all of them."""

    files: str
    old: bytes
    new: bytes
    count: int


_ROOT = b'__webpack_require__.p = "/";'
_MICROSCOPY = b"/dicom-microscopy-viewer/dicomMicroscopyViewer.min.js'"

CHANGES = (
    Change("app.bundle.*.js", _ROOT, b"__webpack_require__.p = window.PUBLIC_URL;", 1),
    # Only the entries of workers have it; they lie beside everything else.
    Change("*.js", _ROOT, b'__webpack_require__.p = new URL(".", self.location.href).pathname;', 7),
    Change("app.bundle.*.js", b"'" + _MICROSCOPY, b"window.PUBLIC_URL + '" + _MICROSCOPY[1:], 1),
    Change("app.bundle.css", b"url(/", b"url(", 5),
)

_INDEX = (
    b'<div id="react-portal"></div>',
    b'<div id="root"></div>',
    b'<link href="/app.bundle.css" rel="stylesheet">',
)
"""What OHIF's own page has, and ours therefore."""


def wanted(name: str) -> bool:
    """Tell whether a file, named below FOLDER, is part of the viewer as we serve it."""
    return not any(fnmatch(name, pattern) for pattern in _LEFT_OUT)


class Fitting:
    """Changes file after file, and knows in the end whether every change was made as often as it should."""

    def __init__(self) -> None:
        self._made = [0] * len(CHANGES)
        self._names: set[str] = set()
        self._index: bytes | None = None

    def fit(self, name: str, content: bytes) -> bytes:
        """Return the content as we serve it."""
        self._names.add(name)
        for number, change in enumerate(CHANGES):
            if fnmatch(name, change.files):
                self._made[number] += content.count(change.old)
                content = content.replace(change.old, change.new)
        return content

    def see_index(self, content: bytes) -> None:
        """Take note of OHIF's own page, which is not served."""
        self._index = content

    def script(self) -> str:
        """Return the name of the script that the page loads; raise Unavailable where anything is unknown."""
        for change, made in zip(CHANGES, self._made, strict=True):
            if made != change.count:
                raise _unknown(
                    f"{change.old.decode()!r} is {made} times in {change.files}, not {change.count}"
                )
        index = self._index or b""
        scripts = [each for each in self._names if fnmatch(each, "app.bundle.*.js")]
        if len(scripts) != 1 or f'src="/{scripts[0]}"'.encode() not in index:
            raise _unknown("its page does not load the one app.bundle.*.js")
        if missing := [each for each in _INDEX if each not in index]:
            raise _unknown(f"its page has no {missing[0].decode()}")
        return scripts[0]


def _unknown(reason: str) -> Unavailable:
    return Unavailable(f"{PACKAGE} {VERSION} is not laid out as this release of Filmroom knows it: {reason}")
