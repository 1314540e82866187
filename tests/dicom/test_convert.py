"""archive/dicom/convert.py: every readable instance as Explicit VR Little Endian, read back by pydicom."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.sequence import Sequence

from archive.dicom.convert import to_encapsulated, to_explicit_little_endian
from archive.dicom.derivation import Derivation, derived_uid
from archive.dicom.pixel_value import DecodedFrames, EncodedFrames
from archive.dicom.source import BytesSource
from archive.dicom.walk import ENCAPSULATED, Walk
from archive.errors import NotDecodable, NotDicom
from archive.imaging.decode import decode_frame
from archive.imaging.syntaxes import can_decode, decoded_attributes, decoded_bits
from archive.model.instance import Identity
from tests.builders import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    JPEG_LS,
    RLE,
    UNDEFINED,
    dataset,
    element,
    encapsulated,
    instance,
    item,
    part10,
    raw_instance,
)
from tests.imaging.pixels import PYDICOM_DATA, frames, pixels, pixels_of
from tests.samples import SAMPLES, pydicom_files

_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_BROKEN = {"bad_sequence.dcm", "nested_priv_SQ.dcm", "priv_SQ.dcm", "UN_sequence.dcm"}  # read another way


def convert(data: bytes, decoded: DecodedFrames | None = None) -> bytes:
    ds = read(data)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    offset = dataset_offset(data)
    if syntax == DEFLATED:
        data, offset = zlib.decompressobj(-15).decompress(data[offset:]), 0
    identity = Identity("1", "2", str(ds.get("SOPInstanceUID", "3")), str(ds.get("SOPClassUID", "4")))
    return b"".join(to_explicit_little_endian(BytesSource(data), offset, syntax, identity, decoded))


def dataset_offset(data: bytes) -> int:
    at = 132
    while data[at : at + 2] == b"\2\0":
        long = data[at + 4 : at + 6] in _LONG
        size = struct.unpack_from("<L" if long else "<H", data, at + (8 if long else 6))[0]
        at += size + (12 if long else 8)
    return at


def read(data: bytes) -> pydicom.FileDataset:
    with warnings.catch_warnings(action="ignore"):
        return pydicom.dcmread(io.BytesIO(data))


def decoded_frames(data: bytes, ds: pydicom.FileDataset) -> DecodedFrames:
    syntax = str(ds.file_meta.TransferSyntaxUID)
    walked = Walk(BytesSource(data), dataset_offset(data), implicit=False)
    start, length = next((e[3], e[4]) for e in walked if e[0] == ENCAPSULATED and e[1] == 0x7FE00010)
    described = pixels_of(ds, offset=start, length=length)
    given = (decode_frame(value, syntax, described, n) for n, value in enumerate(frames(ds), 1))
    changed = decoded_attributes(described, syntax)
    return DecodedFrames(described, given, decoded_bits(described, syntax), changed)


def strictly_parsed(data: bytes) -> list[tuple[int, bytes, int]]:
    """Parse with no tolerance; return tag, VR and length of every element, in order."""
    assert data[128:132] == b"DICM"
    assert struct.unpack_from("<HH2sHL", data, 132)[:4] == (2, 0, b"UL", 4)
    found, at, open_ = [], 132, []
    while at < len(data):
        group, number, vr, length = struct.unpack_from("<HH2sH", data, at)
        tag = group << 16 | number
        if group == 0xFFFE:
            length = struct.unpack_from("<L", data, at + 4)[0]
            expected = {0xFFFEE000: UNDEFINED, 0xFFFEE00D: 0, 0xFFFEE0DD: 0}
            assert length == expected[tag]
            assert open_[-1] == (0xFFFEE000 if tag == 0xFFFEE00D else "SQ")
            open_.append(tag) if tag == 0xFFFEE000 else open_.pop()
            at += 8
            continue
        assert not open_ or open_[-1] == 0xFFFEE000
        at += 8
        if vr in _LONG:
            assert length == 0
            length = struct.unpack_from("<L", data, at)[0]
            at += 4
        found.append((tag, vr, length))
        if vr == b"SQ":
            assert length == UNDEFINED
            open_.append("SQ")
            continue
        assert length % 2 == 0
        at += length
    assert at == len(data)
    assert not open_
    meta = [each for each in found if each[0] >> 16 == 2]
    assert [each[0] & 0xFFFF for each in meta] == [0, 1, 2, 3, 0x10, 0x12, 0x13]
    assert not any(tag & 0xFFFF == 0 for tag, *_ in found[1:])
    return found


def differences(
    before: Dataset, after: Dataset, path: str = "", *, big_endian: bool = False
) -> Iterator[str]:
    """Name what differs between two data sets; pixels, group lengths and words of Big Endian aside."""
    left, right = ([e for e in ds if e.tag.element and e.tag.group > 2] for ds in (before, after))
    if [e.tag for e in left] != [e.tag for e in right]:
        yield f"{path} tags"
        return
    for old, new in zip(left, right, strict=True):
        here = f"{path}/{old.tag}"
        if old.tag == 0x7FE00010:
            continue
        if old.VR != new.VR:
            yield f"{here} VR {old.VR} {new.VR}"
        elif isinstance(old.value, Sequence):
            if len(old.value) != len(new.value):
                yield f"{here} items"
            for one, other in zip(old.value, new.value, strict=False):
                yield from differences(one, other, here)
        elif repr(old.value) != repr(new.value) and not (big_endian and old.VR == "OW"):
            yield f"{here} value"


def _files() -> list[Any]:
    paths = [*pydicom_files(), *PYDICOM_DATA.rglob("*.dcm")]
    if SAMPLES is not None:
        folders = ("by-transfer-syntax", "objects", "charsets")
        paths += [each for name in folders for each in (SAMPLES / name).rglob("*.dcm")]
    unique = {path.name: path for path in paths}
    return [pytest.param(path, id=name) for name, path in sorted(unique.items()) if name not in _BROKEN]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns of values that files have wrong
@pytest.mark.parametrize("path", _files())
def test_files_come_out_with_equal_values_and_pixels(path: Path) -> None:
    data = path.read_bytes()
    try:
        ds = read(data)
        syntax = str(ds.file_meta.TransferSyntaxUID)
        decoded = None
        if "PixelData" in ds and ds["PixelData"].is_undefined_length:
            if not can_decode(syntax):
                pytest.skip("video")
            decoded = decoded_frames(data, ds)
        converted = convert(data, decoded)
    except (NotDicom, NotDecodable, pydicom.errors.InvalidDicomError, AttributeError) as error:
        pytest.skip(f"not readable: {error}")
    strictly_parsed(converted)
    after = read(converted)
    assert after.file_meta.TransferSyntaxUID == EXPLICIT
    expected = [] if decoded is None else [f"/{pydicom.tag.Tag(t)} value" for t in decoded.attributes]
    for tag in (0x7FE00001, 0x7FE00002, 0x7FE00003):
        if decoded is not None and tag in ds:
            del ds[tag]
    assert list(differences(ds, after, big_endian=syntax == BIG_ENDIAN)) == expected
    if "PixelData" in ds and syntax != JPEG_BASELINE:
        try:
            before = pixel_array(ds)
        except Exception:  # noqa: BLE001  broken, or only decoded by us; tests/imaging compares those
            return
        apart = np.abs(_used(pixel_array(after), ds) - _used(before, ds)).max()
        assert apart <= (0 if decoded is None else 2)


def _used(array: np.ndarray, ds: Dataset) -> np.ndarray:
    """Clear the unused bits, as pydicom does of native pixels only."""
    return array if array.dtype.kind == "f" else array.astype(np.int64) & ((1 << ds.BitsStored) - 1)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
def test_every_vr_survives_every_native_syntax(syntax: str) -> None:
    ds = dataset(BitsAllocated=16, Rows=4, SmallestImagePixelValue=-2, PixelRepresentation=1)
    ds["SmallestImagePixelValue"].VR = "SS"
    ds.FrameIncrementPointer = [0x00181063, 0x00181065]
    ds.PatientComments = "odd"
    ds.DoubleFloatPixelData = struct.pack("<2d" if syntax != BIG_ENDIAN else ">2d", 1.5, -2.5)
    ds.SelectorSVValue, ds.SelectorUVValue = [-(2**62)], [2**63]
    ds.SelectorFDValue, ds.SelectorFLValue = [0.1, 2.0], [1.5]
    ds.SelectorSLValue, ds.SelectorULValue = [-(2**30)], [2**31]
    inner = Dataset()
    inner.add_new(0x00280107, "SS", -5)
    inner.PixelRepresentation = 1
    ds.ReferencedImageSequence = [inner, Dataset()]
    ds.RequestAttributesSequence = []
    block = ds.private_block(0x0009, "Filmroom test", create=True)
    block.add_new(1, "UN", b"\1\2\3\4")
    words = struct.pack("<64H" if syntax != BIG_ENDIAN else ">64H", *range(64))[:64]
    ds.PixelData = words
    found = strictly_parsed(convert(part10(ds, syntax)))
    after = read(convert(part10(ds, syntax)))
    assert list(differences(read(part10(ds, EXPLICIT)), after))[:9] in ([], ["/(7FE0,0009) value"])
    assert after.PixelData == struct.pack("<32H", *range(32))
    assert np.frombuffer(after.DoubleFloatPixelData, "<f8").tolist() == [1.5, -2.5]
    assert (0x00280106, b"SS", 2) in found


def test_eight_bits_in_big_endian_words_keep_their_order() -> None:
    pixels_ = bytes([1, 0, 3, 2])
    data = raw_instance(
        element(0x00280100, "US", b"\0\x08", order=">") + element(0x7FE00010, "OW", pixels_, order=">"),
        BIG_ENDIAN,
    )
    assert read(convert(data)).PixelData == bytes(range(4))


def test_group_lengths_and_foreign_groups_are_left_out() -> None:
    extra = element(0x00200000, "UL", bytes(4)) + element(0x00280010, "US", b"\1\0")
    data = raw_instance(
        extra, before=element(0x00020010, "UI", b"1.2\0") + element(0x00080000, "UL", bytes(4))
    )
    tags = [each[0] for each in strictly_parsed(convert(data))][7:]
    assert tags == [0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00280010]


def test_odd_values_are_padded_and_long_ones_become_unknown() -> None:
    long = bytes(70_000)
    extra = element(0x00104000, None, b"odd") + element(0x00189295, None, long)
    found = strictly_parsed(convert(raw_instance(extra, IMPLICIT)))
    assert (0x00104000, b"LT", 4) in found
    assert (0x00189295, b"UN", 70_000) in found


def test_a_sequence_in_unknown_is_written_as_a_sequence() -> None:
    inner = element(0x00100020, None, b"P1")
    unknown = element(
        0x00081115, "UN", item(inner, length=UNDEFINED) + element(0xFFFEE0DD, None), length=UNDEFINED
    )
    after = read(convert(raw_instance(unknown)))
    assert after.ReferencedSeriesSequence[0].PatientID == "P1"


def test_a_sequence_that_is_none_stays_bytes() -> None:
    broken = element(0x00081115, "SQ", item(b"\1\2\3\4\5\6\7\x08\x09\x0a", length=200)[:18])
    after = convert(raw_instance(broken + element(0x00100020, "LO", b"P1")))
    assert [each[:2] for each in strictly_parsed(after)[-2:]] == [(0x00081115, b"UN"), (0x00100020, b"LO")]


@pytest.mark.parametrize(("rows", "columns", "frames_"), [(3, 3, 5), (4, 4, 3), (1, 1, 9)])
def test_one_bit_frames_are_joined_without_gaps(rows: int, columns: int, frames_: int) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (frames_, rows * columns), dtype=np.uint8)
    data = encapsulated([b"ab"], NumberOfFrames=frames_)
    found = decoded_frames(data, read(data)).pixels
    described = pixels(
        offset=found.offset, length=found.length, frames=frames_, rows=rows, columns=columns, bits_allocated=1
    )
    given = (np.packbits(frame, bitorder="little").tobytes() for frame in bits)
    after = read(convert(data, DecodedFrames(described, given, rows * columns)))
    expected = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    assert after.PixelData.rstrip(b"\0") == expected.rstrip(b"\0")


def test_what_cannot_be_converted_says_so_before_the_first_chunk() -> None:
    data = encapsulated([b"ab"])
    with pytest.raises(NotDecodable, match="must be decoded first"):
        convert(data)
    long = DecodedFrames(pixels(frames=70_000), [], 8 * 65_536)
    with pytest.raises(NotDecodable, match="4 GiB"):
        convert(data, long)
    with pytest.raises(NotDicom):
        convert(instance()[:-9])


def test_frames_that_are_missing_break_the_stream() -> None:
    data = encapsulated([b"ab"], NumberOfFrames=2)
    found = decoded_frames(data, read(data)).pixels
    with pytest.raises(NotDecodable, match="64 bytes together, 128 were expected"):
        convert(data, DecodedFrames(found, [bytes(64)], 512))


def test_memory_does_not_grow_with_the_value() -> None:
    size = 40_000_000
    data = BytesSource(instance(syntax=IMPLICIT, PixelData=bytes(size)))
    offset = dataset_offset(data.read_at(0, 1000))
    tracemalloc.start()
    chunks = to_explicit_little_endian(data, offset, IMPLICIT, Identity("1", "2", "3", "4"))
    total = sum(map(len, chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > size
    assert peak < 8_000_000


def encode(data: bytes, values: list[bytes] | None, target: str = RLE, **options: Any) -> bytes:
    """Put compressed frames in place of the pixel data of a file; any bytes will do here."""
    ds = read(data)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    offset, source = dataset_offset(data), data
    if syntax == DEFLATED:
        source, offset = zlib.decompressobj(-15).decompress(data[offset:]), 0
    encoded = None
    if values is not None:
        described = pixels_of(ds)
        if described.encapsulated:
            walked = Walk(BytesSource(data), offset, implicit=False)
            *_, (_, _, _, start, length, *_) = (event for event in walked if event[0] == ENCAPSULATED)
            described = pixels_of(ds, offset=start, length=length)
        encoded = EncodedFrames(described, values, **options)
    identity = Identity("1", "2", str(ds.SOPInstanceUID), str(ds.SOPClassUID))
    return b"".join(to_encapsulated(BytesSource(source), offset, syntax, identity, target, encoded))


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
def test_native_pixels_become_items(syntax: str) -> None:
    """An item a frame, padded to even, behind an empty table (PS3.5 A.4); all else stays."""
    icon = Dataset()
    icon.Rows = icon.Columns = icon.BitsAllocated = 8
    icon.add_new("PixelData", "OB", bytes(64))
    ds = dataset(BitsAllocated=16, PixelData=bytes(256), NumberOfFrames=2, IconImageSequence=[icon])
    after = read(encode(part10(ds, syntax), [b"odd", b"even"]))
    assert after.file_meta.TransferSyntaxUID == RLE
    assert list(generate_frames(after.PixelData, number_of_frames=2)) == [b"odd\0", b"even"]
    assert after.PixelData[:8] == b"\xfe\xff\x00\xe0\0\0\0\0"
    assert after["PixelData"].VR == "OB"
    assert list(differences(read(part10(ds, syntax)), after)) == []


def test_attributes_are_put_where_they_belong() -> None:
    """New ones in the order of tags, at the end too; old ones replaced, whatever their VR was."""
    ds = dataset(PixelData=None, PlanarConfiguration=1, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    data = part10(ds) + element(0x7FE00010, "OB", bytes(192))
    new: dict[str, str | int] = {
        "00280004": "YBR_RCT",
        "00280006": 0,
        "00280008": "1",
        "00080005": "ISO_IR 100",
        "FFFCFFFB": 7,
    }
    converted = encode(data, [b"ab"], JPEG_LS, attributes=new)
    after = read(converted)
    assert (after.PhotometricInterpretation, after.PlanarConfiguration) == ("YBR_RCT", 0)
    tags = [int(each.tag) for each in after]
    assert tags == sorted(tags)
    assert tags[-1] == 0xFFFCFFFB
    assert tags.count(0x00280004) == tags.count(0x00080005) == 1
    assert [each.tag for each in after if each.tag.group == 0x28][:4] == [
        0x280002,
        0x280004,
        0x280006,
        0x280008,
    ]


def test_compressed_icons_and_offset_tables_are_left_out() -> None:
    """They are of the transfer syntax before."""
    icon = element(0x7FE00010, "OB", item() + item(b"ab") + element(0xFFFEE0DD, None), length=UNDEFINED)
    extra = element(0x00880200, "SQ", item(element(0x00280010, "US", b"\1\0") + icon))
    extra += element(0x7FE00001, "OV", bytes(8)) + element(0x7FE00002, "OV", bytes(8))
    before = encapsulated([b"ab"])
    start = before.index(b"\xe0\x7f\x10\0OB")
    after = read(encode(before[:start] + extra + before[start:], [b"cd"]))
    assert "IconImageSequence" not in after
    assert "ExtendedOffsetTable" not in after
    assert "ExtendedOffsetTableLengths" not in after
    assert list(generate_frames(after.PixelData, number_of_frames=1)) == [b"cd"]


def test_a_data_set_without_pixels_only_changes_its_encoding() -> None:
    ds = dataset(PixelData=None)
    after = read(encode(part10(ds, IMPLICIT), None, JPEG_BASELINE))
    assert after.file_meta.TransferSyntaxUID == JPEG_BASELINE
    assert list(differences(ds, after)) == []


@pytest.mark.parametrize("values", [[b"ab"], [b"ab"] * 3])
def test_another_number_of_frames_breaks_the_stream(values: list[bytes]) -> None:
    data = instance(NumberOfFrames=2, PixelData=bytes(128))
    with pytest.raises(NotDecodable, match=f"there are {len(values)} frames, 2 were expected"):
        encode(data, values)


def derivation(**values: Any) -> Derivation:
    step = {
        "source": Identity("1", "2", "1.2.3", "1.2.4"),
        "sop_uid": "2.25.77",
        "method": "ISO_10918_1",
        "ratio": 12.3456,
        "description": "compressed",
    }
    return Derivation(**(step | values))


def test_a_lossy_step_is_written_down() -> None:
    """PS3.3 C.7.6.1.1.5: new UID in data set and file meta, derived, from what, how much, how."""
    old = Dataset()
    old.ReferencedSOPInstanceUID = "1.9"
    data = instance(
        ImageType=["ORIGINAL", "PRIMARY"],
        LossyImageCompressionRatio="3",
        DerivationDescription="x" * 1020,
        SourceImageSequence=[old],
    )
    converted = encode(data, [b"ab"], JPEG_BASELINE, derivation=derivation())
    after = read(converted)
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID == "2.25.77"
    assert after.ImageType == ["DERIVED", "PRIMARY"]
    assert after.LossyImageCompression == "01"
    assert after["LossyImageCompressionRatio"].value == [3, 12.35]
    assert after.LossyImageCompressionMethod == ["", "ISO_10918_1"]
    assert after.DerivationDescription == "compressed"  # both would be longer than ST may be
    assert [each.ReferencedSOPInstanceUID for each in after.SourceImageSequence] == ["1.9", "1.2.3"]
    assert after.DerivationCodeSequence[0].CodeMeaning == "Lossy Compression"
    tags = [each[0] for each in strictly_parsed(converted.replace(*_as_native(converted)))]
    assert tags.count(0x00080018) == 1


def _as_native(data: bytes) -> tuple[bytes, bytes]:
    """Return the pixel data element, and one that the strict parser knows."""
    return data[data.index(b"\xe0\x7f\x10\0OB") :], element(0x7FE00010, "OB", b"ab")


@pytest.mark.parametrize("empty", [True, False])
def test_sequences_that_are_empty_or_no_sequences_get_the_item(empty: bool) -> None:
    """Whatever stood under the tag, the source is named once."""
    broken = element(0x00082112, "SQ" if empty else "UN", b"" if empty else b"abcd")
    body = instance()
    start = body.index(b"\x20\0\x0d\0UI")
    after = read(encode(body[:start] + broken + body[start:], [b"ab"], derivation=derivation(was_lossy=True)))
    (source,) = after.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == "1.2.3"
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121330"


def test_the_uid_of_a_derived_instance_is_that_of_what_was_done() -> None:
    first = derived_uid("1.2", "ab", JPEG_BASELINE, 90)
    assert first == derived_uid("1.2", "ab", JPEG_BASELINE, 90)
    others = {
        derived_uid("1.3", "ab", JPEG_BASELINE, 90),
        derived_uid("1.2", "cd", JPEG_BASELINE, 90),
        derived_uid("1.2", "ab", RLE, 90),
        derived_uid("1.2", "ab", JPEG_BASELINE, 80),
    }
    assert len(others | {first}) == 5
    assert first.startswith("2.25.")
    assert len(first) <= 64


def test_memory_does_not_grow_with_the_frames() -> None:
    data = instance(NumberOfFrames=400, PixelData=bytes(400 * 64))
    described = pixels_of(read(data))
    frames_ = (bytes(100_000) for _ in range(400))
    tracemalloc.start()
    chunks = to_encapsulated(
        BytesSource(data),
        dataset_offset(data),
        EXPLICIT,
        Identity("1", "2", "3", "4"),
        RLE,
        EncodedFrames(described, frames_),
    )
    total = sum(map(len, chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 400 * 100_000
    assert peak < 2_000_000
