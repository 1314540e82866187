"""DICOM files for the tests: those that pydicom ships, a builder, and more samples where there are any.

`SAMPLES` is the folder named by FILMROOM_TEST_SAMPLES, else `../shared/samples` beside the checkout, else
None. The tests are complete without it.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def _samples() -> Path | None:
    named = os.environ.get("FILMROOM_TEST_SAMPLES")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "samples"
    return folder if folder.is_dir() else None


SAMPLES = _samples()

# pydicom.data.get_testdata_files() would ask the network for what is not on disk.
PYDICOM = Path(pydicom.__file__).parent / "data"


def pydicom_file(name: str) -> Path:
    """Return a file that pydicom ships, such as "CT_small.dcm"."""
    for folder in ("test_files", "charset_files"):
        if (PYDICOM / folder / name).is_file():
            return PYDICOM / folder / name
    raise FileNotFoundError(f"pydicom ships no {name}")


def pydicom_files() -> list[Path]:
    """Return every .dcm file that pydicom ships, in order of name."""
    return sorted([*PYDICOM.glob("test_files/**/*.dcm"), *PYDICOM.glob("charset_files/*.dcm")])


def sample(path: str) -> Path:
    """Return a file of SAMPLES; skip the test where there is none."""
    if SAMPLES is None:
        pytest.skip("no folder of samples (FILMROOM_TEST_SAMPLES)")
    return SAMPLES / path


def part10(syntax: str = ExplicitVRLittleEndian, **values: Any) -> bytes:
    """Build a small valid CT instance as a Part 10 file.

    `values` are attributes by keyword; None leaves one out. UIDs are new each time unless given;
    the 4x4 pixels are 16 bit.
    """
    attributes: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "StudyDate": "20240131",
        "StudyTime": "101112",
        "AccessionNumber": "A1",
        "Modality": "CT",
        "PatientName": "Test^Paula",
        "PatientID": "P1",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "ReferringPhysicianName": "",
        "StudyID": "S1",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 4,
        "Columns": 4,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": bytes(range(32)),
        **values,
    }
    ds = Dataset()
    for keyword, value in attributes.items():
        if value is not None:
            setattr(ds, keyword, value)
    if "PixelData" in ds:
        ds["PixelData"].VR = "OW"
    return encode(ds, syntax)


def encode(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write a data set as a Part 10 file in memory."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", "")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "")
    file = BytesIO()
    pydicom.dcmwrite(file, ds, enforce_file_format=True)
    return file.getvalue()
