"""What browsers are told: which pages of other origins may call the archive (the Fetch standard), and to take
every answer for what its Content-Type says.
"""

from __future__ import annotations

from flask import Flask, Response, request

_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_REQUEST_HEADERS = (
    "Accept, Accept-Charset, Authorization, Content-Type, If-None-Match, If-Range, Range, X-Request-ID"
)
_EXPOSED = (
    "Content-Length, Content-Location, Content-Range, ETag, Link, Location, Retry-After, Warning, "
    "X-Already-Stored, X-Request-ID, X-Total-Count"
)


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Answer preflights and mark answers, errors too, for the origins on the list."""

    @app.after_request
    def no_sniffing(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    if not origins:
        return

    @app.before_request
    def preflight() -> Response | None:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asked else None

    @app.after_request
    def mark(response: Response) -> Response:
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is None or not (origin in origins or "*" in origins):
            return response
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = "600"
        return response
