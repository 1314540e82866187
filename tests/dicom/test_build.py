"""archive/dicom/build.py: Part 10 files from metadata and bulk data (PS3.18 10.5.2, Annex F)."""

from __future__ import annotations

import base64
import io
import json
import math
import struct
import tracemalloc
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from archive.dicom.build import MAX_DEPTH, Built, BulkPart, build_instance
from archive.errors import NotDicom
from tests.builders import EXPLICIT, SECONDARY_CAPTURE, uid
from tests.dicom.test_convert import strictly_parsed
from tests.imaging.pixels import PYDICOM_DATA
from tests.samples import pydicom_files

JPEG = "1.2.840.10008.1.2.4."
UIDS: dict[str, Any] = {
    "00080016": {"vr": "UI", "Value": [SECONDARY_CAPTURE]},
    "00080018": {"vr": "UI", "Value": [uid("instance", 1)]},
    "0020000D": {"vr": "UI", "Value": [uid("study", 1)]},
    "0020000E": {"vr": "UI", "Value": [uid("series", 1)]},
}


def part(data: bytes, media_type: str = "application/octet-stream", syntax: str | None = None) -> BulkPart:
    return BulkPart(lambda: io.BytesIO(data), len(data), media_type, syntax)


def build(extra: Mapping[str, Any], bulk: Mapping[str, list[BulkPart]] | None = None) -> bytes:
    return written(build_instance({**UIDS, **extra}, lambda uri: (bulk or {}).get(uri, [])))


def written(built: Built) -> bytes:
    data = b"".join(built.chunks())
    assert len(data) == built.length
    assert b"".join(built.chunks()) == data
    return data


def read(data: bytes) -> pydicom.FileDataset:
    with warnings.catch_warnings(action="ignore"):
        return pydicom.dcmread(io.BytesIO(data))


def value(vr: str, *values: Any, tag: str = "00911001") -> bytes:
    """Build an instance with one private attribute; return the bytes of its value."""
    data = build({"00910010": {"vr": "LO", "Value": ["T"]}, tag: {"vr": vr, "Value": list(values)}})
    last = strictly_parsed(data)[-1]
    assert last[:2] == (int(tag, 16), vr.encode())
    return data[len(data) - last[2] :]


@pytest.mark.parametrize(
    ("vr", "values", "expected"),
    [
        ("AE", ["A"], b"A "),
        ("AS", ["012Y"], b"012Y"),
        ("AT", ["00280010", "7fe00010"], struct.pack("<4H", 0x28, 0x10, 0x7FE0, 0x10)),
        ("CS", ["A", None, "B", ""], b"A\\\\B\\ "),
        ("DA", ["20240131"], b"20240131"),
        ("DS", [1, 2.5, "3.0", 0.1], b"1\\2.5\\3.0\\0.1 "),
        ("DS", [1 / 3, -1e-300 / 3], b"0.33333333333333\\-3.33333333e-301 "),
        ("FL", [1.5, "2"], struct.pack("<2f", 1.5, 2)),
        (
            "FD",
            ["Infinity", "-inf", "-Infinity", "INF"],
            struct.pack("<4d", *[math.inf, -math.inf] * 1, -math.inf, math.inf),
        ),
        ("IS", [5, "-6", 7.0], b"5\\-6\\7"),
        ("LO", ["a", "b"], b"a\\b "),
        ("OF", [1.5], struct.pack("<f", 1.5)),
        ("OW", [1, 2], struct.pack("<2H", 1, 2)),
        ("PN", [{"Alphabetic": "A^B", "Phonetic": "C"}], b"A^B==C"),
        ("PN", ["A^B", None, {"Alphabetic": "C"}], b"A^B\\\\C"),
        ("SL", [-1, "2"], struct.pack("<2l", -1, 2)),
        ("SS", [-1], struct.pack("<h", -1)),
        ("SV", ["-9007199254740993"], struct.pack("<q", -9007199254740993)),
        ("UC", ["long"], b"long"),
        ("UI", ["1.2"], b"1.2\0"),
        ("UI", ["1.2\0"], b"1.2\0"),
        ("UL", [4.0], struct.pack("<L", 4)),
        ("US", [65535], b"\xff\xff"),
        ("UV", [2**64 - 1], bytes([255] * 8)),
        ("UT", ["a\\b"], b"a\\b "),
        ("US", [None], b""),
        ("LO", [], b""),
        ("LO", [None], b""),
        ("FD", [""], b""),
    ],
)
def test_every_vr_is_encoded(vr: str, values: list[Any], expected: bytes) -> None:
    assert value(vr, *values) == expected


@pytest.mark.parametrize("spelling", ["NaN", "nan", "NAN", "-nan"])
def test_nan_has_many_spellings(spelling: str) -> None:
    assert math.isnan(struct.unpack("<d", value("FD", spelling))[0])


@pytest.mark.parametrize(
    ("vr", "element", "message"),
    [
        ("US", {"Value": [65536]}, "out of the range"),
        ("US", {"Value": [1, None]}, "no number"),
        ("US", {"Value": [1.5]}, "not whole"),
        ("US", {"Value": [True]}, "no number"),
        ("US", {"Value": ["x"]}, "no whole number"),
        ("FL", {"Value": [1e300]}, "out of the range"),
        ("FD", {"Value": ["1_0"]}, "no number"),
        ("IS", {"Value": [1.5]}, "not whole"),
        ("AT", {"Value": ["PatientName"]}, "8 hex digits"),
        ("PN", {"Value": [{"alphabetic": "x"}]}, "Alphabetic"),
        ("LO", {"Value": [{}]}, "no text"),
        ("LO", {"Value": ["\ud800"]}, "half of a character"),
        ("LO", {"Value": ["x" * 65_535]}, "65535 bytes"),
        ("LO", {"Value": "x"}, "no array"),
        ("SQ", {"Value": ["x"]}, "no data set"),
        ("OB", {"Value": [1]}, "VR OB cannot have"),
        ("OB", {"InlineBinary": "!"}, "not base64"),
        ("OB", {"InlineBinary": 5}, "no text"),
        ("SQ", {"InlineBinary": "AAAA"}, "sequence without items"),
        ("XX", {"Value": []}, "no value representation"),
        ("OB", {"BulkDataURI": "elsewhere"}, "not in the request"),
    ],
)
def test_what_is_wrong_is_named(vr: str, element: dict[str, Any], message: str) -> None:
    with pytest.raises(NotDicom, match=message) as caught:
        build({"00091001": {"vr": vr, **element}})
    assert caught.value.attribute == "00091001"
    assert caught.value.sop_instance_uid == uid("instance", 1)


@pytest.mark.parametrize("tag", UIDS)
@pytest.mark.parametrize("element", [None, {"vr": "UI"}, {"vr": "UI", "Value": ["1..2"]}])
def test_the_four_uids_are_required(tag: str, element: object) -> None:
    with pytest.raises(NotDicom) as caught:
        build_instance({**UIDS, tag: element}, lambda uri: [])
    assert caught.value.attribute == tag


def test_names_that_are_no_tags_are_refused() -> None:
    with pytest.raises(NotDicom, match="no tag"):
        build({"PatientName": {"vr": "PN"}})
    with pytest.raises(NotDicom, match="FFFEE000"):
        build({"FFFEE000": {"vr": "UN"}})


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("Test^Tom", "ISO_IR 100", "ISO_IR 100"),
        ("Müller", "ISO_IR 100", "ISO_IR 192"),
        ("王", None, "ISO_IR 192"),
    ],
)
def test_text_is_utf_8(name: str, declared: str | None, expected: str) -> None:
    charset = {"00080005": {"vr": "CS", "Value": [declared]}} if declared else {}
    item = {**charset, "00081030": {"vr": "LO", "Value": [name]}}
    ds = read(build({**item, "00081115": {"vr": "SQ", "Value": [item, None]}}))
    assert ds.SpecificCharacterSet == expected
    assert ds.StudyDescription == ds.ReferencedSeriesSequence[0].StudyDescription == name
    assert len(ds.ReferencedSeriesSequence[1]) == 0


def test_order_groups_and_lengths_are_put_right() -> None:
    data = build(
        {
            "00280010": {"vr": "US", "Value": [1]},
            "00020010": {"vr": "UI", "Value": [JPEG + "50"]},
            "00080000": {"vr": "UL", "Value": [4]},
            "00080005": {"vr": "CS"},
            "00100020": {"Value": ["P1"]},
            "00091001": {},
        }
    )
    assert [(tag, vr) for tag, vr, _ in strictly_parsed(data)[7:]] == [
        (0x00080005, b"CS"),
        (0x00080016, b"UI"),
        (0x00080018, b"UI"),
        (0x00091001, b"UN"),
        (0x00100020, b"LO"),
        (0x0020000D, b"UI"),
        (0x0020000E, b"UI"),
        (0x00280010, b"US"),
    ]
    assert read(data).file_meta.TransferSyntaxUID == EXPLICIT


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 900])
def test_depth_is_limited(depth: int) -> None:
    nested: dict[str, Any] = {}
    for _ in range(depth):
        nested = {"00081115": {"vr": "SQ", "Value": [nested]}}
    if depth <= MAX_DEPTH:
        strictly_parsed(build(nested))
    else:
        with pytest.raises(NotDicom, match="64 deep"):
            build(nested)


def _shipped() -> list[Any]:
    paths = [*pydicom_files(), *PYDICOM_DATA.rglob("*.dcm")]
    broken = {"bad_sequence.dcm", "UN_sequence.dcm", "badVR.dcm", "no_meta.dcm", "nested_priv_SQ.dcm"}
    return [pytest.param(path, id=path.name) for path in paths if path.name not in broken]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", _shipped())
def test_the_json_of_shipped_files_builds_equal_ones(path: Path) -> None:
    bulk: dict[str, list[BulkPart]] = {}

    def handler(element: pydicom.DataElement) -> str:
        bulk[name := f"bulk/{len(bulk)}"] = [part(element.value)]
        return name

    try:
        ds = read(path.read_bytes())
        metadata = ds.to_json_dict(bulk_data_threshold=1000, bulk_data_element_handler=handler)
    except Exception as error:  # noqa: BLE001  broken on purpose
        pytest.skip(f"pydicom makes no JSON of it: {type(error).__name__}")
    metadata = {tag: element for tag, element in metadata.items() if not tag.endswith("0000")}
    if "7FE00010" in metadata and ds["PixelData"].is_undefined_length:
        del metadata["7FE00010"]
        del ds["PixelData"]
    if not all(metadata.get(tag, {}).get("Value") for tag in UIDS):
        pytest.skip("no UIDs")
    data = written(build_instance(metadata, lambda uri: bulk.get(uri, [])))
    strictly_parsed(data)
    after = read(data)
    assert {f"{tag:08X}" for tag in after.keys()} | {"00080005"} >= metadata.keys()  # noqa: SIM118
    for tag, element in metadata.items():
        if "Value" in element and tag != "00080005" and "BulkDataURI" not in json.dumps(element):
            assert after[tag].to_json_dict(None, 10**9) == element


@pytest.mark.parametrize(
    ("media_type", "parameter", "named", "syntax"),
    [
        ("image/jpeg", None, None, "50"),
        ("image/jpeg", JPEG + "70", None, "70"),
        ("image/jpeg", None, JPEG + "51", "51"),
        ("image/jpeg", None, JPEG + "80", "50"),
        ("image/jls", None, None, "80"),
        ("image/x-jls", JPEG + "81", None, "81"),
        ("image/jp2", None, None, "90"),
        ("image/jhc", None, None, "201"),
        ("image/jxl", None, None, "110"),
        ("application/octet-stream", JPEG + "50", None, "50"),
    ],
)
def test_compressed_frames_are_one_fragment_each(
    media_type: str, parameter: str | None, named: str | None, syntax: str
) -> None:
    jpeg = imagecodecs.jpeg8_encode(np.zeros((8, 8), "u1"))
    frames = [jpeg + bytes(n) for n in (0, 1)]
    metadata: dict[str, Any] = {
        "00280008": {"vr": "IS", "Value": [2]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "pixels"},
    }
    if named:
        metadata["00083002"] = {"vr": "UI", "Value": [named]}
    ds = read(build(metadata, {"pixels": [part(frame, media_type, parameter) for frame in frames]}))
    assert ds.file_meta.TransferSyntaxUID == JPEG + syntax
    stored = list(generate_frames(ds.PixelData, number_of_frames=2))
    assert [frame.rstrip(b"\0") for frame in stored] == [jpeg, jpeg]
    assert all(len(frame) % 2 == 0 for frame in stored)


@pytest.mark.parametrize(
    ("encode", "media_type", "syntaxes"),
    [
        (lambda a: imagecodecs.jpeg8_encode(a, lossless=True), "image/jpeg", ("57", "70")),
        (lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", level=30), "image/jp2", ("91",)),
        (lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", reversible=True), "image/jp2", ("90",)),
        (lambda a: imagecodecs.htj2k_encode(a, reversible=False), "image/jphc", ("203",)),
    ],
)
def test_the_codestream_tells_the_syntax(encode: Any, media_type: str, syntaxes: tuple[str, ...]) -> None:
    frame = bytes(encode(np.arange(4096, dtype="u1").reshape(64, 64)))
    data = build({"7FE00010": {"vr": "OB", "BulkDataURI": "p"}}, {"p": [part(frame, media_type)]})
    assert read(data).file_meta.TransferSyntaxUID.removeprefix(JPEG) in syntaxes


def test_video_is_one_part_of_any_number_of_frames() -> None:
    metadata = {
        "00280008": {"vr": "IS", "Value": ["25"]},
        "7FE00010": {"vr": "OB", "BulkDataURI": "v"},
    }
    ds = read(build(metadata, {"v": [part(b"video", "video/mp4")]}))
    assert ds.file_meta.TransferSyntaxUID == JPEG + "102"
    assert ds.PixelData == bytes.fromhex("feff00e000000000feff00e006000000") + b"video\0"


@pytest.mark.parametrize(
    ("tag", "parts", "message"),
    [
        ("7FE00010", [part(b"a", "image/jpeg")] * 2, "2 parts"),
        ("7FE00010", [part(b"a", "image/png")], "image/png"),
        ("7FE00010", [part(b"a", "image/jls", JPEG + "50")], "image/jls with transfer syntax"),
        ("7FE00010", [part(b"a"), part(b"a", "image/jls")], "several media types"),
        ("7FE00010", [part(b"a", syntax="1.2.840.10008.1.2.2")], "Big Endian"),
        ("00420011", [part(b"a", "image/jpeg")], "not Pixel Data"),
    ],
)
def test_bulk_data_that_cannot_be(tag: str, parts: list[BulkPart], message: str) -> None:
    with pytest.raises(NotDicom, match=message):
        build({tag: {"vr": "OB", "BulkDataURI": "u"}}, {"u": parts})


def test_native_frames_and_nested_bulk_values() -> None:
    item = {"54001010": {"vr": "OW", "BulkDataURI": "wave"}}
    metadata = {
        "54000100": {"vr": "SQ", "Value": [item]},
        "7FE00010": {"vr": "OB", "BulkDataURI": "pixels"},
        "00420011": {"vr": "OB", "InlineBinary": base64.b64encode(b"%PDF-").decode()},
    }
    ds = read(build(metadata, {"wave": [part(b"\1\0\2\0")], "pixels": [part(b"abc"), part(b"de")]}))
    assert ds.WaveformSequence[0].WaveformData == b"\1\0\2\0"
    assert ds.PixelData == b"abcde\0"
    assert ds.EncapsulatedDocument == b"%PDF-\0"


def test_big_bulk_data_stay_out_of_memory() -> None:
    class Zeros:
        def __init__(self) -> None:
            self.left = 50_000_000

        def read(self, size: int, /) -> bytes:
            taken = min(size, self.left)
            self.left -= taken
            return bytes(taken)

    built = build_instance(
        {**UIDS, "7FE00010": {"vr": "OW", "BulkDataURI": "x"}}, lambda uri: [BulkPart(Zeros, 50_000_000)]
    )
    tracemalloc.start()
    assert sum(map(len, built.chunks())) == built.length > 50_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_part_that_shrinks_breaks_the_stream() -> None:
    built = build_instance(
        {**UIDS, "7FE00010": {"vr": "OW", "BulkDataURI": "x"}},
        lambda uri: [BulkPart(lambda: io.BytesIO(b"ab"), 4)],
    )
    with pytest.raises(NotDicom, match="shorter"):
        list(built.chunks())
