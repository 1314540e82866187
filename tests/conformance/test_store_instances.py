"""STOW-RS of unusual instances (PS3.18 10.5): syntaxes, classes, preambles, strange groups, wrong lengths."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from tests import builders
from tests.builders import uid
from tests.conformance.archive import Archive, instance_path
from tests.conformance.stores import DUPLICATE, NOT_UNDERSTOOD, failures, warning

STUDY, SERIES, SOP = uid("study", 1), uid("series", 1), uid("instance", 1)
GOOD = builders.instance()


def another(number: int, **values: str | None) -> bytes:
    """Return another instance of the same series."""
    return builders.instance(SOPInstanceUID=uid("another", number), InstanceNumber=number, **values)


@pytest.mark.parametrize("syntax", builders.NATIVE)
def test_every_native_syntax_comes_in(archive: Archive, syntax: str) -> None:
    """8.7.3.1, also those that are never sent back by default: Implicit and Big Endian."""
    data = builders.instance(syntax=syntax)
    archive.stored(data)
    assert archive.instance(STUDY, SERIES, SOP) == data
    metadata = archive.json(f"/studies/{STUDY}/metadata")[0]
    assert metadata["00280010"] == {"vr": "US", "Value": [8]}
    answer = archive.get(instance_path(STUDY, SERIES, SOP), "application/dicom")
    assert builders.EXPLICIT in answer.headers["Content-Type"]


@pytest.mark.parametrize("changed", [{"SOPClassUID": "1.2.3.4"}, {"SOPClassUID": "1.2.840.10008.5.1.4.31"}])
def test_unknown_sop_classes_and_syntaxes_are_stored_as_they_are(
    archive: Archive, changed: dict[str, str]
) -> None:
    """An archive that takes only what it knows loses what comes next year."""
    data = builders.part10(builders.dataset(**changed))
    archive.stored(data)
    assert archive.instance(STUDY, SERIES, SOP) == data
    unknown = builders.part10(builders.dataset(SOPInstanceUID=uid("unknown"), PixelData=None), "1.2.3.4.5")
    archive.stored(unknown)
    assert archive.instance(STUDY, SERIES, uid("unknown")) == unknown


@pytest.mark.parametrize(
    "preamble", [b"II*\0" + bytes(124), b"\xff" * 128, b"<html>".ljust(128), b"DICM" * 32]
)
def test_the_preamble_is_anybodys_and_is_kept(archive: Archive, preamble: bytes) -> None:
    """PS3.10 7.1: slides that are TIFF and DICOM at once must survive."""
    data = builders.part10(builders.dataset(), preamble=preamble)
    archive.stored(data)
    answer = archive.get(instance_path(STUDY, SERIES, SOP), "application/dicom; transfer-syntax=*")
    assert answer.data == data


def test_a_bare_data_set_is_refused_and_told_why(archive: Archive) -> None:
    """PS3.18 8.7.3.1 asks for PS3.10 files; guessing at the syntax would be silent damage."""
    answer = archive.stow(GOOD[132:])
    assert answer.status_code == 409
    assert failures(answer) == [(NOT_UNDERSTOOD, None)]
    assert "Part 10" in warning(answer)


@pytest.mark.parametrize("extra", [0x00000002, 0x00020010, 0x00041220])
def test_groups_that_do_not_belong_into_a_data_set_do_not_reach_the_answer(
    archive: Archive, extra: int
) -> None:
    """PS3.10 7.1: group 0002 is before the data set; a second Transfer Syntax UID in it means nothing."""
    raw = builders.element(extra, "UI", b"1.2.840.10008.1.2\0")
    data = builders.raw_instance(b"", before=raw)
    archive.stored(data)
    (metadata,) = archive.json(f"/studies/{STUDY}/metadata")
    assert set(metadata) == {"00080016", "00080018", "0020000D", "0020000E"}
    answer = archive.get(instance_path(STUDY, SERIES, SOP), "application/dicom; transfer-syntax=*")
    assert answer.content_type == f"application/dicom; transfer-syntax={builders.EXPLICIT}"
    assert archive.instance(STUDY, SERIES, SOP) == data


@pytest.mark.parametrize(
    ("pixels", "told"), [(63, True), (64, False), (65, False), (10, True), (1, True), (10_000, False)]
)
def test_pixels_of_a_wrong_length_are_stored_and_told(archive: Archive, pixels: int, told: bool) -> None:
    """PS3.3 C.7.6.3: too few are seen on the way in; a frame beyond them is no 500."""
    raw = builders.part10(builders.dataset(PixelData=None)) + builders.element(
        0x7FE00010, "OB", bytes(pixels)
    )
    answer = archive.stow(raw)
    assert answer.status_code == 200, answer.data
    assert ("7FE00010" in warning(answer)) == told
    assert archive.instance(STUDY, SERIES, SOP) == raw
    frame = archive.get(f"{instance_path(STUDY, SERIES, SOP)}/frames/1", "application/octet-stream")
    assert frame.status_code in ((404, 406) if told else (200,)), frame.data


def test_counts_follow_a_delete_and_a_new_store(archive: Archive) -> None:
    """Aggregates drift where they are only added to; the ETag must change with the content."""
    archive.stored(GOOD, another(2))
    before = archive.get(f"/studies/{STUDY}/metadata").headers["ETag"]
    assert archive.request("DELETE", instance_path(STUDY, SERIES, SOP)).status_code == 204
    assert archive.json("/studies")[0]["00201208"]["Value"] == [1]
    archive.stored(GOOD)
    (study,) = archive.json("/studies")
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([1], [2])
    assert archive.get(f"/studies/{STUDY}/metadata").headers["ETag"] != before
    assert archive.request("DELETE", f"/studies/{STUDY}").status_code == 204
    archive.stored(GOOD)
    assert archive.json("/studies")[0]["00201208"]["Value"] == [1]
    assert DUPLICATE not in [reason for reason, _ in failures(archive.stow(GOOD))]


def test_values_beyond_the_first_instance_fill_up_the_study(archive: Archive) -> None:
    """Study values come from the first instance that has one."""
    archive.stored(builders.instance(StudyDescription=None, AccessionNumber=""))
    archive.stored(another(2, StudyDescription="Later", AccessionNumber="A2"))
    archive.stored(another(3, StudyDescription="Too late", AccessionNumber="A3"))
    (found,) = archive.json("/studies?AccessionNumber=A2&includefield=StudyDescription")
    assert found["00081030"]["Value"] == ["Later"]


def test_a_data_set_of_nothing_but_uids_is_an_instance(archive: Archive) -> None:
    """Only the four identifying UIDs are required."""
    ds = Dataset()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, SERIES
    ds.SOPInstanceUID, ds.SOPClassUID = SOP, builders.SECONDARY_CAPTURE
    data = builders.part10(ds)
    archive.stored(data)
    assert archive.instance(STUDY, SERIES, SOP) == data
