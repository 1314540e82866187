"""Native DICOM Models: there and back, against pydicom's JSON and DCMTK's XML, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dicom.xml import MAX_DEPTH, dataset_to_xml, xml_to_dataset
from archive.errors import InvalidRequest, TooLarge
from tests.samples import pydicom_file

DCM2XML = shutil.which("dcm2xml")
FILES = [
    "CT_small.dcm",
    "MR_small.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
    "test-SR.dcm",
    "nested_priv_SQ.dcm",
    "priv_SQ.dcm",
    "chrH31.dcm",
    "chrKoreanMulti.dcm",
]


def dicom_json(path: Path) -> dict[str, Any]:
    """Return pydicom's DICOM JSON of a file, without what the model cannot tell apart."""
    ds = pydicom.dcmread(path, force=True)
    return plain(
        ds.to_json_dict(bulk_data_threshold=64, bulk_data_element_handler=lambda element: f"b/{element.tag}")
    )


def plain(dataset: dict[str, Any]) -> dict[str, Any]:
    """Leave out empty values at the end and in person names, where XML has no elements for them."""
    result = {}
    for tag, element in sorted(dataset.items()):
        copy = dict(element)
        if copy["vr"] == "SQ":
            copy["Value"] = [plain(item) for item in copy.get("Value", [])]
        elif "Value" in copy:
            copy["Value"] = [_plain(copy["vr"], value) for value in copy["Value"]]
        if not copy.get("Value", True) or all(value is None for value in copy.get("Value", [0])):
            del copy["Value"]
        result[tag] = copy
    return result


def _plain(vr: str, value: Any) -> Any:
    if vr == "PN":
        return {group: text.rstrip("^") for group, text in (value or {}).items() if text.rstrip("^")} or None
    return None if value == "" else value


@pytest.mark.filterwarnings("ignore")  # pydicom's, about the values in its files
@pytest.mark.parametrize("name", FILES)
def test_round_trip_of_real_data_sets(name: str) -> None:
    dataset = dicom_json(pydicom_file(name))
    assert xml_to_dataset(dataset_to_xml(dataset)) == dataset


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(DCM2XML is None, reason="DCMTK is not installed")
@pytest.mark.parametrize("name", FILES[:5])
def test_dcmtk_writes_the_same(name: str) -> None:
    path = pydicom_file(name)
    command = [str(DCM2XML), "--native-format", "--use-xml-namespace", str(path)]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    theirs, ours = xml_to_dataset(output), xml_to_dataset(dataset_to_xml(dicom_json(path)))
    assert common(theirs, ours) > 10


def common(theirs: dict[str, Any], ours: dict[str, Any]) -> int:
    """Compare the values of attributes that both have in text; return how many there are."""
    count = 0
    assert {tag for tag in ours if tag[4:] != "0000"} <= set(theirs)
    for tag, element in ours.items():
        other = theirs[tag]
        if element["vr"] != other["vr"] or "Value" not in element or element["vr"] in {"DS", "FL", "FD"}:
            continue
        if element["vr"] == "SQ":
            count += sum(common(*pair) for pair in zip(other["Value"], element["Value"], strict=True))
        elif ascii(element).isascii() and "\\x" not in ascii(element) and "\\u" not in ascii(element):
            assert other["Value"] == element["Value"], tag
            count += 1
    return count


_CHARS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_CLEAN = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=8
)
_NAME = _CLEAN.filter(lambda text: text.strip("^") == text)
_LEAF = st.one_of(
    st.builds(lambda v: {"vr": "LO", "Value": v}, st.lists(_CLEAN, min_size=1, max_size=3)),
    st.builds(lambda v: {"vr": "US", "Value": v}, st.lists(st.integers(0, 65535), min_size=1, max_size=3)),
    st.builds(lambda v: {"vr": "FD", "Value": [v]}, st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(
        lambda a, i: {"vr": "PN", "Value": [{"Alphabetic": a, "Ideographic": i}, None, {"Phonetic": a}]},
        _NAME,
        _NAME,
    ),
    st.sampled_from(
        [
            {"vr": "DS", "Value": [1.5, None, 0, None]},
            {"vr": "DS", "Value": ["0.12345678901234567", "junk"]},
            {"vr": "SV", "Value": [-5, "9007199254740993"]},
            {"vr": "FL", "Value": ["NaN", "-Infinity"]},
            {"vr": "AT", "Value": ["0020000D"]},
            {"vr": "OB", "InlineBinary": "AAECAw=="},
            {"vr": "OW", "BulkDataURI": "http://host/a?b=1&c=%20\"'"},
            {"vr": "ST"},
            {"vr": "SQ"},
        ]
    ),
)
_TAG = st.builds("{:04X}{:04X}".format, st.sampled_from([0x0008, 0x0010, 0x0040]), st.integers(1, 0xFFFF))
_DATASET: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(_TAG, _LEAF, max_size=4),
    lambda inner: st.dictionaries(
        _TAG,
        _LEAF | st.builds(lambda v: {"vr": "SQ", "Value": v}, st.lists(inner, min_size=1, max_size=3)),
        max_size=3,
    ),
    max_leaves=8,
)


@given(_DATASET)
def test_round_trip_of_any_data_set(dataset: dict[str, Any]) -> None:
    assert xml_to_dataset(BytesIO(dataset_to_xml(dataset))) == dataset


@given(_CHARS)
def test_any_text_makes_well_formed_xml(text: str) -> None:
    (value,) = xml_to_dataset(dataset_to_xml({"00100020": {"vr": "LO", "Value": [text]}}))["00100020"][
        "Value"
    ]
    assert len(value) == len(text)
    assert all(ours in {theirs, "\ufffd"} for ours, theirs in zip(value, text, strict=True))


def test_private_attributes_are_written_with_their_creator() -> None:
    dataset = {
        "00090010": {"vr": "LO", "Value": ["A"]},
        "00090011": {"vr": "LO", "Value": ["B"]},
        "00091001": {"vr": "LO", "Value": ["a"]},
        "00091101": {"vr": "LO", "Value": ["b"]},
        "00091201": {"vr": "LO", "Value": ["whose?"]},
        "000B0010": {"vr": "LO", "Value": ["twice"]},
        "000B0011": {"vr": "LO", "Value": ["twice"]},
        "000B1001": {"vr": "LO", "Value": ["1"]},
        "000B1101": {"vr": "LO", "Value": ["2"]},
    }
    text = dataset_to_xml(dataset)
    assert b'<DicomAttribute tag="00090001" vr="LO" privateCreator="B">' in text
    assert b'<DicomAttribute tag="00091201" vr="LO">' in text
    assert xml_to_dataset(text) == dataset


def test_private_attributes_without_blocks_get_them() -> None:
    def private(tag: str, creator: str) -> str:
        value = f"<Value>{creator}</Value>"
        return f'<DicomAttribute tag="{tag}" vr="LO" privateCreator="{creator}">{value}</DicomAttribute>'

    attributes = private("00090001", "A") + private("00091102", "B") + private("00090003", "A")
    assert xml_to_dataset(f"<NativeDicomModel>{attributes}</NativeDicomModel>".encode()) == {
        "00090010": {"vr": "LO", "Value": ["A"]},
        "00090011": {"vr": "LO", "Value": ["B"]},
        "00091001": {"vr": "LO", "Value": ["A"]},
        "00091003": {"vr": "LO", "Value": ["A"]},
        "00091102": {"vr": "LO", "Value": ["B"]},
    }


def model(content: str, vr: str = "LO") -> bytes:
    """Return a model with one attribute."""
    attribute = f'<DicomAttribute tag="00100010" vr="{vr}">{content}</DicomAttribute>'
    return f"<NativeDicomModel>{attribute}</NativeDicomModel>".encode()


def deep(levels: int) -> bytes:
    """Return sequences in sequences."""
    open_item = '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">'
    body = open_item * levels + "</Item></DicomAttribute>" * levels
    return f"<NativeDicomModel>{body}</NativeDicomModel>".encode()


BAD = {
    "not XML": b"{}",
    "cut off": model("")[:-5],
    "empty": b"",
    "another root": b"<DicomAttribute/>",
    "stray element": b"<NativeDicomModel><Value/></NativeDicomModel>",
    "no tag": b'<NativeDicomModel><DicomAttribute vr="LO"/></NativeDicomModel>',
    "no vr": b'<NativeDicomModel><DicomAttribute tag="00100010"/></NativeDicomModel>',
    "numbers fall": model('<Value number="2">a</Value><Value number="1">b</Value>'),
    "numbers leap": model('<Value number="99999999999">a</Value>'),
    "number is none": model('<Value number="x">a</Value>'),
    "value in a sequence": model("<Value>a</Value>", "SQ"),
    "item in a text": model("<Item/>"),
    "value in a name": model("<Value>a</Value>", "PN"),
    "too deep": deep(MAX_DEPTH + 1),
    "entities": b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;">]><NativeDicomModel>&c;</NativeDicomModel>',
    "external": b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><NativeDicomModel/>',
    "encoding": b'<?xml version="1.0" encoding="nonsense"?><NativeDicomModel/>',
    "bytes": b'<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel>\xff</NativeDicomModel>',
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        xml_to_dataset(BAD[name])


def test_limits() -> None:
    deepest = xml_to_dataset(deep(MAX_DEPTH))
    assert xml_to_dataset(dataset_to_xml(deepest)) == deepest
    with pytest.raises(TooLarge):
        xml_to_dataset(model("<Value>" + "x" * 1000 + "</Value>"), max_bytes=1000)


def test_values_left_out_and_bulk_by_uuid() -> None:
    assert xml_to_dataset(model('<Value number="1">a</Value><Value number="3">b</Value>')) == {
        "00100010": {"vr": "LO", "Value": ["a", None, "b"]}
    }
    assert xml_to_dataset(model('<BulkData uuid="1-2"/>', "OB")) == {
        "00100010": {"vr": "OB", "BulkDataURI": "urn:uuid:1-2"}
    }
