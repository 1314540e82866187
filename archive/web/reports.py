"""GET /api/requests/{id}: all that was to be told about a store request (its Warning header holds 1 KB)."""

from __future__ import annotations

from flask import Response, jsonify, request

from archive.errors import NotFound
from archive.web.access_log import is_request_id
from archive.web.context import principal, services


def report(**_: str) -> Response:
    """Answer with the warnings and failures of a request, in its order."""
    asked = (request.view_args or {})["request"]
    if not is_request_id(asked):
        raise NotFound("no request has such a name")
    return jsonify(request=asked, messages=services().store.report(principal(), asked))
