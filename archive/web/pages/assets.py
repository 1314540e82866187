"""Styles, scripts and pictures of the pages, read once and kept in memory.

Their address holds a digest of all of them, so browsers keep them for good, scripts find each other by
relative addresses, and a new release is never mixed with an old one.
"""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, url_for
from werkzeug.exceptions import NotFound

from archive.web.caching import etag_of, not_modified
from archive.web.context import accepts_gzip

ENDPOINT = "pages.static_file"
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_TEXT = frozenset(_TYPES.values())


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    zipped: bytes | None  # None where it would be no shorter
    media_type: str


class Assets:
    """The files below one folder."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in paths}
        digest = sha256()
        for name, file in self._files.items():
            digest.update(f"{name}\0{len(file.data)}\0".encode() + file.data)
        self._digest = digest.hexdigest()[:16]

    def add(self, blueprint: Blueprint) -> None:
        """Add the route that serves them."""
        blueprint.add_url_rule("/static/<digest>/<path:name>", "static_file", self._serve)

    def url(self, name: str) -> str:
        """Return the address of a file, for templates; KeyError for one that is not there."""
        if name not in self._files:
            raise KeyError(f"there is no static file {name}")
        return url_for(ENDPOINT, digest=self._digest, name=name)

    def _serve(self, digest: str, name: str) -> Response:
        file = self._files.get(name)
        if file is None:
            raise NotFound
        zipped = file.zipped if accepts_gzip() else None
        etag = etag_of(self._digest, name, "gzip" if zipped else "")
        if not_modified(etag):
            response = Response(status=304)
        else:
            response = Response(zipped or file.data, content_type=file.media_type)
            if zipped:
                response.headers["Content-Encoding"] = "gzip"
        response.headers["ETag"] = etag
        response.headers["Vary"] = "Accept-Encoding"
        # Another digest is that of another release: what is here now is sent, and not kept.
        response.headers["Cache-Control"] = _FOREVER if digest == self._digest else "no-cache"
        return response


def _read(path: Path) -> _File:
    data = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    zipped = gzip.compress(data, 9, mtime=0) if kind in _TEXT else data
    text = f"{kind}; charset=utf-8" if kind in _TEXT else kind
    return _File(data, zipped if len(zipped) < len(data) else None, text)
