"""archive/imaging/encode.py: lossless frames are the same pixels to decoders that are not ours."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import UID

from archive.dicomweb.media_types import BY_UID, Kind
from archive.errors import NotDecodable
from archive.imaging.codestream import read_jpeg, read_jpeg2000
from archive.imaging.decode import decode_frame
from archive.imaging.encode import (
    ENCODERS,
    LOSSY,
    encodable,
    encoded_attributes,
    refusal,
)
from archive.imaging.encoders import encode_rle
from archive.imaging.transcode import encode_frame, transcode_frame
from archive.model.instance import Pixels
from tests.builders import EXPLICIT, encapsulated
from tests.imaging.independent import (
    HTJ2K,
    HTJ2K_RPCL,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    LOSSLESS,
    RLE,
    Array,
    decoders,
)
from tests.imaging.pixels import pixels

BASELINE = "1.2.840.10008.1.2.4.50"

SHAPES = [
    # kind, bits stored, samples, planar configuration, photometric interpretation
    pytest.param("u1", 8, 1, 0, "MONOCHROME2", id="8u"),
    pytest.param("u1", 6, 1, 0, "MONOCHROME2", id="6u"),
    pytest.param("i1", 8, 1, 0, "MONOCHROME2", id="8s"),
    pytest.param("u2", 12, 1, 0, "MONOCHROME1", id="12u"),
    pytest.param("u2", 16, 1, 0, "MONOCHROME2", id="16u"),
    pytest.param("i2", 12, 1, 0, "MONOCHROME2", id="12s"),
    pytest.param("i2", 16, 1, 0, "MONOCHROME2", id="16s"),
    pytest.param("u1", 8, 1, 0, "PALETTE COLOR", id="palette of 8"),
    pytest.param("u2", 16, 1, 0, "PALETTE COLOR", id="palette of 16"),
    pytest.param("u1", 8, 3, 0, "RGB", id="RGB by pixel"),
    pytest.param("u1", 8, 3, 1, "RGB", id="RGB by plane"),
    pytest.param("u2", 16, 3, 0, "RGB", id="RGB of 16"),
    pytest.param("u2", 12, 3, 1, "RGB", id="RGB of 12 by plane"),
    pytest.param("u1", 8, 3, 0, "YBR_FULL", id="YBR"),
]
SIZES = [(33, 65), (1, 1), (1, 7), (7, 1)]


def describe(array: Array, bits: int, photometric: str, **values: Any) -> Pixels:
    rows, columns, samples = array.shape
    return pixels(
        rows=rows,
        columns=columns,
        samples_per_pixel=samples,
        bits_allocated=array.itemsize * 8,
        bits_stored=bits,
        pixel_representation=int(array.dtype.kind == "i"),
        photometric_interpretation=photometric,
        **values,
    )


def some_samples(kind: str, bits: int, shape: tuple[int, ...]) -> Array:
    """Return noise, rows of one value, and the extremes: the longest runs and the largest differences."""
    low = -(1 << bits - 1) if kind[0] == "i" else 0
    high = low + (1 << bits) - 1
    array = np.random.default_rng(7).integers(low, high + 1, shape).astype(kind)
    array[shape[0] // 3 : shape[0] // 2] = low
    array[-shape[0] // 4 :, ::2] = high
    array[-shape[0] // 4 :, 1::2] = low
    return array


def file_of(values: list[bytes], target: str, described: Pixels) -> bytes:
    """Return an instance of compressed frames, with the attributes that go with them."""
    changed = encoded_attributes(described, EXPLICIT, target)
    extra: dict[str, Any] = {}
    if described.photometric_interpretation == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            extra[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            extra[f"{colour}PaletteColorLookupTableData"] = bytes(512)
    return encapsulated(
        [value + bytes(len(value) % 2) for value in values],
        syntax=target,
        Rows=described.rows,
        Columns=described.columns,
        SamplesPerPixel=described.samples_per_pixel,
        BitsAllocated=described.bits_allocated,
        BitsStored=described.bits_stored,
        HighBit=described.bits_stored - 1,
        PixelRepresentation=described.pixel_representation,
        PhotometricInterpretation=changed.get("00280004", described.photometric_interpretation),
        PlanarConfiguration=changed.get("00280006"),
        NumberOfFrames=len(values),
        **extra,
    )


def native_of(array: Array, planar: int) -> bytes:
    return (array.transpose(2, 0, 1) if planar else array).tobytes()


@pytest.mark.parametrize(("kind", "bits", "samples", "planar", "photometric"), SHAPES)
@pytest.mark.parametrize("target", LOSSLESS)
def test_other_decoders_see_the_same_pixels(
    target: str, kind: str, bits: int, samples: int, planar: int, photometric: str, tmp_path: Path
) -> None:
    for rows, columns in SIZES:
        array = some_samples(kind, bits, (rows, columns, samples))
        described = describe(array, bits, photometric, planar_configuration=planar)
        if target == JPEG_LOSSLESS and photometric == "YBR_FULL":
            assert "cannot hold" in (refusal(target, described, EXPLICIT) or "")
            return
        assert refusal(target, described, EXPLICIT) is None
        native = native_of(array, planar)
        value = encode_frame(native, target, described, photometric, 1)
        assert decode_frame(value, target, described, 1) == native
        found = decoders(file_of([value], target, described), tmp_path)
        assert found
        for name, seen in found.items():
            assert (seen[0] == array).all(), (name, rows, columns)


@pytest.mark.parametrize("target", LOSSLESS)
def test_what_lies_in_unused_bits_is_kept(target: str, tmp_path: Path) -> None:
    """Old overlays lie there; a codestream of 12 bits would cut them off (PS3.5 8.1.2)."""
    array = some_samples("u2", 12, (20, 30, 1)) | 0xA000
    described = describe(array, 12, "MONOCHROME2")
    value = encode_frame(array.tobytes(), target, described, "MONOCHROME2", 1)
    for name, seen in decoders(file_of([value], target, described), tmp_path).items():
        looked_at = 0xFFF if name == "gdcm" else 0xFFFF  # GDCM clears the others itself for some syntaxes
        assert (seen[0] & looked_at == array & looked_at).all(), name


def test_pixels_of_one_bit_go_as_jpeg_2000(tmp_path: Path) -> None:
    """Table 8.2.4-1 has Bits Allocated 1. RLE of bits is written in two ways by others, so not by us."""
    array = np.random.default_rng(1).integers(0, 2, (15, 13, 1), dtype=np.uint8)
    described = pixels(rows=15, columns=13, bits_allocated=1, bits_stored=1)
    assert encodable(ENCODERS, described, EXPLICIT) == {JPEG_2000}
    packed = np.packbits(array.reshape(-1), bitorder="little").tobytes()
    value = encode_frame(packed, JPEG_2000, described, "MONOCHROME2", 1)
    assert decode_frame(value, JPEG_2000, described, 1) == packed
    seen = decoders(file_of([value], JPEG_2000, described), tmp_path)["pylibjpeg-openjpeg"]
    assert (seen[0] == array).all()


@pytest.mark.parametrize("shape", [(64, 64), (10, 13), (3, 3), (1, 1)])
def test_rle_of_one_bit_is_read_in_both_ways(shape: tuple[int, int]) -> None:
    """A byte for each pixel (PS3.5 G.2), or eight pixels in a byte."""
    array = np.random.default_rng(1).integers(0, 2, (*shape, 1), dtype=np.uint8)
    described = pixels(rows=shape[0], columns=shape[1], bits_allocated=1, bits_stored=1)
    packed = np.packbits(array.reshape(-1), bitorder="little")
    for samples in (array, packed.reshape(1, -1, 1)):
        value = encode_rle(samples, described, "MONOCHROME2")
        assert decode_frame(value, RLE, described, 1) == packed.tobytes()


@pytest.mark.parametrize("target", [JPEG_2000, HTJ2K, HTJ2K_RPCL])
@pytest.mark.parametrize(("kind", "bits"), [("u2", 12), ("i2", 13), ("u1", 7), ("i2", 16)])
def test_a_codestream_says_as_many_bits_as_the_header(target: str, kind: str, bits: int) -> None:
    """Bits Stored and the sign agree with the codestream (PS3.5 8.2.4)."""
    array = some_samples(kind, bits, (9, 11, 1))
    value = encode_frame(array.tobytes(), target, describe(array, bits, "MONOCHROME2"), "MONOCHROME2", 1)
    header = read_jpeg2000(value)
    assert (header.precision, header.signed) == (bits, kind[0] == "i")


@pytest.mark.parametrize("size", [(40, 50), (700, 5000), (4097, 64)])
def test_rpcl_has_a_thumbnail_and_the_lengths_of_its_parts(size: tuple[int, int]) -> None:
    """Progression RPCL, a base resolution of 64 at most, and TLM (PS3.5 10.18)."""
    array = np.add.outer(np.arange(size[0]), np.arange(size[1])).astype("u2")[..., None]
    value = encode_frame(array.tobytes(), HTJ2K_RPCL, describe(array, 16, "MONOCHROME2"), "MONOCHROME2", 1)
    segments = dict(_segments(value))
    progression, levels = segments[0xFF52][1], segments[0xFF52][5]
    assert progression == 2
    assert max(size) / 2**levels <= 64
    assert 0xFF55 in segments
    assert segments[0xFF52][8] & 0x40  # high throughput
    assert segments[0xFF52][9] == 1  # the reversible wavelet


def _segments(value: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 2
    while value[at : at + 2] != b"\xff\x93":
        marker, length = struct.unpack_from(">HH", value, at)
        found.append((marker, value[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def test_rle_segments_are_even_and_rows_stand_alone() -> None:
    """PS3.5 G.3: each row is encoded by itself, -128 is never used, three alike are a run."""
    array = np.array([[5, 5, 5, 1, 2], [2, 2, 2, 2, 9]], np.uint8)[..., None]
    value = encode_frame(array.tobytes(), RLE, describe(array, 8, "MONOCHROME2"), "MONOCHROME2", 1)
    assert struct.unpack("<16L", value[:64]) == (1, 64, *[0] * 14)
    assert value[64:] == b"\xfe\x05\x01\x01\x02" + b"\xfd\x02\x00\x09" + b"\0"


def test_jpeg_ls_begins_with_its_frame() -> None:
    """No SPIFF header: readers of DICOM do not expect one."""
    array = some_samples("u1", 8, (9, 9, 3))
    value = encode_frame(array.tobytes(), JPEG_LS, describe(array, 8, "RGB"), "RGB", 1)
    assert value[:4] == b"\xff\xd8\xff\xf7"


@pytest.mark.parametrize("target", [RLE, JPEG_LS, JPEG_2000, HTJ2K, BASELINE])
def test_native_colour_that_is_subsampled_gets_all_its_samples(target: str) -> None:
    """YBR_FULL_422 has one colour for two pixels; compressed losslessly it is YBR_FULL (Tables 8.2.x-1)."""
    luma = np.arange(8 * 6, dtype=np.uint8).reshape(8, 6) * 3
    blue, red = np.full((8, 3), 90, np.uint8), np.full((8, 3), 140, np.uint8)
    native = np.stack([luma[:, ::2], luma[:, 1::2], blue, red], axis=2).tobytes()
    full = np.stack([luma, blue.repeat(2, axis=1), red.repeat(2, axis=1)], axis=2)
    described = describe(full, 8, "YBR_FULL_422")
    expected = "YBR_FULL_422" if target == BASELINE else "YBR_FULL"
    photometric = encoded_attributes(described, EXPLICIT, target).get("00280004", "YBR_FULL_422")
    assert photometric == expected
    value = encode_frame(native, target, described, "YBR_FULL_422", 1)
    if target == BASELINE:
        assert (read_jpeg(value).components, read_jpeg(value).ycbcr) == (3, True)
        return
    decoded = decode_frame(value, target, describe(full, 8, "YBR_FULL"), 1)
    assert decoded == full.tobytes()
    whole = encode_frame(full.tobytes(), target, described, "YBR_FULL_422", 1)
    assert decode_frame(whole, target, describe(full, 8, "YBR_FULL"), 1) == full.tobytes()


@pytest.mark.parametrize(("photometric", "written"), [("RGB", "YBR_FULL_422"), ("MONOCHROME1", None)])
def test_baseline_is_near_what_it_was(photometric: str, written: str | None) -> None:
    y, x = np.mgrid[:61, :47]
    samples = 1 if written is None else 3
    array = np.dstack([x * 4, y * 4, 255 - x * 2 - y][:samples]).astype(np.uint8)
    described = describe(array, 8, photometric)
    value = encode_frame(array.tobytes(), BASELINE, described, photometric, 1)
    changed = encoded_attributes(described, EXPLICIT, BASELINE)
    assert changed == ({} if written is None else {"00280004": written, "00280006": 0})
    assert value[:2] == b"\xff\xd8"
    assert b"\xff\xc0" in value[:700]  # the baseline frame header, no other
    decoded = decode_frame(value, BASELINE, described, 1)
    apart = np.abs(np.frombuffer(decoded, np.uint8).astype(int) - array.reshape(-1))
    assert apart.mean() < 2


REFUSED = [
    (BASELINE, {"bits_allocated": 16, "bits_stored": 12}, "Bits Allocated is 16"),
    (BASELINE, {"bits_stored": 7}, "Bits Stored is 7"),
    (BASELINE, {"pixel_representation": 1}, "signed MONOCHROME2"),
    (BASELINE, {"photometric_interpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
    (RLE, {"bits_allocated": 32}, "Bits Allocated is 32"),
    (RLE, {"bits_allocated": 1}, "Bits Allocated is 1"),
    (JPEG_2000, {"bits_allocated": 64}, "Bits Allocated is 64"),
    (JPEG_LS, {"bits_stored": 1}, "Bits Stored is 1"),
    (JPEG_LS, {"bits_stored": 9}, "Bits Stored is 9"),
    (HTJ2K, {"bits_allocated": 1}, "Bits Allocated is 1"),
    (HTJ2K, {"tag": "7FE00008", "bits_allocated": 32}, "floating point"),
    (HTJ2K, {"rows": 0}, "is missing"),
    (HTJ2K, {"rows": 65535, "columns": 65535}, "more than"),
    (RLE, {"photometric_interpretation": "ARGB", "samples_per_pixel": 4}, "ARGB"),
    (RLE, {"photometric_interpretation": "RGB"}, "1 Samples per Pixel"),
    (
        RLE,
        {"photometric_interpretation": "RGB", "samples_per_pixel": 3, "pixel_representation": 1},
        "signed RGB",
    ),
    (RLE, {"photometric_interpretation": ""}, "(none)"),
    (
        JPEG_LS,
        {"photometric_interpretation": "YBR_FULL", "samples_per_pixel": 3, "bits_allocated": 16},
        "is 16",
    ),
    ("1.2.840.10008.1.2.4.91", {}, "does not compress"),
]


@pytest.mark.parametrize(("target", "values", "text"), REFUSED)
def test_what_a_target_cannot_hold_is_told(target: str, values: dict[str, Any], text: str) -> None:
    reason = refusal(target, pixels(**values), EXPLICIT)
    assert reason is not None
    assert text in reason
    assert target not in encodable(ENCODERS, pixels(**values), EXPLICIT)


def test_video_is_never_compressed_anew() -> None:
    stored = pixels(encapsulated=True, photometric_interpretation="YBR_PARTIAL_420", samples_per_pixel=3)
    assert encodable(ENCODERS, stored, "1.2.840.10008.1.2.4.102") == frozenset()
    assert "cannot be decoded" in (refusal(RLE, stored, "1.2.840.10008.1.2.4.102") or "")


def test_a_data_set_without_pixels_fits_every_syntax() -> None:
    assert encodable(ENCODERS, None, EXPLICIT) == set(ENCODERS)


def test_the_table_agrees_with_the_transfer_syntaxes() -> None:
    for uid, encoder in ENCODERS.items():
        assert (BY_UID[uid].kind is Kind.LOSSLESS) == encoder.lossless
        assert UID(uid).is_compressed
    assert {BASELINE} == LOSSY


def test_what_the_encoder_refuses_says_which_frame() -> None:
    with pytest.raises(NotDecodable, match=f"frame 2 cannot be compressed to {RLE}"):
        encode_frame(bytes(15), RLE, pixels(), "MONOCHROME2", 2)
    odd = pixels(columns=3, samples_per_pixel=3, photometric_interpretation="YBR_FULL_422")
    with pytest.raises(NotDecodable, match="odd number of Columns"):
        encode_frame(bytes(24), RLE, odd, "YBR_FULL_422", 1)


@pytest.mark.parametrize("target", LOSSLESS)
def test_from_one_compression_to_another(target: str) -> None:
    """Lossy colour is RGB once decoded, and so what becomes of it."""
    array = some_samples("u1", 8, (16, 16, 3))
    native = describe(array, 8, "RGB")
    jpeg = encode_frame(array.tobytes(), BASELINE, native, "RGB", 1)
    stored = describe(array, 8, "YBR_FULL_422", encapsulated=True)
    decoded = decode_frame(jpeg, BASELINE, stored, 1)
    value = transcode_frame(jpeg, BASELINE, target, stored, 1)
    assert decode_frame(value, target, native, 1) == decoded
    expected = "YBR_RCT" if target in (JPEG_2000, HTJ2K, HTJ2K_RPCL) else "RGB"
    assert encoded_attributes(stored, BASELINE, target) == {"00280004": expected, "00280006": 0}


@pytest.mark.parametrize("target", LOSSLESS)
@pytest.mark.parametrize(("kind", "bits", "samples"), [("u1", 8, 1), ("u1", 8, 3), ("u2", 16, 1)])
def test_noise_may_become_longer(target: str, kind: str, bits: int, samples: int) -> None:
    array = np.random.default_rng(3).integers(0, 1 << bits, (300, 400, samples)).astype(kind)
    described = describe(array, bits, "RGB" if samples == 3 else "MONOCHROME2")
    value = encode_frame(array.tobytes(), target, described, described.photometric_interpretation, 1)
    assert decode_frame(value, target, described, 1) == array.tobytes()
