"""Pages for people: the blueprint they live in, what browsers are told about them, and their error pages.

Each module of the table has `add(blueprint)`, which adds its routes; its main view is named as the module, so
that `url_for("pages.find")` leads to it. Templates are in ../templates, styles and scripts in ../static; all
addresses are made with `url_for` and `asset`, for a proxy may put a path before them.
"""

from __future__ import annotations

import gzip
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template, request

from archive import __version__
from archive.web.access_log import request_id
from archive.web.context import ROOT, accepts_gzip
from archive.web.errors import NOWHERE
from archive.web.pages import assets, attributes, find, look, status, study, upload, words

PAGES: tuple[ModuleType, ...] = (find, study, attributes, look, upload, status)

_FOLDER = Path(__file__).parent.parent
_MACHINES = (ROOT, "/api", "/wado", "/viewer", "/live", "/ready", "/metrics", "/static")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "frame-src 'self' blob:",  # documents that a page shows in a frame
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    )
)
_ZIP_FROM = 1400  # bytes; a shorter page goes in one packet anyway
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",  # addresses hold what was searched for
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
}


def install(app: Flask) -> None:
    """Add every page to `app`, and the static files."""
    blueprint = Blueprint("pages", __name__, template_folder=str(_FOLDER / "templates"))
    files = assets.Assets(_FOLDER / "static")
    files.add(blueprint)
    for page in PAGES:
        page.add(blueprint)
    blueprint.app_template_global("asset")(files.url)
    blueprint.app_template_global("has_page")(_has_page)
    blueprint.app_context_processor(lambda: {"version": __version__})
    for name, function in words.FILTERS.items():
        blueprint.add_app_template_filter(function, name)
    blueprint.after_request(_guarded)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.register_blueprint(blueprint)


def error_page(code: int, message: str, details: dict[str, Any]) -> Response | None:
    """Return an error as a page for people, or None where the answer is for a machine."""
    if not _for_people():
        return None
    if message == NOWHERE:
        message = "nothing has this address"
    body = render_template(
        "error.html",
        code=code,
        title=_title(code),
        message=message[:1].upper() + message[1:],
        where=details.get("where"),
        request_id=request_id(),
    )
    response = Response(body, status=code, mimetype="text/html")
    return _guarded(response)


def _for_people() -> bool:
    """Tell whether the request is for a page: of one there is, or of none and by a browser."""
    if request.blueprint == "pages":
        return request.endpoint != assets.ENDPOINT
    if any(request.path == root or request.path.startswith(f"{root}/") for root in _MACHINES):
        return False
    return any(kind == "text/html" for kind, _ in request.accept_mimetypes)


def _title(code: int) -> str:
    return {404: "Not found", 410: "Deleted", 503: "Not available now"}.get(code) or HTTPStatus(code).phrase


def _has_page(name: str) -> bool:
    """Tell whether there is a page of this name, so that links lead somewhere."""
    return f"pages.{name}" in current_app.view_functions


def _guarded(response: Response) -> Response:
    """Say what the page may load, keep what it shows of patients out of every cache, and make it short."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype == "text/html" and not response.is_streamed and accepts_gzip():
        response.vary.add("Accept-Encoding")
        if "Content-Encoding" not in response.headers and len(response.get_data()) > _ZIP_FROM:
            response.set_data(gzip.compress(response.get_data(), 5, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
    return response
