"""STOW-RS (PS3.18 10.5): what becomes of each instance, and how the answer says it."""

from __future__ import annotations

import json
from typing import Any

import pydicom
import pytest
from defusedxml import ElementTree
from pydicom.uid import generate_uid

from tests import builders
from tests.builders import uid
from tests.conformance.archive import Archive, instance_path, parts_of
from tests.conformance.stores import (
    NO_MATCH,
    NOT_UNDERSTOOD,
    failed_attributes,
    failures,
    nothing_is_left,
    stored,
    warning,
)

STUDY, SERIES, SOP = uid("study", 1), uid("series", 1), uid("instance", 1)
GOOD = builders.instance()
TEXT = b"This is no DICOM file.\r\n" * 200
TRUNCATED = builders.instance(SOPInstanceUID=uid("cut off"))[:-30]
NO_STUDY = builders.instance(SOPInstanceUID=uid("no study"), StudyInstanceUID=None)


def another(number: int, **values: Any) -> bytes:
    """Return another instance of the same series."""
    return builders.instance(SOPInstanceUID=uid("another", number), InstanceNumber=number, **values)


@pytest.mark.parametrize(
    ("parts", "status", "reasons"),
    [
        ([GOOD, another(2)], 200, []),
        ([GOOD, TEXT], 202, [NOT_UNDERSTOOD]),
        ([TEXT, GOOD], 202, [NOT_UNDERSTOOD]),
        ([GOOD, TRUNCATED], 202, [NOT_UNDERSTOOD]),
        ([GOOD, b""], 202, [NOT_UNDERSTOOD]),
        ([GOOD, NO_STUDY], 202, [NO_MATCH]),
        ([TEXT], 409, [NOT_UNDERSTOOD]),
        ([TEXT, NO_STUDY, TRUNCATED], 409, [NO_MATCH, NOT_UNDERSTOOD, NOT_UNDERSTOOD]),
    ],
)
def test_one_bad_part_never_harms_its_neighbours(
    archive: Archive, parts: list[bytes], status: int, reasons: list[int]
) -> None:
    """10.5.3.1: 200 all stored, 202 some, 409 none; each failure listed, each good one retrievable."""
    answer = archive.stow(*parts)
    assert answer.status_code == status
    assert sorted(reason for reason, _ in failures(answer)) == sorted(reasons)
    broken = [sop for sop in (uid("cut off"), uid("no study")) if any(sop.encode() in part for part in parts)]
    assert sorted(sop for _, sop in failures(answer) if sop) == sorted(broken)
    assert len(stored(answer)) == len(parts) - len(reasons)
    for sop in stored(answer):
        assert archive.instance(STUDY, SERIES, sop) in parts
    assert len(archive.json("/instances")) == len(parts) - len(reasons)
    assert bool(warning(answer)) == bool(reasons)


def test_an_answer_is_table_i_1_1_and_nothing_else(archive: Archive) -> None:
    """Table I.1-1, in JSON and in XML alike; no group 0000 or 0002, which strict readers refuse."""
    answer = archive.stow(GOOD, NO_STUDY, TEXT)
    assert answer.content_type == "application/dicom+json"
    response = json.loads(answer.data)
    base = "http://localhost/dicom-web"
    assert response == {
        "00081190": {"vr": "UR", "Value": [f"{base}/studies/{STUDY}"]},
        "00081198": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [builders.SECONDARY_CAPTURE]},
                    "00081155": {"vr": "UI", "Value": [uid("no study")]},
                    "00081197": {"vr": "US", "Value": [NO_MATCH]},
                    "00741048": {
                        "vr": "SQ",
                        "Value": [{"00720026": {"vr": "AT", "Value": ["0020000D"]}}],
                    },
                }
            ],
        },
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [builders.SECONDARY_CAPTURE]},
                    "00081155": {"vr": "UI", "Value": [SOP]},
                    "00081190": {"vr": "UR", "Value": [base + instance_path(STUDY, SERIES, SOP)]},
                }
            ],
        },
        "0008119A": {
            "vr": "SQ",
            "Value": [{"00081197": {"vr": "US", "Value": [NOT_UNDERSTOOD]}}],
        },
    }
    for url in (response["00081190"], response["00081199"]["Value"][0]["00081190"]):
        assert archive.get(url["Value"][0].removeprefix("http://localhost")).status_code == 200
    again = archive.stow(GOOD, NO_STUDY, TEXT, Accept="application/dicom+xml")
    assert (again.status_code, again.content_type) == (202, "application/dicom+xml")
    for keyword in ("RetrieveURL", "FailedSOPSequence", "ReferencedSOPSequence", "OtherFailuresSequence"):
        assert f'keyword="{keyword}"' in again.text
    assert 'tag="0000' not in again.text


def test_an_answer_that_nobody_can_read_stores_nothing(archive: Archive) -> None:
    """8.7.5: 406 before the body is looked at, so that a sender may change its mind."""
    answer = archive.stow(GOOD, Accept="image/png")
    assert answer.status_code == 406
    assert nothing_is_left(archive)


@pytest.mark.parametrize(
    "keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"]
)
@pytest.mark.parametrize("value", [None, "", "1.2.x", "1..2", "1.2.", ".1", "1.2/3", "1." + "2" * 63])
def test_a_bad_uid_is_named_with_its_attribute(archive: Archive, keyword: str, value: str | None) -> None:
    """A bare code left users guessing; the reason says which attribute (Failed Attributes Sequence)."""
    answer = archive.stow(builders.instance(**{keyword: value}))
    assert answer.status_code == 409
    (failure,) = failures(answer)
    assert failure[0] == NO_MATCH
    tag = f"{pydicom.datadict.tag_for_keyword(keyword):08X}"
    assert failed_attributes(answer) == [tag]
    assert keyword in warning(answer)
    assert tag in warning(answer)
    assert value is None or value == "" or value not in warning(answer)
    assert nothing_is_left(archive)


@pytest.mark.parametrize(
    "value", ["1.2.abc", "1.2\x01\x02\x1f", '1.2"]}', "1.2<&>", "..", "2" * 100, "1.2\\1.3\n", "\x7f\xff"]
)
@pytest.mark.parametrize("accept", ["application/dicom+json", "application/dicom+xml"])
def test_a_uid_that_breaks_formats_does_not_break_the_answer(
    archive: Archive, value: str, accept: str
) -> None:
    """Building the list of failures must not fail on what is in it."""
    raw = b"".join(
        builders.element(tag, "UI", text.encode("latin-1") + bytes(len(text) % 2))
        for tag, text in (
            (0x00080016, builders.SECONDARY_CAPTURE),
            (0x00080018, value),
            (0x0020000D, STUDY),
            (0x0020000E, "x"),
        )
    )
    answer = archive.stow(builders.raw_part10(raw), Accept=accept)
    assert answer.status_code == 409
    if accept.endswith("json"):
        assert failures(answer)[0][0] == NO_MATCH
    else:
        assert ElementTree.fromstring(answer.data).tag.endswith("NativeDicomModel")


@pytest.mark.parametrize("padding", [b"\0", b" ", b"  \0"])
def test_padded_uids_are_stored_under_their_trimmed_value(archive: Archive, padding: bytes) -> None:
    """PS3.5 9.1: a NUL fills up; senders also write spaces."""
    elements = [
        builders.element(tag, "UI", text.encode() + padding * 2)
        for tag, text in (
            (0x00080016, builders.SECONDARY_CAPTURE),
            (0x00080018, SOP),
            (0x0020000D, STUDY),
            (0x0020000E, SERIES),
        )
    ]
    data = builders.raw_part10(b"".join(elements))
    archive.stored(data)
    assert archive.instance(STUDY, SERIES, SOP) == data
    (found,) = archive.json(f"/instances?SOPInstanceUID={SOP}")
    assert found["00080018"]["Value"] == [SOP]


def test_uids_with_leading_zeros_are_matched_as_text(archive: Archive) -> None:
    """PS3.5 9.1 forbids them, old devices send them: every level works by the exact text, no other does."""
    study, series, sop = "1.2.003.4", "1.2.003.5", "1.2.003.6"
    data = builders.instance(StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID=sop)
    archive.stored(data)
    assert archive.instance(study, series, sop) == data
    assert len(archive.json(f"/studies?StudyInstanceUID={study}")) == 1
    assert archive.json("/studies?StudyInstanceUID=1.2.3.4") == []
    assert archive.get("/studies/1.2.3.4").status_code == 404
    assert archive.request("DELETE", f"/studies/{study}").status_code == 204


def test_one_uid_for_study_series_and_instance(archive: Archive) -> None:
    """The three are of different name spaces; some devices use one for all."""
    one = generate_uid()
    data = builders.instance(StudyInstanceUID=one, SeriesInstanceUID=one, SOPInstanceUID=one)
    archive.stored(data)
    assert archive.instance(one, one, one) == data
    for path in (f"/studies/{one}", f"/studies/{one}/series/{one}"):
        assert [body for _, body in parts_of(archive.get(path))] == [data]


def test_an_instance_of_another_study_than_the_path_fails_by_itself(archive: Archive) -> None:
    """10.5.1: the study of the path is that of every instance."""
    other = another(2, StudyInstanceUID=uid("study", 2))
    answer = archive.stow(GOOD, other, path=f"/studies/{STUDY}")
    assert answer.status_code == 202
    assert failures(answer) == [(NO_MATCH, uid("another", 2))]
    assert failed_attributes(answer) == ["0020000D"]
    assert stored(answer) == [SOP]
    assert len(archive.json("/studies")) == 1
    assert archive.stow(other, path=f"/studies/{STUDY}").status_code == 409
    refused = archive.stow(GOOD, path="/studies/1.2.x")
    assert refused.status_code == 400
    assert refused.json["where"] == "study"


@pytest.mark.parametrize("value", [None, "", "A\0", " A ", "A\\B", "x" * 70])
def test_any_patient_id_is_kept_as_sent(archive: Archive, value: str | None) -> None:
    """PatientID is type 2: it may be empty or missing, and nobody invents one."""
    files = [
        builders.instance(
            PatientID=value, StudyInstanceUID=uid("study", n), SOPInstanceUID=uid("instance", n)
        )
        for n in (1, 2)
    ]
    for number, data in enumerate(files, 1):
        archive.stored(data)
        assert archive.instance(uid("study", number), SERIES, uid("instance", number)) == data
    found = archive.json("/studies")
    assert len(found) == 2
    trimmed = [each.strip(" \0") for each in (value or "").split("\\") if each]
    for each in found:
        assert [text.strip() for text in each["00100020"].get("Value", [])] == trimmed
    if trimmed:
        assert len(archive.json(f"/studies?PatientID={trimmed[0]}")) == 2


def test_another_patient_in_a_study_is_stored_flagged_and_found_under_either(archive: Archive) -> None:
    """B007: stored all the same, because losing an image is worse; told, because somebody must look."""
    answer = archive.stow(GOOD)
    assert answer.status_code == 200
    other = another(2, PatientID="P2")
    answer = archive.stow(other)
    assert answer.status_code == 202
    (item,) = json.loads(answer.data)["00081199"]["Value"]
    assert item["00081196"] == {"vr": "US", "Value": [0xB007]}
    assert "PatientID" in warning(answer)
    assert "P2" not in warning(answer)
    for patient in ("P1", "P2"):
        (found,) = archive.json(f"/studies?PatientID={patient}")
        assert found["00201208"]["Value"] == [2]
        assert found["00100020"]["Value"] == ["P1"]
    assert len(archive.json("/studies")) == 1
    assert archive.instance(STUDY, SERIES, uid("another", 2)) == other


def test_an_empty_patient_id_contradicts_nobody(archive: Archive) -> None:
    """A derived object without PatientID belongs to its study's patient; a first one without is filled."""
    archive.stored(builders.instance(PatientID=""))
    archive.stored(another(2, PatientID="P1"))
    archive.stored(another(3, PatientID=None))
    (found,) = archive.json("/studies?PatientID=P1")
    assert found["00201208"]["Value"] == [3]


def test_issuers_tell_patients_apart(archive: Archive) -> None:
    """Rows that contradict each other from before never make a later store fail."""
    for number, issuer in enumerate(["A", "B", None, "A"], 1):
        answer = archive.stow(another(number, IssuerOfPatientID=issuer))
        assert answer.status_code == (202 if issuer == "B" else 200)
    assert archive.json("/studies")[0]["00201208"]["Value"] == [4]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", "1970-01-01"),
        ("StudyDate", "0"),
        ("StudyTime", "24:61"),
        ("SeriesNumber", "one"),
        ("PatientWeight", "1,5"),
        ("Modality", "lower case"),
        ("StudyID", "x" * 17),
        ("FrameOfReferenceUID", "1.2 letters"),
        ("PatientAge", "42"),
    ],
)
def test_an_invalid_value_is_kept_and_told(archive: Archive, keyword: str, value: str) -> None:
    """Data are never changed: 200, the bytes as sent, and a Warning that names the attribute only."""
    tag = pydicom.datadict.tag_for_keyword(keyword)
    vr = pydicom.datadict.dictionary_VR(keyword)
    raw = builders.element(tag, vr, (value + " " * (len(value) % 2)).encode())
    data = builders.raw_instance(raw)
    answer = archive.stow(data)
    assert answer.status_code == 200, answer.data
    assert f"{tag:08X}" in warning(answer)
    assert value not in warning(answer).replace(f"{tag:08X}", "")
    assert archive.instance(STUDY, SERIES, SOP) == data
    assert archive.json("/studies/" + STUDY + "/metadata")[0][f"{tag:08X}"]["Value"] == [value]


def test_valid_instances_are_stored_without_a_warning(archive: Archive) -> None:
    """A header that cries wolf is not read."""
    answer = archive.stow(builders.instance(PatientAge="042Y", PatientWeight="70.5", StudyTime="1015"))
    assert "Warning" not in answer.headers


def test_all_that_is_to_be_told_can_be_asked_for(archive: Archive) -> None:
    """A Warning header is at most 1 KB; /api/requests/<id> has every line, in the order of the request."""
    bad = [builders.instance(SOPInstanceUID=f"1.2.x.{n}" + ".0" * 20) for n in range(40)]
    answer = archive.stow(GOOD, *bad, TEXT)
    assert len(answer.headers["Warning"]) <= 1024
    place = f"/api/requests/{answer.headers['X-Request-ID']}"
    report = archive.json(place)
    assert [each["kind"] for each in report["messages"]] == ["failure"] * 41
    assert report["messages"][3]["sop_instance_uid"].startswith("1.2.x.3.")
    assert "SOPInstanceUID" in report["messages"][0]["message"]
    assert archive.get("/api/requests/nobody-asked").status_code == 404


def test_a_long_warning_says_where_the_rest_is(archive: Archive) -> None:
    """RFC 7234 5.5, and proxies that refuse long headers."""
    bad = [builders.raw_instance(b"".join(builders.element(0x00091000 + k, "DS", b"no") for k in range(60)))]
    answer = archive.stow(*bad)
    assert answer.status_code == 200
    assert len(answer.headers["Warning"]) <= 1024
    place = f"/api/requests/{answer.headers['X-Request-ID']}"
    assert place in warning(answer)
    assert len(archive.json(place)["messages"]) == 60
