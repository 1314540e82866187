"""The grammar of STOW-RS: bodies, statuses, and the response of Annex I."""

from __future__ import annotations

import json
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dicom.xml import xml_to_dataset
from archive.dicomweb.store import (
    BodyKind,
    StoreBody,
    parse_store_content_type,
    response_dataset,
    response_json,
    response_xml,
    sentences,
    status_of,
)
from archive.errors import InvalidRequest, UnsupportedMedia
from archive.model.store import Failed, FailureReason, Outcome, Stored, WarningReason

BASE = "https://host/x/dicom-web"
CT = "1.2.840.10008.5.1.4.1.1.2"


def stored(uid: str = "1.2.3", study: str = "1", warning: WarningReason | None = None) -> Stored:
    return Stored(study, "1.2", uid, CT, warning)


DUPLICATE = Failed(FailureReason.DUPLICATE_SOP_INSTANCE, "another instance has this UID", "1.2.4", CT)
NO_STUDY = Failed(
    FailureReason.DOES_NOT_MATCH_SOP_CLASS, "StudyInstanceUID is missing", "1.2.5", CT, "0020000d"
)
JUNK = Failed(FailureReason.CANNOT_UNDERSTAND, "this part is not DICOM")

BODIES = [
    ('multipart/related; type="application/dicom"; boundary=b', StoreBody(BodyKind.DICOM_MULTIPART, "b")),
    ('Multipart/Related;boundary="b c";Type=application/dicom', StoreBody(BodyKind.DICOM_MULTIPART, "b c")),
    ("multipart/related; boundary=b", StoreBody(BodyKind.DICOM_MULTIPART, "b")),
    ('multipart/related; type="application/dicom+json"; boundary=b', StoreBody(BodyKind.JSON_MULTIPART, "b")),
    ("multipart/related; type=application/json; boundary=b", StoreBody(BodyKind.JSON_MULTIPART, "b")),
    ("multipart/related; type=application/dicom+xml; boundary=b", StoreBody(BodyKind.XML_MULTIPART, "b")),
    ("application/dicom; transfer-syntax=1.2.840.10008.1.2.1", StoreBody(BodyKind.DICOM_SINGLE)),
]


@pytest.mark.parametrize(("value", "body"), BODIES)
def test_bodies(value: str, body: StoreBody) -> None:
    assert parse_store_content_type(value) == body


@pytest.mark.parametrize(
    "value",
    [
        "",
        "junk",
        "text/plain",
        "application/dicom+json",
        "multipart/form-data; boundary=b",
        "multipart/related; type=image/png; boundary=b",
    ],
)
def test_bodies_that_are_not_taken(value: str) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        parse_store_content_type(value)
    assert "application/dicom" in caught.value.offered


@pytest.mark.parametrize("tail", ["", "; boundary=", '; boundary=""'])
def test_a_missing_boundary(tail: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_store_content_type("multipart/related; type=application/dicom" + tail)
    assert caught.value.where == "boundary"


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([stored()], 200),
        ([stored(), stored("1.2.9")], 200),
        ([stored(warning=WarningReason.DOES_NOT_MATCH)], 202),
        ([stored(), JUNK], 202),
        ([DUPLICATE, JUNK], 409),
    ],
)
def test_statuses(outcomes: list[Outcome], status: int) -> None:
    assert status_of(outcomes) == status


def test_the_response_is_table_i_1_1() -> None:
    outcomes: list[Outcome] = [
        stored(),
        DUPLICATE,
        JUNK,
        stored("1.2.6", warning=WarningReason.DOES_NOT_MATCH),
        NO_STUDY,
        stored(),
    ]
    url = f"{BASE}/studies/1/series/1.2/instances"
    reference = {"00081150": {"vr": "UI", "Value": [CT]}}
    assert response_dataset(outcomes, BASE) == {
        "00081190": {"vr": "UR", "Value": [f"{BASE}/studies/1"]},
        "00081198": {
            "vr": "SQ",
            "Value": [
                {
                    **reference,
                    "00081155": {"vr": "UI", "Value": ["1.2.4"]},
                    "00081197": {"vr": "US", "Value": [0x0111]},
                },
                {
                    **reference,
                    "00081155": {"vr": "UI", "Value": ["1.2.5"]},
                    "00081197": {"vr": "US", "Value": [0xA900]},
                    "00741048": {"vr": "SQ", "Value": [{"00720026": {"vr": "AT", "Value": ["0020000D"]}}]},
                },
            ],
        },
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    **reference,
                    "00081155": {"vr": "UI", "Value": ["1.2.3"]},
                    "00081190": {"vr": "UR", "Value": [f"{url}/1.2.3"]},
                },
                {
                    **reference,
                    "00081155": {"vr": "UI", "Value": ["1.2.6"]},
                    "00081190": {"vr": "UR", "Value": [f"{url}/1.2.6"]},
                    "00081196": {"vr": "US", "Value": [0xB007]},
                },
            ],
        },
        "0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xC000]}}]},
    }


def test_the_retrieve_url_is_empty_without_one_study() -> None:
    for outcomes in ([JUNK], [stored(), stored("1.2.7", study="2")]):
        assert response_dataset(outcomes, BASE)["00081190"] == {"vr": "UR"}


_UID = st.one_of(st.none(), st.text(max_size=5), st.from_regex(r"[0-9.]{1,9}", fullmatch=True))
_OUTCOME = st.one_of(
    st.builds(stored, st.from_regex(r"1\.[0-9]{1,3}", fullmatch=True), st.sampled_from(["1", "2"])),
    st.builds(Failed, st.sampled_from(list(FailureReason)), st.text(max_size=5), _UID, _UID),
)


@given(st.lists(_OUTCOME, max_size=8), st.integers(1, 100))
def test_pieces_of_json_and_xml_are_the_same_response(outcomes: list[Outcome], times: int) -> None:
    many = outcomes * times
    expected = response_dataset(many, BASE)
    text = b"".join(response_json(many, BASE))
    assert json.loads(text) == expected
    assert list(json.loads(text)) == sorted(expected)
    assert not any(tag.startswith(("0000", "0002")) for tag in expected)
    if times < 5:
        assert set(xml_to_dataset(b"".join(response_xml(many, BASE)))) == set(expected)


def test_pydicom_reads_a_large_response() -> None:
    outcomes = [stored(f"1.2.3.{n}") for n in range(5000)]
    pieces = list(response_json(outcomes, BASE))
    assert max(map(len, pieces)) < 2**17
    ds = pydicom.Dataset.from_json(b"".join(pieces).decode())
    assert len(ds.ReferencedSOPSequence) == 5000
    assert ds.ReferencedSOPSequence[-1].RetrieveURL.endswith("/instances/1.2.3.4999")


@pytest.mark.parametrize(
    ("outcome", "texts"),
    [
        (stored(), ()),
        (Stored("1", "2", "3", CT, notes=("00100030: not a date",)), ("00100030: not a date",)),
        (JUNK, ("this part is not DICOM",)),
        (NO_STUDY, ("StudyInstanceUID is missing (0020000D)",)),
        (Failed(0xC000, "(0020000D) is missing", attribute="0020000D"), ("(0020000D) is missing",)),
    ],
)
def test_sentences(outcome: Outcome, texts: tuple[str, ...]) -> None:
    assert sentences(outcome) == texts


def test_bad_uids_are_carried_as_text() -> None:
    bad: list[Any] = ['1.2"\x00\n', "x" * 100, "\ud800", "1.2.abc"]
    outcomes = [Failed(FailureReason.CANNOT_UNDERSTAND, "bad UID", uid) for uid in bad]
    items = json.loads(b"".join(response_json(outcomes, BASE)))["00081198"]["Value"]
    assert [item["00081155"]["Value"][0] for item in items] == ['1.2"\x00\n', "x" * 100, "?", "1.2.abc"]
