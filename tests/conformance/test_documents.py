"""Instances without pixels are retrieved and described like any other, whatever a client accepts."""

from __future__ import annotations

import pytest

from tests.builders import dataset, part10, without_pixels
from tests.conformance.archive import Archive
from tests.conformance.wado import stored_at
from tests.rendering.documents import CDA, CT, ECG, KEY_OBJECTS, PDF, RAW, RT_PLAN, STRUCTURES


@pytest.mark.parametrize("sop_class", [PDF, CDA, KEY_OBJECTS, RT_PLAN, STRUCTURES, RAW, ECG])
def test_every_kind_is_retrieved_by_those_who_accept_anything(archive: Archive, sop_class: str) -> None:
    """BC-129: application/dicom is there for every SOP class, and metadata too (PS3.18 10.4.4)."""
    document = b"%PDF-1.7 " * 500
    ds = dataset(SOPClassUID=sop_class, EncapsulatedDocument=document, **without_pixels())
    path = stored_at(archive, part10(ds))
    for accept in (None, "*/*", "application/dicom", "text/html, */*;q=0.1"):
        assert archive.get(path, accept).status_code == 200
    for accept in (None, "*/*", "application/json, */*;q=0.1"):
        assert archive.get(f"{path}/metadata", accept).status_code == 200
    (metadata,) = archive.json(f"{path}/metadata")
    assert metadata["00420011"]["BulkDataURI"].endswith(f"{path}/bulkdata/00420011")
    address = metadata["00420011"]["BulkDataURI"].removeprefix("http://localhost/dicom-web")
    assert archive.get(address, "*/*").data == document


def test_a_page_is_made_for_what_lost_its_pixels(archive: Archive) -> None:
    path = stored_at(archive, part10(dataset(SOPClassUID=CT, **without_pixels())))
    answer = archive.get(f"{path}/rendered")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert "CT Image" in answer.get_data(as_text=True)
