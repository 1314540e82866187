"""Every instance there is, in and out: as stored, converted, its metadata, frames and bulk values."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from archive.dicomweb.media_types import Kind, transfer_syntax
from archive.settings import Settings
from tests.builders import EXPLICIT
from tests.conformance.archive import AS_STORED, Archive, parts_of
from tests.conformance.wado import ANY_PARTS, OCTETS
from tests.samples import SAMPLES, pydicom_files


def _rows() -> list[dict[str, Any]]:
    """Return the manifest of the samples, or as much of one as shipped files need."""
    if SAMPLES is None:
        return [{"file": path} for path in pydicom_files()]
    rows = json.loads((SAMPLES / "manifest.json").read_text())
    return [{**row, "file": SAMPLES / row["path"]} for row in rows]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, new_sqlite_database: Any) -> Iterator[Archive]:
    """Give one archive for all: the back ends differ elsewhere."""
    folder = tmp_path_factory.mktemp("samples")
    made = Archive(Settings(data=str(folder), database_url=new_sqlite_database()))
    yield made
    made.close()


def _read(data: bytes) -> pydicom.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(io.BytesIO(data), force=True)
            ds.get("StudyInstanceUID")  # values are read late, and some of them are bad
        except RecursionError:  # sequences within sequences, thousands of them
            return pydicom.Dataset()
        return ds


def _address(archive: Archive, data: bytes) -> str:
    """Store an instance alone, whatever shares its UIDs; skip what cannot be stored."""
    ds = _read(data)
    archive.request("DELETE", f"/studies/{ds.get('StudyInstanceUID')}")
    answer = archive.stow(data)
    if answer.status_code == 409:
        pytest.skip("not stored")
    stored = json.loads(answer.data)["00081199"]["Value"][0]["00081190"]["Value"][0]
    return str(stored).removeprefix("http://localhost/dicom-web")


@pytest.mark.parametrize("row", [pytest.param(row, id=Path(row["file"]).name) for row in _rows()])
def test_every_instance_comes_back(archive: Archive, row: dict[str, Any]) -> None:
    """As stored it is the same bytes; every address in its metadata answers; frames are what they were."""
    data = row["file"].read_bytes()
    path = _address(archive, data)
    assert archive.get(path, "application/dicom; transfer-syntax=*").data == data
    assert parts_of(archive.get(path, AS_STORED))[0][1] == data
    plain = archive.get(f"{path}/metadata")
    assert gzip.decompress(archive.get(f"{path}/metadata", Accept_Encoding="gzip").data) == plain.data
    (metadata,) = json.loads(plain.data)
    for address in re.findall(r'"BulkDataURI":"([^"]*)"', plain.get_data(as_text=True)):
        for accept in ("*/*", ANY_PARTS):
            assert archive.get(address.removeprefix("http://localhost/dicom-web"), accept).status_code == 200
    _check_converted(archive, path, data)
    if any(tag in metadata for tag in ("7FE00010", "7FE00008", "7FE00009")):
        _check_frame(archive, path, row, _read(data))


def _check_converted(archive: Archive, path: str, data: bytes) -> None:
    """Lossless and native instances come as Explicit VR with equal pixels; others as stored."""
    answer = archive.get(path, "application/dicom")
    assert answer.status_code == 200
    syntax = answer.headers["Content-Type"].split("transfer-syntax=")[1]
    if syntax != EXPLICIT:
        assert transfer_syntax(syntax).kind in {Kind.LOSSY, Kind.VIDEO, Kind.UNKNOWN} or answer.data == data
        return
    converted = _read(answer.data)
    assert converted.file_meta.TransferSyntaxUID == EXPLICIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            before = _read(data).pixel_array
        except Exception:  # noqa: BLE001 what pydicom cannot decode has no reference here
            return
        after = converted.pixel_array
    assert after.shape == before.shape
    used = (1 << min(converted.get("BitsStored", 64), 63)) - 1
    assert before.dtype.kind == "f" or ((after ^ before).astype("i8") & used == 0).all()


def _check_frame(archive: Archive, path: str, row: dict[str, Any], ds: pydicom.Dataset) -> None:
    """The first frame, decoded, has the bytes that a reference decoder gives."""
    answer = archive.get(f"{path}/frames/1", OCTETS)
    assert answer.status_code in (200, 406)
    pixels = row.get("pixels") or {}
    if not pixels.get("ok"):
        return
    assert answer.status_code == 200
    if not pixels["exact"] or "BitsStored" not in ds or _laid_out_otherwise(ds, pixels):
        return
    frame = answer.data
    if pixels["dtype"].startswith(">"):
        frame = np.frombuffer(frame, pixels["dtype"].replace(">", "<")).astype(pixels["dtype"]).tobytes()
    assert hashlib.sha256(frame).hexdigest() == pixels["first_frame_sha256"]


def _laid_out_otherwise(ds: pydicom.Dataset, pixels: dict[str, Any]) -> bool:
    """Tell whether the reference is unpacked, by pixel, upsampled or masked: no bytes to compare."""
    planar = ds.get("PlanarConfiguration") == 1 and ds.SamplesPerPixel > 1
    subsampled = ds.get("PhotometricInterpretation") == "YBR_FULL_422"
    masked = ds.get("HighBit") != ds.BitsStored - 1 or ds.BitsStored < ds.BitsAllocated
    return ds.BitsAllocated == 1 or planar or subsampled or (masked and not _same_bits(ds, pixels))


def _same_bits(ds: pydicom.Dataset, pixels: dict[str, Any]) -> bool:
    """Tell whether the bits that are not used are left alone by the reference: its own bytes say so."""
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        return True
    length = int(np.prod(pixels["shape"][-3:])) * np.dtype(pixels["dtype"]).itemsize
    frame = ds.PixelData[:length]
    return hashlib.sha256(frame).hexdigest() == pixels["first_frame_sha256"]
