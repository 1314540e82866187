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
from pydicom.pixels import pixel_array
from pydicom.sequence import Sequence

from archive.dicom.convert import DecodedFrames, to_explicit_little_endian
from archive.dicom.source import BytesSource
from archive.dicom.walk import ENCAPSULATED, Walk
from archive.errors import NotDecodable, NotDicom
from archive.imaging.decode import can_decode, decode_frame, decoded_attributes, decoded_bits
from archive.model.instance import Identity
from tests.builders import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
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
