"""Pixels and encapsulated frames for the tests of archive/imaging."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import data_store
import pydicom
from pydicom.encaps import get_frame

from archive.imaging.syntaxes import can_decode
from archive.model.instance import Pixels
from tests.samples import pydicom_files

PYDICOM_DATA = Path(data_store.__file__).parent


def pixels(**values: Any) -> Pixels:
    """Return the description of one 8-bit grey frame of 4 x 4, with some values changed."""
    defaults: dict[str, Any] = {
        "tag": "7FE00010",
        "vr": "OW",
        "offset": 1000,
        "length": 16,
        "encapsulated": False,
        "big_endian": False,
        "frames": 1,
        "rows": 4,
        "columns": 4,
        "samples_per_pixel": 1,
        "bits_allocated": 8,
        "bits_stored": values.get("bits_allocated", 8),
        "pixel_representation": 0,
        "planar_configuration": 0,
        "photometric_interpretation": "MONOCHROME2",
    }
    return Pixels(**(defaults | values))


def pixels_of(ds: pydicom.Dataset, **values: Any) -> Pixels:
    """Describe the pixels of a data set that pydicom has read, at offset 0."""
    return pixels(
        **{
            "vr": ds["PixelData"].VR,
            "offset": 0,
            "length": len(ds.PixelData),
            "encapsulated": ds["PixelData"].is_undefined_length,
            "big_endian": ds.file_meta.get("TransferSyntaxUID") == "1.2.840.10008.1.2.2",
            "frames": int(ds.get("NumberOfFrames") or 1),
            "rows": ds.Rows,
            "columns": ds.Columns,
            "samples_per_pixel": ds.SamplesPerPixel,
            "bits_allocated": ds.BitsAllocated,
            "bits_stored": ds.BitsStored,
            "pixel_representation": ds.PixelRepresentation,
            "planar_configuration": ds.get("PlanarConfiguration") or 0,
            "photometric_interpretation": ds.PhotometricInterpretation,
        }
        | values
    )


def read(path: Path) -> pydicom.Dataset:
    """Read a file by pydicom, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, force=True)


def encapsulated_files() -> list[Path]:
    """Return the shipped files whose frames can be decoded."""
    return [path for path in _files() if can_decode(_syntax(path))]


def native_files() -> list[Path]:
    """Return the shipped files with native pixel data."""
    native = {f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".2", ".1.99")}
    return [path for path in _files() if _syntax(path) in native and path.name != "badVR.dcm"]


def frames(ds: pydicom.Dataset) -> Iterator[bytes]:
    """Yield the stored bytes of each encapsulated frame."""
    count = int(ds.get("NumberOfFrames") or 1)
    for index in range(count):
        yield get_frame(ds.PixelData, index, number_of_frames=count)


def _files() -> list[Path]:
    return [*pydicom_files(), *sorted(PYDICOM_DATA.rglob("*.dcm"))]


def _syntax(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path, force=True, specific_tags=["PixelData", "Rows"])
        except Exception:  # noqa: BLE001  some shipped files are broken on purpose
            return ""
    return str(ds.file_meta.get("TransferSyntaxUID", "")) if "PixelData" in ds and "Rows" in ds else ""
