"""archive/imaging/native.py: frames of native pixel data by arithmetic (PS3.18 8.7.3.3.2)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels import pixel_array

from archive.errors import NotDecodable, NotFound
from archive.imaging.native import frame_range, frame_value
from archive.model.instance import Pixels
from tests.imaging.pixels import native_files, pixels, pixels_of, read

VALUE = bytes(range(256))


def cut(described: Pixels, frame: int, value: bytes) -> bytes:
    offset, length = frame_range(described, frame)
    start = offset - described.offset
    return frame_value(described, frame, value[start : start + length])


@pytest.mark.parametrize(
    ("values", "frame", "expected"),
    [
        pytest.param({"frames": 3, "length": 48}, 2, VALUE[16:32], id="8 bit"),
        pytest.param(
            {"rows": 3, "columns": 3, "frames": 3, "length": 28, "big_endian": True},
            2,
            bytes([8, 11, 10, 13, 12, 15, 14, 17, 16]),
            id="8 bit in words of Big Endian",
        ),
        pytest.param(
            {"rows": 3, "columns": 3, "frames": 3, "length": 28, "big_endian": True, "vr": "OB"},
            2,
            VALUE[9:18],
            id="8 bit in bytes of Big Endian",
        ),
        pytest.param(
            {"rows": 1, "columns": 2, "frames": 4, "length": 16, "big_endian": True, "bits_allocated": 16},
            3,
            bytes([9, 8, 11, 10]),
            id="16 bit Big Endian",
        ),
        pytest.param(
            {"rows": 1, "columns": 1, "frames": 2, "length": 8, "big_endian": True, "bits_allocated": 32},
            2,
            bytes([7, 6, 5, 4]),
            id="32 bit Big Endian in OW",
        ),
        pytest.param(
            {"rows": 1, "columns": 1, "length": 8, "big_endian": True, "bits_allocated": 64, "vr": "OD"},
            1,
            bytes([7, 6, 5, 4, 3, 2, 1, 0]),
            id="double",
        ),
        pytest.param(
            {"columns": 2, "rows": 2, "length": 8, "samples_per_pixel": 3, "vr": "OB"}
            | {"photometric_interpretation": "YBR_FULL_422"},
            1,
            VALUE[:8],
            id="subsampled: two samples a pixel",
        ),
        pytest.param(
            {"columns": 2, "rows": 2, "length": 24, "samples_per_pixel": 3, "vr": "OB", "frames": 2}
            | {"photometric_interpretation": "YBR_FULL_422"},
            2,
            VALUE[12:24],
            id="called subsampled, as long as three samples a pixel",
        ),
    ],
)
def test_a_frame_is_little_endian_bytes(values: dict[str, object], frame: int, expected: bytes) -> None:
    described = pixels(**values)
    assert cut(described, frame, VALUE[: described.length]) == expected


@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    frames=st.integers(1, 6),
    big_endian=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_frames_of_one_bit_begin_on_a_byte(
    rows: int, columns: int, frames: int, big_endian: bool, seed: int
) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (frames, rows * columns), dtype=np.uint8)
    value = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    value += bytes(len(value) % 2)
    if big_endian:
        value = np.frombuffer(value, "u2").byteswap().tobytes()
    described = pixels(
        rows=rows, columns=columns, frames=frames, bits_allocated=1, length=len(value), big_endian=big_endian
    )
    for frame in range(1, frames + 1):
        expected = np.packbits(bits[frame - 1], bitorder="little").tobytes()
        assert cut(described, frame, value) == expected


@pytest.mark.parametrize("path", native_files(), ids=lambda path: path.name)
def test_frames_of_shipped_files_are_those_of_pydicom(path: Path) -> None:
    ds = read(path)
    described = pixels_of(ds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = pixel_array(ds, raw=True)
        except ValueError:  # shorter than its header says
            with pytest.raises(NotDecodable, match="too short"):
                cut(described, 1, ds.PixelData)
            return
    expected = expected.reshape(described.frames, -1)
    for frame in (1, described.frames):
        value = cut(described, frame, ds.PixelData)
        if described.bits_allocated == 1:
            assert value == np.packbits(expected[frame - 1], bitorder="little").tobytes()
        elif described.photometric_interpretation != "YBR_FULL_422":  # pydicom spreads the samples
            assert _sorted(value, described) == _sorted(expected[frame - 1].astype("<u4"), described)


def _sorted(value: bytes | np.ndarray, described: Pixels) -> bytes:
    """Make planes of samples without their unused bits: pydicom clears those, and reads planes as pixels."""
    samples, mask = described.samples_per_pixel, np.uint32((1 << described.bits_stored) - 1)
    if isinstance(value, np.ndarray):
        return (value.reshape(-1, samples).T & mask).tobytes()
    array = np.frombuffer(value, f"<u{described.bits_allocated // 8}").astype("<u4") & mask
    return (array if described.planar_configuration == 1 else array.reshape(-1, samples).T).tobytes()


def test_a_frame_that_the_instance_has_not_is_not_found() -> None:
    for frame in (0, 3):
        with pytest.raises(NotFound):
            frame_range(pixels(frames=2, length=32), frame)


def test_a_frame_that_the_value_has_not_is_not_decodable() -> None:
    described = pixels(frames=2_000_000_000, length=33)
    assert frame_range(described, 2) == (1016, 16)
    with pytest.raises(NotDecodable, match="too short: frame 3 of"):
        frame_range(described, 3)
    with pytest.raises(NotDecodable, match="missing"):
        frame_range(pixels(rows=0), 1)
    with pytest.raises(NotDecodable, match="16 bytes of the object, 9 could"):
        frame_value(pixels(), 1, bytes(9))
