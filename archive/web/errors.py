"""Errors to answers: one table, one handler. What nobody expected is a 500 and stands in the log."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from archive import errors
from archive.web.access_log import request_id
from storage import errors as storage_errors

_log = logging.getLogger(__name__)

RETRY_AFTER = "5"  # seconds
NOWHERE = "nothing has this address; OPTIONS of the DICOMweb root lists what is there"
_PAGE = "filmroom.error_page"
_FULL = {errno.ENOSPC, errno.EDQUOT}

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (errors.InvalidRequest, 400),
    (errors.NotDicom, 400),
    (errors.NotFound, 404),
    (errors.NotAcceptable, 406),
    (errors.NotDecodable, 406),
    (errors.Conflict, 409),
    (errors.Gone, 410),
    (errors.TooLarge, 413),
    (errors.UnsupportedMedia, 415),
    (errors.RangeNotSatisfiable, 416),
    (errors.Unavailable, 503),
    (storage_errors.StoreFull, 507),
    (storage_errors.StoreUnavailable, 503),
    (storage_errors.ObjectNotFound, 500),
    (storage_errors.ObjectDamaged, 500),
)
"""The first row that fits counts. An index row without a whole object is ours to answer for: 500."""


Page = Callable[[int, str, dict[str, Any]], Response | None]
"""Makes an error of (status, message, details) a page, or None where the answer is for a machine."""


def install(app: Flask, page: Page) -> None:
    """Answer every error of `app` as a page where one is wanted, else as JSON that a person understands."""
    app.extensions[_PAGE] = page
    for kind, status in STATUSES:
        app.register_error_handler(kind, _handler(status))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _handler(status: int) -> Any:
    def handle(error: Exception) -> Response:
        if status >= 500:
            _log.error("%s %s: %s", request.method, request.url_rule, error, exc_info=error)
        response = answer(status, _message(error), **_details(error))
        if isinstance(error, errors.RangeNotSatisfiable):
            response.headers["Content-Range"] = f"bytes */{error.size}"
        return response

    return handle


def _message(error: Exception) -> str:
    if isinstance(error, (storage_errors.ObjectNotFound, storage_errors.ObjectDamaged)):
        return "the stored bytes are missing or damaged; tell the administrator, who finds them in the log"
    if isinstance(error, storage_errors.StorageError):
        return "the object store cannot be used now; try again"
    return str(error)


def _details(error: Exception) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if isinstance(error, errors.InvalidRequest) and error.where:
        details["where"] = error.where
    if isinstance(error, (errors.NotAcceptable, errors.UnsupportedMedia)) and error.offered:
        details["offered"] = list(error.offered)
    return details


def _http(error: HTTPException) -> Response:
    """Werkzeug's own: unknown paths, methods that a resource has not, redirects, bodies cut off."""
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value] # a werkzeug response is what Flask sends
    response = answer(error.code or 500, _description(error))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _description(error: HTTPException) -> str:
    if isinstance(error, MethodNotAllowed):
        return f"{request.method} cannot be done here; Allow names what can"
    if isinstance(error, NotFound):
        return NOWHERE
    return error.description or error.name


def _unexpected(error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in _FULL:  # of temporary files: the store tells of its own
        _log.error("%s %s: %s", request.method, request.url_rule, error, exc_info=error)
        return answer(507, "the disk for temporary files is full (TMPDIR); nothing of the request was stored")
    _log.error("%s %s broke", request.method, request.url_rule, exc_info=error)
    return answer(500, "this is a fault of the archive; the log has it under the request's id")


def answer(status: int, message: str, **details: Any) -> Response:
    """Return an answer that says what happened, and under which id the log has it."""
    page: Page = current_app.extensions[_PAGE]
    response = page(status, message, details)
    if response is None:
        response = jsonify(error=message, status=status, request=request_id(), **details)
        response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER
    return response
