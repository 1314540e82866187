"""STOW-RS of every file there is: what can be read comes back as it was, what cannot is told why."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

from archive.model.uid import is_uid
from tests.conformance.archive import Archive
from tests.conformance.stores import NO_MATCH, NOT_UNDERSTOOD, failed_attributes, failures, warning
from tests.samples import pydicom_files, sample

# Files that cannot be stored: Failure Reason, attribute at fault, whether the instance is named.
REFUSED: dict[str, tuple[int, str, bool]] = {
    "pydicom-data__JLSL_RGB_ILV0.dcm": (NOT_UNDERSTOOD, "", False),
    "pydicom-data__JLSN_RGB_ILV0.dcm": (NOT_UNDERSTOOD, "", False),
    "pydicom-data__OT-PAL-8-face.dcm": (NOT_UNDERSTOOD, "", False),
    "pydicom-data__bad_sequence.dcm": (NO_MATCH, "0020000D", True),
    "pydicom__ExplVR_BigEndNoMeta.dcm": (NOT_UNDERSTOOD, "", False),
    "pydicom__ExplVR_LitEndNoMeta.dcm": (NOT_UNDERSTOOD, "", False),
    "pydicom__MR_truncated.dcm": (NOT_UNDERSTOOD, "7FE00010", True),
    "pydicom__UN_sequence.dcm": (NO_MATCH, "0020000D", False),
    "pydicom__empty_charset_LEI.dcm": (NO_MATCH, "0020000D", False),
    "pydicom__meta_missing_tsyntax.dcm": (NOT_UNDERSTOOD, "00020010", False),
    "pydicom__nested_priv_SQ.dcm": (NO_MATCH, "0020000D", False),
    "pydicom__no_meta.dcm": (NOT_UNDERSTOOD, "", False),
    "pydicom__no_meta_group_length.dcm": (NO_MATCH, "0020000D", False),
    "pydicom__priv_SQ.dcm": (NO_MATCH, "0020000D", False),
    "pydicom__rtplan_truncated.dcm": (NOT_UNDERSTOOD, "300A00B0", True),
    "pydicom__rtstruct.dcm": (NOT_UNDERSTOOD, "", False),
    "declared-length-4gb.dcm": (NOT_UNDERSTOOD, "7FE00010", True),
    "empty-SOPInstanceUID.dcm": (NO_MATCH, "00080018", False),
    "empty-StudyInstanceUID.dcm": (NO_MATCH, "0020000D", True),
    "empty-file.dcm": (NOT_UNDERSTOOD, "", False),
    "missing-SOPClassUID.dcm": (NO_MATCH, "00080016", True),
    "missing-SOPInstanceUID.dcm": (NO_MATCH, "00080018", False),
    "missing-SeriesInstanceUID.dcm": (NO_MATCH, "0020000E", True),
    "missing-StudyInstanceUID.dcm": (NO_MATCH, "0020000D", True),
    "nested-20000-undefined-length.dcm": (NOT_UNDERSTOOD, "0040A168", True),
    "no-preamble-with-meta.dcm": (NOT_UNDERSTOOD, "", False),
    "not-dicom-text.dcm": (NOT_UNDERSTOOD, "", False),
    "only-preamble.dcm": (NOT_UNDERSTOOD, "00020010", False),
    "sopuid-letters.dcm": (NO_MATCH, "00080018", True),
    "sopuid-too-long.dcm": (NO_MATCH, "00080018", True),
    "sopuid-trailing-dot.dcm": (NO_MATCH, "00080018", True),
    "sopuid-traversal.dcm": (NO_MATCH, "00080018", True),
    "truncated-in-dataset.dcm": (NOT_UNDERSTOOD, "00100030", True),
    "truncated-in-meta.dcm": (NOT_UNDERSTOOD, "00020003", False),
    "truncated-in-pixeldata.dcm": (NOT_UNDERSTOOD, "7FE00010", True),
}

# Files that are stored as they are: what the Warning header names; "" where there is nothing to tell.
TAKEN = {
    "GoogleCloudPlatform__example3.dcm": "",
    "GoogleCloudPlatform__mr_1.0.0.0.dcm": "",
    "dicomweb-client__file.dcm": "",
    "pydicom-data__emri_small_jpeg_2k_lossless_too_short.dcm": "7FE00010",
    "pydicom-data__explicit_VR-UN.dcm": "",
    "pydicom__JPEG-lossy.dcm": "",
    "pydicom__JPEG2000-embedded-sequence-delimiter.dcm": "",
    "pydicom__MR_small_padded.dcm": "",
    "pydicom__badVR.dcm": "00280008 00020003",
    "pydicom__reportsi_with_empty_number_tags.dcm": "",
    "pylibjpeg-data__JPEGLossless_1s_1f_i_16_16_bad.dcm": "00080020",
    "pylibjpeg-data__RG2_JPLY.dcm": "",
    "pynetdicom__CTImageStorage_bad_meta.dcm": "",
    "bad-values.dcm": "00080020 00080030 0008103E 00100030",
    "bot-wrong-offsets.dcm": "",
    "ds-9000-values.dcm": "",
    "empty-Modality.dcm": "",
    "empty-PatientID.dcm": "",
    "group-length-elements.dcm": "",
    "meta-sop-mismatch.dcm": "00020003",
    "missing-Modality.dcm": "",
    "missing-PatientID.dcm": "",
    "missing-PatientName.dcm": "",
    "missing-StudyDate.dcm": "",
    "nested-200.dcm": "",
    "non-storage-sop-class.dcm": "",
    "number-of-frames-huge.dcm": "7FE00010",
    "number-of-frames-zero.dcm": "",
    "ok-control.dcm": "",
    "out-of-order-tags.dcm": "",
    "patientid-path-traversal.dcm": "",
    "preamble-html.dcm": "",
    "preamble-mz.dcm": "",
    "preamble-tiff.dcm": "",
    "private-sop-class.dcm": "",
    "rows-cols-65535.dcm": "7FE00010",
    "same-sopuid-a.dcm": "",
    "same-sopuid-b-different-content.dcm": "",
    "same-sopuid-c-other-study.dcm": "",
    "same-study-other-patient.dcm": "",
    "sequence-20000-items.dcm": "",
    "sopuid-leading-zero.dcm": "00080018",
    "sopuid-trailing-space.dcm": "",
    "trailing-garbage.dcm": "followed",
    "unknown-transfer-syntax.dcm": "",
    "xss-strings.dcm": "",
    "zip-bomb-ish-deflated.dcm": "",
}


def place_of(answer: Any) -> str:
    """Return the path of the one instance that an answer says is stored."""
    (item,) = json.loads(answer.data)["00081199"]["Value"]
    return str(item["00081190"]["Value"][0].removeprefix("http://localhost"))


def round_trip(archive: Archive, data: bytes) -> None:
    """Store an instance alone, read it back, and take it away again: others may have its UIDs."""
    answer = archive.stow(data)
    assert answer.status_code == 200, answer.data
    place = place_of(answer)
    back = archive.get(place, "application/dicom; transfer-syntax=*")
    assert back.status_code == 200
    assert back.data == data, "other bytes came back"
    assert archive.request("DELETE", place).status_code == 204


def storable(path: Path) -> bool:
    """Tell, by pydicom, whether a file has a Part 10 head and the four UIDs; what is cut off, is known."""
    data = path.read_bytes()
    if data[128:132] != b"DICM" or REFUSED.get(f"pydicom__{path.name}"):
        return False
    ds = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    return all(is_uid(str(ds.get(keyword, "")).strip(" \0")) for keyword in keywords)


def come_and_go(archive: Archive, paths: list[Path]) -> int:
    """Store each file alone; return how many were taken, which are those that can be."""
    taken = 0
    for path in paths:
        data = path.read_bytes()
        if storable(path):
            round_trip(archive, data)
            taken += 1
            continue
        answer = archive.stow(data)
        assert answer.status_code == 409, path.name
        assert failures(answer)[0][0] in {NO_MATCH, NOT_UNDERSTOOD}, path.name
        assert warning(answer), path.name
    assert archive.json("/studies") == []
    return taken


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom tells of values that are wrong in the files
def test_every_file_that_pydicom_ships_comes_back_or_is_told_why(archive: Archive) -> None:
    assert come_and_go(archive, pydicom_files()) > 50


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_readable_sample_comes_back(archive: Archive) -> None:
    rows = json.loads(sample("manifest.json").read_text())
    paths = [sample(row["path"]) for row in rows if not row["path"].startswith(("malformed/", "dicomdir/"))]
    assert come_and_go(archive, paths) > 270


def malformed() -> dict[str, Path]:
    """Return the malformed samples by name."""
    return {path.name: path for path in sorted(sample("malformed").glob("**/*.dcm"))}


def test_malformed_samples_are_refused_with_reason_and_attribute(archive: Archive) -> None:
    """Never a 500, whatever comes: a gateway would send it again for ever."""
    assert malformed().keys() == REFUSED.keys() | TAKEN.keys()
    for name, (reason, attribute, named) in REFUSED.items():
        answer = archive.stow(malformed()[name].read_bytes())
        assert answer.status_code == 409, name
        ((got, sop),) = failures(answer)
        assert (got, sop is not None) == (reason, named), name
        assert failed_attributes(answer) == ([attribute] if attribute else []), name
        assert attribute in warning(answer), name
        assert warning(answer), name
    assert archive.json("/studies") == []
    round_trip(archive, malformed()["ok-control.dcm"].read_bytes())


def test_malformed_samples_that_can_be_kept_are_kept_as_sent(archive: Archive) -> None:
    for name, named in TAKEN.items():
        data = malformed()[name].read_bytes()
        answer = archive.stow(data)
        assert answer.status_code == 200, name
        assert all(tag in warning(answer) for tag in named.split()), name
        assert bool(named) == ("Warning" in answer.headers), (name, warning(answer))
        place = place_of(answer)
        assert archive.get(place, "application/dicom; transfer-syntax=*").data == data, name
        (metadata,) = archive.json(f"{place}/metadata")
        assert {"00080016", "00080018", "0020000D", "0020000E"} <= metadata.keys(), name
        assert archive.request("DELETE", place).status_code == 204
    assert archive.json("/studies") == []


def test_a_directory_of_media_is_no_instance(archive: Archive) -> None:
    """PS3.3 F: a DICOMDIR has no study; it is refused by that name, so that whole media can be sent."""
    for path in sorted(sample("dicomdir").iterdir()):
        answer = archive.stow(path.read_bytes())
        assert answer.status_code == 409, path.name
        assert failed_attributes(answer) == ["0020000D"], path.name


def test_all_malformed_samples_in_one_request(archive: Archive) -> None:
    """Each part fails or is stored by itself; of those that share UIDs the first is taken."""
    files = [path.read_bytes() for path in malformed().values()]
    answer = archive.stow(*files)
    assert answer.status_code == 202
    reasons = [reason for reason, _ in failures(answer)]
    assert len([reason for reason in reasons if reason in (NO_MATCH, NOT_UNDERSTOOD)]) == len(REFUSED)
    listed = json.loads(answer.data)["00081199"]["Value"]
    assert len(listed) + len(reasons) <= len(files)  # some differ in their preamble only: one instance
    for item in listed:
        place = item["00081190"]["Value"][0].removeprefix("http://localhost")
        assert archive.get(place, "application/dicom; transfer-syntax=*").data in files
    assert len(archive.json("/instances?limit=200")) == len(listed)
