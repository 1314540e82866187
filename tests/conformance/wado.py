"""What the tests of WADO-RS share: instances under their address, and objects that get lost."""

from __future__ import annotations

import json

from tests.conformance.archive import Archive

OCTETS = "application/octet-stream"
PARTS = 'multipart/related; type="application/octet-stream"'
ANY_PARTS = 'multipart/related; type="*/*"'


def stored_at(archive: Archive, data: bytes) -> str:
    """Store an instance and return its path below the DICOMweb root."""
    answer = archive.stow(data)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    item = json.loads(answer.data)["00081199"]["Value"][0]
    return str(item["00081190"]["Value"][0]).split("/dicom-web")[1]


def lose_object(archive: Archive, sop: str) -> None:
    """Remove the bytes of an instance behind the archive's back."""
    keys = [each.key for each in archive.services.objects.list() if f"/{sop}/" in each.key]
    assert keys
    for key in keys:
        archive.services.objects.delete(key)
