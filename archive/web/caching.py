"""Validators: ETags over everything that an answer depends on, and 304 (RFC 9110 8.8 and 13)."""

from __future__ import annotations

from hashlib import sha256

from flask import Response, request

from archive import __version__
from archive.dicomweb.conditional import matches

VARY = "Accept, Accept-Encoding, Authorization"


def etag_of(*parts: str) -> str:
    """Return a strong ETag for the parts: revision, media type, coding, address."""
    digest = sha256("\0".join(parts).encode()).hexdigest()[:32]
    return f'"{digest}"'


def etag_of_made(*parts: str) -> str:
    """Return a strong ETag for what was made of the stored bytes: another release may make it otherwise."""
    return etag_of(*parts, __version__)


def not_modified(etag: str) -> bool:
    """Tell whether the client has this version already."""
    return matches(request.headers.get("If-None-Match"), etag)


def validated(response: Response, etag: str) -> Response:
    """Let the client keep the answer for itself, to be asked for again with its ETag."""
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = VARY
    return response
