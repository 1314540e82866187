"""/viewer/: the OHIF viewer, where it is installed, and a page that says how to add it, where it is not.

    /viewer/<build>/…       its files, which never change: the build is part of their address
    /viewer/app-config.js   its configuration, from our settings
    /viewer/…               any other address is one of the viewer's own, and gets its page

Nothing here depends on what stands before /viewer: the page and the configuration find the rest from their
own address, so that any path of a proxy works.
"""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, send_file
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from archive.viewer.folder import Installed, find, is_build, viewer_folder
from archive.viewer.release import PACKAGE, VERSION
from archive.web.context import accepts_gzip, services

ROOT = "/viewer"
_CONFIGURATION = "app-config.js"
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".css": "text/css",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".xml": "text/xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        # Segmentations need array code that the viewer writes for itself; of scripts it loads only ours.
        "script-src 'self' blob: 'wasm-unsafe-eval' 'unsafe-eval'",
        "worker-src 'self' blob:",
        "connect-src 'self' blob: data:",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "style-src 'self' 'unsafe-inline'",
        "frame-src 'self' blob:",
        "object-src 'self' blob:",  # documents are shown by the browser
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    )
)
_MISSING_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'self'; base-uri 'none'"
)


def blueprint() -> Blueprint:
    """Give the routes."""
    pages = Blueprint("viewer", __name__)
    pages.add_url_rule(f"{ROOT}/", "viewer", view, defaults={"path": ""})
    pages.add_url_rule(f"{ROOT}/<path:path>", "viewer", view)
    pages.after_request(_guarded)  # what a worker may do, the answer with its script says
    return pages


def view(path: str) -> Response:
    """Answer any address of the viewer."""
    found = find(services().settings)
    build, _, name = path.partition("/")
    if is_build(build) or path == _CONFIGURATION:
        if found is None or (is_build(build) and build != found.build):
            raise NotFound("the viewer is not installed, or another one by now; load the page again")
        return _file(found, name) if name else _configuration(found)
    if not request.path.startswith(f"{ROOT}/"):
        query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
        return redirect(f"viewer/{query}", 308)  # type: ignore[return-value] # a Response of Flask
    return _page(found, up="../" * path.count("/") or "./") if found else _missing()


def _file(found: Installed, name: str) -> Response:
    """Send a file of the installed build, in its gzip form where the client takes that."""
    folder = viewer_folder(services().settings) / found.build
    path = safe_join(str(folder), name)
    kind = next((kind for suffix, kind in _TYPES.items() if name.endswith(suffix)), None)
    if path is None or kind is None:
        raise NotFound("the viewer has no such file")
    try:
        try:
            if not accepts_gzip():
                raise FileNotFoundError
            response = send_file(f"{path}.gz", mimetype=kind, etag=f"{found.build}-gzip")
            response.headers["Content-Encoding"] = "gzip"
        except FileNotFoundError:
            response = send_file(path, mimetype=kind, etag=found.build)
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound("the viewer has no such file") from None
    response.headers.pop("Content-Disposition", None)  # it would name the .gz
    response.headers["Cache-Control"] = _FOREVER
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _configuration(found: Installed) -> Response:
    cleared = bool(services().settings.viewer_clearance)
    text = render_template("viewer/app-config.js", build=found.build, notice="never" if cleared else "always")
    return _fresh(Response(text, mimetype="text/javascript"))


def _page(found: Installed, *, up: str) -> Response:
    text = render_template("viewer/index.html", up=up, build=found.build, script=found.script)
    return _fresh(Response(text, mimetype="text/html"))


def _missing() -> Response:
    """Say how to add the viewer. 404, for nothing is there, and nothing will be by asking again later."""
    file = f"{PACKAGE.strip('@').replace('/', '-')}-{VERSION}.tgz"
    text = render_template("viewer/missing.html", package=PACKAGE, release=VERSION, file=file)
    response = _fresh(Response(text, status=404, mimetype="text/html"))
    response.headers["Content-Security-Policy"] = _MISSING_POLICY
    return response


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _guarded(response: Response) -> Response:
    """Let the viewer do what it needs, and reach nobody else."""
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
