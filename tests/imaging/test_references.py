"""Every sample with a reference for its pixels, from the file to the frame that is sent, by our own reader.

Lossless and native frames, first and last, are equal bit for bit to what pylibjpeg gave, to the pixels that
were compressed, to the inflated frame or to what DCMTK gave: hashes of the manifest. Lossy frames are within
TOLERANCE of what GDCM gives, or DCMTK for 12 bits.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import openjpeg
import pytest
from pydicom.pixels import convert_color_space, pixel_array

from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource
from archive.dicomweb.media_types import Kind, transfer_syntax
from archive.errors import NotDicom
from archive.imaging import encapsulated, native
from archive.imaging.decode import decode_frame
from archive.imaging.syntaxes import decoded_attributes
from tests.imaging.pixels import frames, pixels_of, read
from tests.imaging.test_decode import samples_of
from tests.samples import SAMPLES

TOLERANCE = 1
"""How far a sample of a lossy frame may be from another decoder's: IDCTs round, and so does colour."""

_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_RETIRED = ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")
_HASHES = ("source_frame_sha256", "inflated_first_frame_sha256", "dcmtk_first_frame_sha256")


class Opened:
    """A sample as the archive sees it."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        result = read_instance(BytesSource(self.data), bulk_threshold=1024, max_inflated=2**30)
        if result.inflated is not None:
            with result.inflated:
                result.inflated.seek(0)
                self.data = result.inflated.read()
        assert result.reading.pixels is not None
        self.pixels = result.reading.pixels
        self.syntax = result.reading.transfer_syntax_uid
        self.blocks = result.reading.frame_blocks

    def frame(self, number: int) -> bytes:
        """Return a frame as it is sent where native pixels are asked for."""
        if not self.pixels.encapsulated:
            at, length = native.frame_range(self.pixels, number)
            return native.frame_value(self.pixels, number, self.data[at : at + length])
        return decode_frame(self.stored(number), self.syntax, self.pixels, number)

    def stored(self, number: int) -> bytes:
        """Return the value of an encapsulated frame."""
        at, length = encapsulated.frame_range(self.blocks, number)
        return encapsulated.frame_value(self.data[at : at + length], number)

    def samples(self, number: int) -> np.ndarray:
        """Return a frame as rows x columns x samples, native ones without the bits above Bits Stored."""
        value, pixels = self.frame(number), self.pixels
        rows, columns = pixels.rows, pixels.columns
        if len(value) * 8 < rows * columns * pixels.samples_per_pixel * pixels.bits_allocated:
            return _spread(value, rows, columns)
        if pixels.tag != "7FE00010":
            return np.frombuffer(value, {"7FE00008": "<f4", "7FE00009": "<f8"}[pixels.tag]).reshape(
                rows, columns, 1
            )
        array = samples_of(value, pixels)
        unused = 0 if pixels.encapsulated else pixels.bits_allocated - pixels.bits_stored
        return (array << unused) >> unused

    def photometric(self) -> str:
        """Return what the header of the decoded instance says."""
        stored = self.pixels.photometric_interpretation
        if not self.pixels.encapsulated:
            return "YBR_FULL" if stored == "YBR_FULL_422" else stored  # as _spread leaves it
        return decoded_attributes(self.pixels, self.syntax).get("00280004", stored)


class Refused(Opened):
    """A sample that the archive does not store, for want of a UID say, as pydicom sees it."""

    def __init__(self, path: Path) -> None:
        ds = read(path)
        self.pixels = pixels_of(ds)
        self.data = ds.PixelData
        self.syntax = str(ds.file_meta.get("TransferSyntaxUID", ""))
        self._frames = list(frames(ds)) if self.pixels.encapsulated else []

    def stored(self, number: int) -> bytes:
        """Return the value of a frame."""
        return self._frames[number - 1]


def _spread(value: bytes, rows: int, columns: int) -> np.ndarray:
    """Give every pixel the colour that it shares with its neighbour (YBR_FULL_422, PS3.3 C.7.6.3.1.2)."""
    pairs = np.frombuffer(value, np.uint8).reshape(-1, 4)
    pixels = pairs[:, [[0, 2, 3], [1, 2, 3]]]
    return np.ascontiguousarray(pixels).reshape(rows, columns, 3)


def _rows() -> list[dict[str, Any]]:
    if SAMPLES is None:
        return []
    rows: list[dict[str, Any]] = json.loads((SAMPLES / "manifest.json").read_text())
    return [row for row in rows if row.get("pixels") and any("sha256" in key for key in row["pixels"])]


def _ids(rows: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(row, id=row["path"].rsplit("/", 1)[-1]) for row in rows]


def _is_lossy(row: dict[str, Any]) -> bool:
    uid = row["transfer_syntax"]
    return bool(uid) and transfer_syntax(uid).kind is Kind.LOSSY


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _open(row: dict[str, Any]) -> Opened:
    assert SAMPLES is not None
    path = SAMPLES / row["path"]
    try:
        return Opened(path)
    except NotDicom:
        return Refused(path)


@pytest.mark.parametrize("row", _ids([row for row in _rows() if row["pixels"].get("exact")]))
def test_exact_frames(row: dict[str, Any]) -> None:
    opened, expected = _open(row), row["pixels"]
    first = opened.samples(1)
    kind = np.dtype(expected["dtype"])  # which may be Big Endian
    assert _sha256(first.astype(kind)) == expected["first_frame_sha256"]
    if opened.pixels.frames > 1:
        assert _sha256(opened.samples(opened.pixels.frames).astype(kind)) == expected["last_frame_sha256"]
    if expected["rgb_first_frame_sha256"]:
        rgb = first if opened.photometric() == "RGB" else convert_color_space(first, "YBR_FULL", "RGB")
        assert _sha256(rgb) == expected["rgb_first_frame_sha256"]


@pytest.mark.parametrize("row", _ids([row for row in _rows() if set(_HASHES) & set(row["pixels"])]))
def test_frames_with_another_reference(row: dict[str, Any]) -> None:
    opened = _open(row)
    found = {_sha256(opened.samples(1)), hashlib.sha256(opened.frame(1)).hexdigest()}
    for name in set(_HASHES) & set(row["pixels"]):
        assert row["pixels"][name] in found


@pytest.mark.parametrize(
    "row", _ids([row for row in _rows() if _is_lossy(row) and not row["pixels"].get("exact")])
)
def test_lossy_frames(row: dict[str, Any], tmp_path: Path) -> None:
    opened = _open(row)
    assert SAMPLES is not None
    expected = _independent(SAMPLES / row["path"], opened, tmp_path).astype(int)
    ours = opened.samples(1).astype(int)
    assert np.abs(ours - expected.reshape(ours.shape)).max() <= TOLERANCE


def _independent(path: Path, opened: Opened, folder: Path) -> np.ndarray:
    """Return the first frame by OpenJPEG for HTJ2K, DCMTK for retired and 12-bit JPEG, else by GDCM."""
    if opened.syntax == "1.2.840.10008.1.2.4.203":
        return np.asarray(openjpeg.decode(opened.stored(1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if opened.syntax in _RETIRED or (opened.syntax in _JPEG and opened.pixels.bits_stored > 8):
            if shutil.which("dcmdjpeg") is None:
                pytest.skip("dcmdjpeg of DCMTK is not installed")
            subprocess.run(["dcmdjpeg", path, folder / "native.dcm"], check=True, timeout=30)
            return pixel_array(folder / "native.dcm", index=0, raw=True)
        return pixel_array(read(path), index=0, decoding_plugin="gdcm")
