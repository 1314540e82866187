"""An archive as its clients see it, over both pairs of back ends, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from werkzeug.test import Client, TestResponse

from archive.app import create_app
from archive.settings import Settings
from archive.web.context import EXTENSION, ROOT

AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
STOW = 'multipart/related; type="application/dicom"; boundary={}'


class Archive:
    """Requests below the DICOMweb root."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(settings)
        self.client = Client(self.app)
        self.services = self.app.extensions[EXTENSION]

    def close(self) -> None:
        """Give back threads and connections."""
        self.services.close()

    def request(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request; `path` is below the DICOMweb root, unless it begins with it.

        The whole answer is taken and closed, as a server does; else its context would outlive it.
        """
        options.setdefault("buffered", True)
        full = path if path.startswith((ROOT, "/api", "/live", "/ready", "/metrics")) else ROOT + path
        return self.client.open(full, method=method, **options)

    def get(self, path: str, accept: str | None = None, **headers: str) -> TestResponse:
        """Send GET; header names are given with underscores."""
        pairs = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            pairs["Accept"] = accept
        return self.request("GET", path, headers=pairs)

    def json(self, path: str, **headers: str) -> Any:
        """Send GET and return the JSON of a 200."""
        answer = self.get(path, **headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return json.loads(answer.data)

    def stow(self, *parts: bytes, path: str = "/studies", **headers: str) -> TestResponse:
        """Store Part 10 files in one multipart request."""
        pairs = {name.replace("_", "-"): value for name, value in headers.items()}
        pairs.setdefault("Content-Type", STOW.format("b"))
        return self.request("POST", path, data=multipart_body(parts), headers=pairs)

    def stored(self, *parts: bytes) -> None:
        """Store Part 10 files and see that all of them were taken."""
        answer = self.stow(*parts)
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def instance(self, study: str, series: str, sop: str) -> bytes:
        """Return an instance as stored."""
        answer = self.get(instance_path(study, series, sop), "application/dicom; transfer-syntax=*")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return bytes(answer.data)


def send(archive: Archive, method: str, path: str, **headers: str) -> TestResponse:
    """Send a request to any path of the server; header names are given with underscores."""
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return archive.client.open(path, method=method, headers=pairs, buffered=True)


def multipart_body(
    parts: Iterable[bytes], boundary: str = "b", content_type: str = "application/dicom"
) -> bytes:
    """Join parts to a body."""
    head = f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return b"".join(head + part for part in parts) + f"\r\n--{boundary}--\r\n".encode()


def parts_of(answer: TestResponse) -> list[tuple[dict[str, str], bytes]]:
    """Take a multipart answer apart at its boundary: headers (lower case) and bytes of each part."""
    boundary = answer.headers["Content-Type"].split("boundary=")[1].split(";")[0].strip('"').encode()
    preamble, *pieces, closing = (b"\r\n" + answer.data).split(b"\r\n--" + boundary)
    assert closing.startswith(b"--"), "the closing delimiter is missing"
    assert not preamble
    found = []
    for piece in pieces:
        head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode("ascii").split("\r\n")]
        found.append(({name.lower(): value for name, value in lines}, body))
    return found


def instance_path(study: str, series: str, sop: str) -> str:
    """Return the path of an instance."""
    return f"/studies/{study}/series/{series}/instances/{sop}"
