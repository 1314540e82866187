"""The archive that a browser looks at, as a test speaks of it: its address, and instances put into it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.archive import STOW, multipart_body


@dataclass(frozen=True)
class Site:
    """A running archive: `root` is its address without a slash, `log` what it wrote."""

    root: str
    log: Path

    def store(self, *files: bytes) -> None:
        """Store Part 10 files and see that all of them were taken."""
        if not files:
            return
        request = urllib.request.Request(
            f"{self.root}/dicom-web/studies",
            data=multipart_body(files, "part-of-a-test"),
            headers={"Content-Type": STOW.format("part-of-a-test"), "Accept": "application/dicom+json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200, answer.read()

    def json(self, path: str) -> Any:
        """Return the DICOM JSON at a path below the DICOMweb root."""
        request = urllib.request.Request(
            f"{self.root}/dicom-web{path}", headers={"Accept": "application/dicom+json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
