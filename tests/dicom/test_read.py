"""Reading an instance: against pydicom on every file there is, and what is refused and why."""

from __future__ import annotations

import json
import math
import struct
import threading
import time
import tracemalloc
import warnings
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from archive.dicom import segments
from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource
from archive.errors import NotDicom
from archive.model.instance import Reading
from tests import builders as b
from tests.samples import PYDICOM, SAMPLES

LIMIT = 2**27
BULK = "bulk value"


def read(data: bytes, *, max_inflated: int = LIMIT) -> Reading:
    """Read bytes as the store does, closing what an inflated form holds."""
    result = read_instance(BytesSource(data), bulk_threshold=1024, max_inflated=max_inflated)
    if result.inflated is not None:
        result.inflated.close()
    return result.reading


def metadata(data: bytes) -> dict[str, Any]:
    """Return the DICOM JSON of an instance, parsed strictly."""

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    text = segments.text(read(data).metadata, b"http://host")
    return dict(json.loads(text, parse_constant=refuse))


def files() -> list[Path]:
    """Return every file that may be DICOM, of pydicom and of the samples."""
    found = [*PYDICOM.glob("test_files/**/*"), *PYDICOM.glob("charset_files/*")]
    if SAMPLES is not None:
        found += SAMPLES.rglob("*")
    other = {".py", ".json", ".md", ".txt"}
    return sorted(path for path in found if path.is_file() and path.suffix not in other)


def plain(element: dict[str, Any]) -> tuple[str, Any]:
    """Reduce an element to what both readers must agree on."""
    if "BulkDataURI" in element:
        return element["vr"], BULK
    if "InlineBinary" in element:
        return element["vr"], element["InlineBinary"]
    if element["vr"] == "SQ":
        return "SQ", [whole(each) for each in element.get("Value", [])]
    values = [_value(each) for each in element.get("Value", [])]
    return element["vr"], [] if values == [None] else values


def whole(item: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Reduce a data set; group lengths and trailing padding are not in the JSON model."""
    return {
        tag: plain(each)
        for tag, each in item.items()
        if tag[4:] != "0000" and tag[:4] not in ("0000", "0002", "0004") and tag != "FFFCFFFC"
    }


def _value(value: Any) -> Any:
    if isinstance(value, dict):  # padding of name components is no part of them
        return {group: text.rstrip(" ") for group, text in value.items() if text} or None
    if isinstance(value, str):  # padding: leading spaces mean nothing in any VR of several values
        return value.strip(" \0") or None
    if isinstance(value, float) and not math.isfinite(value):  # pydicom writes inf, which is no JSON
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and abs(value) > 2**53:  # strings there (F.2.3), which pydicom does not do
        return str(value)
    return float(value) if isinstance(value, int) else value


# Where pydicom is the one that differs: file and tag, with the reason.
PYDICOM_DIFFERS = {
    ("badVR.dcm", "00280008"): "leaves out an IS that is no number",
    ("invalid-utf8.dcm", "00100010"): "fails on bytes that are not UTF-8",
    ("iso2022-ir58.dcm", "00100010"): "leaves escape sequences in the text",
    ("latin9-ir203.dcm", "00100010"): "does not know ISO_IR 203",
    ("shiftjis-backslash-ir13.dcm", "00100010"): "fails on an empty name among several",
    ("bad-values.dcm", "0008103E"): "leaves out an LO that is too long",
    ("bad-values.dcm", "00200013"): "leaves out an IS beyond 32 bits",
    ("bad-values.dcm", "00281050"): "leaves out a DS with a comma",
    ("sopuid-leading-zero.dcm", "00080018"): "leaves out a UID with a leading zero",
    ("emri_small_jpeg_2k_lossless_too_short.dcm", ""): "stops early at a value that is cut off",
}


def differs(name: str, tag: str) -> bool:
    """Tell whether pydicom is known to differ."""
    short = name.rpartition("__")[2]
    return (short, tag) in PYDICOM_DIFFERS or (short, "") in PYDICOM_DIFFERS


FILES = [pytest.param(path, id="/".join(path.parts[-2:])) for path in files()]


@pytest.mark.parametrize("path", FILES)
def test_json_is_that_of_pydicom(path: Path) -> None:
    data = path.read_bytes()
    try:
        ours = metadata(data)
    except NotDicom as error:
        if error.reason not in (0xA900, 0xC000) or not str(error):
            raise
        return
    assert list(ours) == sorted(ours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of what is wrong with many of these
        ds = pydicom.dcmread(BytesIO(data), force=True)
        theirs = ds.to_json_dict(
            bulk_data_threshold=1024, bulk_data_element_handler=lambda _: "x", suppress_invalid_tags=True
        )
    left, right = whole(ours), whole(theirs)
    for tag in left.keys() | right.keys():
        mine, other = left.get(tag), right.get(tag)
        if differs(path.name, tag):
            continue
        if tag in ("7FE00008", "7FE00009", "7FE00010"):
            # Always a reference here; OB where encapsulated (PS3.5 A.4), whatever the file says.
            assert mine is not None
            assert mine[1] in (BULK, [])
        elif other is None:
            assert mine is not None  # pydicom left out a sequence for one value in it: suppress_invalid_tags
            assert mine[0] == "SQ", tag
        elif BULK in (mine and mine[1], other[1]):
            assert mine is not None  # thresholds differ for text and numbers
            assert mine[0] == other[0], tag
        else:
            assert mine == other, tag


REFUSED = {
    # samples of malformed/, by name → reason, attribute
    "declared-length-4gb.dcm": (0xC000, "7FE00010"),
    "empty-SOPInstanceUID.dcm": (0xA900, "00080018"),
    "empty-StudyInstanceUID.dcm": (0xA900, "0020000D"),
    "empty-file.dcm": (0xC000, None),
    "missing-SOPClassUID.dcm": (0xA900, "00080016"),
    "missing-SOPInstanceUID.dcm": (0xA900, "00080018"),
    "missing-SeriesInstanceUID.dcm": (0xA900, "0020000E"),
    "missing-StudyInstanceUID.dcm": (0xA900, "0020000D"),
    "nested-20000-undefined-length.dcm": (0xC000, "0040A168"),
    "no-preamble-with-meta.dcm": (0xC000, None),
    "not-dicom-text.dcm": (0xC000, None),
    "only-preamble.dcm": (0xC000, "00020010"),
    "sopuid-letters.dcm": (0xA900, "00080018"),
    "sopuid-too-long.dcm": (0xA900, "00080018"),
    "sopuid-trailing-dot.dcm": (0xA900, "00080018"),
    "sopuid-traversal.dcm": (0xA900, "00080018"),
    "truncated-in-dataset.dcm": (0xC000, "00100030"),
    "truncated-in-meta.dcm": (0xC000, "00020003"),
    "truncated-in-pixeldata.dcm": (0xC000, "7FE00010"),
}


@pytest.mark.skipif(SAMPLES is None, reason="no folder of samples (FILMROOM_TEST_SAMPLES)")
def test_every_malformed_sample_has_its_outcome() -> None:
    assert SAMPLES is not None
    outcomes: dict[str, tuple[int, str | None]] = {}
    for path in sorted((SAMPLES / "malformed" / "synthetic").iterdir()):
        started = time.perf_counter()
        try:
            read(path.read_bytes())
        except NotDicom as error:
            outcomes[path.name] = (error.reason, error.attribute)
        assert time.perf_counter() - started < 10, path.name
    assert outcomes == REFUSED


BAD = {
    "no preamble": (b.instance()[128:], 0xC000, None),
    "no transfer syntax": (b.raw_part10(b"", None), 0xC000, "00020010"),
    "no study": (b.instance(StudyInstanceUID=None), 0xA900, "0020000D"),
    "empty series": (b.instance(SeriesInstanceUID=""), 0xA900, "0020000E"),
    "class missing": (b.instance(SOPClassUID=None), 0xA900, "00080016"),
    "path in a UID": (b.instance(SOPInstanceUID="../x"), 0xA900, "00080018"),
    "pixels cut off": (b.instance()[:-3], 0xC000, "7FE00010"),
    "fragment cut off": (b.encapsulated([b"abcdefgh"], delimiter=False)[:-2], 0xC000, "7FE00010"),
    "deflate cut off": (b.instance(syntax=b.DEFLATED)[:-40], 0xC000, None),
}


@pytest.mark.parametrize(("data", "reason", "attribute"), list(BAD.values()), ids=list(BAD))
def test_what_cannot_be_stored_says_why(data: bytes, reason: int, attribute: str | None) -> None:
    with pytest.raises(NotDicom) as caught:
        read(data)
    assert (caught.value.reason, caught.value.attribute) == (reason, attribute)


def test_a_refusal_carries_the_uids_that_could_be_read() -> None:
    with pytest.raises(NotDicom) as caught:
        read(b.instance(StudyInstanceUID=None))
    assert caught.value.sop_instance_uid == b.uid("instance", 1)
    assert caught.value.sop_class_uid == b.SECONDARY_CAPTURE


def test_a_bomb_is_stopped_at_the_limit() -> None:
    bomb = b.raw_instance(b.element(0x00091010, "OB", bytes(5_000_000)), b.DEFLATED)
    with pytest.raises(NotDicom, match="inflates to more than"):
        read(bomb, max_inflated=1_000_000)
    read(bomb)


@pytest.mark.parametrize("syntax", b.NATIVE)
def test_every_native_syntax_gives_the_same(syntax: str) -> None:
    reading = read(b.instance(syntax=syntax, BitsAllocated=16, Rows=4, PixelData=bytes(range(64))))
    assert reading.identity.study_uid == b.uid("study", 1)
    assert reading.attributes["00100010"]["Value"] == [{"Alphabetic": "Test^Tom"}]
    assert reading.pixels is not None
    assert (reading.pixels.rows, reading.pixels.columns, reading.pixels.length) == (4, 8, 64)
    assert reading.pixels.big_endian == (syntax == b.BIG_ENDIAN)


@pytest.mark.parametrize("syntax", [b.IMPLICIT, b.EXPLICIT, b.BIG_ENDIAN])
def test_bulk_values_are_where_they_are_said_to_be(syntax: str) -> None:
    ds = b.dataset()
    inner = Dataset()
    inner.add_new(0x54001010, "OW", bytes(range(256)) * 8)
    ds.WaveformSequence = [Dataset(), inner]
    data = b.part10(ds, syntax)
    reading = read(data)
    bulk = {each.path: each for each in reading.bulk_values}
    value = bulk["54000100/2/54001010"]
    assert value.length == 2048
    stored = data[value.offset : value.offset + value.length]
    assert stored == bytes(range(256)) * 8
    assert value.big_endian == (syntax == b.BIG_ENDIAN)
    item = metadata(data)["54000100"]["Value"][1]
    tail = (
        f"/studies/{b.uid('study', 1)}/series/{b.uid('series', 1)}/instances/{b.uid('instance', 1)}/bulkdata/"
    )
    assert item["54001010"]["BulkDataURI"] == f"http://host{tail}{value.path}"


NUMBERS = {
    b"+1.5": 1.5, b".5": 0.5, b"5.": 5, b"007": 7, b" 12 ": 12, b"-.5E+3": -500, b"1.0E04": 10000,
    b"1,5": "1,5", b"@": "@", b"0.12345678901234567890": "0.12345678901234567890", b"1e999": "1e999",
    b"NaN": "NaN", b"\x01\x02": None,
}  # fmt: skip


@pytest.mark.parametrize(("spelling", "expected"), list(NUMBERS.items()))
def test_decimal_strings_are_strict_json(spelling: bytes, expected: object) -> None:
    text = spelling + b" " * (len(spelling) % 2)
    data = b.raw_instance(b.element(0x00281050, "DS", text))
    values = metadata(data)["00281050"].get("Value")
    if expected is not None:
        assert values == [expected]


def test_out_of_order_and_repeated_tags_are_put_in_order() -> None:
    late = (
        b.element(0x00100020, "LO", b"P2")
        + b.element(0x00100010, "PN", b"A^B ")
        + b.element(0x00100020, "LO", b"P3")
    )
    found = metadata(b.raw_instance(late))
    assert list(found) == sorted(found)
    assert found["00100020"]["Value"] == ["P3"]


TOLERATED = {
    "groups that do not belong": b.element(0x00020010, "UI", b"1.2\0")
    + b.element(0x00040000, "UL", bytes(4)),
    "stray delimiter": struct.pack("<HHL", 0xFFFE, 0xE00D, 0),
    "unknown VR": b.element(0x00091001, "ZZ", b"ab"),
    "zeros at the end": bytes(100),
    "UN of undefined length": b.element(
        0x20019000, "UN", b.item(b.element(0x00080060, None, b"CT")) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0),
        length=b.UNDEFINED,
    ),
    "no delimiters": b.element(
        0x00081140, "SQ",
        struct.pack("<HHL", 0xFFFE, 0xE000, b.UNDEFINED) + b.element(0x00081155, "UI", b"1.2\0"),
        length=b.UNDEFINED,
    ),
    "a sequence of garbage": b.element(0x00081140, "SQ", b"garbage!garbage!"),
    "a broken item": b.element(0x00081140, "SQ", b.item(b"\x08\0\x60\0CS\xff\x00AB")),
    "long VRs of 2018": b.element(0x00091001, "SV", bytes(8)) + b.element(0x00091002, "OV", bytes(8)),
}  # fmt: skip


@pytest.mark.parametrize("extra", list(TOLERATED.values()), ids=list(TOLERATED))
def test_what_writers_break_is_read_all_the_same(extra: bytes) -> None:
    data = b.raw_instance(b.element(0x00080060, "CS", b"OT") + extra)
    found = metadata(data)
    assert found["00080060"]["Value"] == ["OT"]
    assert not [tag for tag in found if tag[:4] in ("0002", "0004", "FFFE")]


def test_group_0002_is_not_in_the_json() -> None:
    assert not [tag for tag in metadata(b.instance()) if tag < "00080000"]


def test_an_un_sequence_is_read_as_items() -> None:
    sequence = b.element(0x00081140, "UN", b.item(b.element(0x00081155, None, b"1.2\0")))
    assert metadata(b.raw_instance(sequence))["00081140"] == {
        "vr": "SQ",
        "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}],
    }


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "US": st.lists(st.integers(0, 2**16 - 1), max_size=4),
    "SL": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    "FD": st.lists(st.floats(allow_nan=False), max_size=4),
    "LO": st.lists(st.text("abcäöüÄ ^=", max_size=20), max_size=3),
    "UT": st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=100),
    "IS": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    "CS": st.lists(st.text("ABC_ 1", max_size=16), max_size=3),
    "OB": st.binary(max_size=1500).map(lambda value: value + bytes(len(value) % 2)),
    "UN": st.binary(max_size=100).map(lambda value: b"\1" + value + bytes(len(value) % 2 == 0)),
}
ELEMENTS = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(lambda vr: VALUES[vr].map(lambda value: (vr, value))), max_size=8
)


def _made(elements: list[tuple[str, Any]], inner: list[list[tuple[str, Any]]]) -> Dataset:
    ds = Dataset()
    for number, (vr, value) in enumerate(elements):
        if value:
            ds.add_new(0x00091001 + number, vr, value)
    if inner:
        ds.add_new(0x000910F0, "SQ", [_made(each, []) for each in inner])
    return ds


@settings(deadline=None, max_examples=60)
@given(ELEMENTS, st.lists(ELEMENTS, max_size=3), st.sampled_from([b.EXPLICIT, b.BIG_ENDIAN, b.DEFLATED]))
def test_random_data_sets_read_as_pydicom_reads_them(
    elements: list[tuple[str, Any]], inner: list[list[tuple[str, Any]]], syntax: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = b.dataset()
        ds.update(_made(elements, inner))
        data = b.part10(ds, syntax)
        theirs = pydicom.dcmread(BytesIO(data)).to_json_dict(
            bulk_data_threshold=1024, bulk_data_element_handler=lambda _: "x"
        )
    left, right = whole(metadata(data)), whole(theirs)
    assert left.keys() == right.keys()
    for tag, mine in left.items():
        if tag != "7FE00010" and BULK not in (mine[1], right[tag][1]):
            assert mine == right[tag]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_bytes_raise_anything_but_not_dicom(data: st.DataObject) -> None:
    whole_file = data.draw(st.sampled_from(MUTANTS))
    broken = bytearray(whole_file[: data.draw(st.integers(0, len(whole_file)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(NotDicom):
        json.loads(segments.text(read(bytes(broken)).metadata, b""))


def _mutants() -> list[bytes]:
    ds = b.dataset()
    code = Dataset()
    code.CodeValue, code.CodeMeaning = "1", "one"
    nested = Dataset()
    nested.PurposeOfReferenceCodeSequence = [code, code]
    ds.SourceImageSequence = [nested]
    natives = [b.part10(ds, syntax) for syntax in (b.IMPLICIT, b.EXPLICIT, b.BIG_ENDIAN)]
    return [*natives, b.encapsulated([b"\xff\xd8ab", b"\xff\xd8cd"], offsets=[0, 12], NumberOfFrames=2)]


MUTANTS = _mutants()


def test_a_hundred_thousand_items_take_a_fixed_amount_of_memory() -> None:
    item = b.item(b"".join(b.element(0x00089007 + 0x10000 * n, "CS", b"AB") for n in range(4)))
    functional_groups = item * 100_000
    data = b.raw_instance(b.element(0x52009230, "SQ", functional_groups))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        reading = read(data)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20
    assert segments.text(reading.metadata, b"").count(b'"00089007"') == 100_000


def test_deep_nesting_is_read_to_a_limit_and_refused_beyond() -> None:
    def nested(depth: int) -> bytes:
        begin = struct.pack("<HH2sHL", 0x0040, 0xA168, b"SQ", 0, b.UNDEFINED)
        begin += struct.pack("<HHL", 0xFFFE, 0xE000, b.UNDEFINED)
        end = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        return b.raw_instance(begin * depth + end * depth)

    read(nested(200))
    with pytest.raises(NotDicom, match="nested") as caught:
        read(nested(20_000))
    assert caught.value.attribute == "0040A168"


def test_readers_share_a_source() -> None:
    data, texts = b.instance(), list[bytes]()
    threads = [threading.Thread(target=lambda: texts.append(read(data).metadata)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(texts)) == 1


def test_what_was_written_before_is_told_of_again() -> None:
    """Members are kept from one instance to the next; warnings and repertoires are each instance's own."""
    wrong = b.instance(StudyDate="20240231x", ImageComments="M\xb1ller", SpecificCharacterSet="ISO_IR 100")
    for _ in range(3):
        assert any("00080020" in warning for warning in read(wrong).warnings)
        assert metadata(wrong)["00204000"]["Value"] == ["M\xb1ller"]
    other = wrong.replace(b"ISO_IR 100", b"ISO_IR 101")
    assert metadata(other)["00204000"]["Value"] == [b"M\xb1ller".decode("iso8859-2")]
    nested = b.instance(
        StudyDate="20240231x",
        RequestAttributesSequence=[Dataset(), Dataset()],
    )
    assert [read(nested).warnings for _ in range(2)] == [read(nested).warnings] * 2
