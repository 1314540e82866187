"""What the tests of transcoding share: images of every kind, and what is asked of files that are made."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames, parse_basic_offsets

from archive.settings import Settings
from tests.builders import JPEG_BASELINE, dataset, uid
from tests.conformance.archive import Archive
from tests.imaging.independent import (
    HTJ2K,
    HTJ2K_RPCL,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    Array,
    read,
)

DCMDUMP = shutil.which("dcmdump")
MAGIC = {
    RLE: (b"", "image/dicom-rle"),
    JPEG_LOSSLESS: (b"\xff\xd8", "image/jpeg"),
    JPEG_BASELINE: (b"\xff\xd8", "image/jpeg"),
    JPEG_LS: (b"\xff\xd8\xff\xf7", "image/jls"),
    JPEG_2000: (b"\xff\x4f\xff\x51", "image/jp2"),
    HTJ2K: (b"\xff\x4f\xff\x51", "image/jphc"),
    HTJ2K_RPCL: (b"\xff\x4f\xff\x51", "image/jphc"),
}


@pytest.fixture(scope="module")
def one_archive(tmp_path_factory: pytest.TempPathFactory, new_sqlite_database: Any) -> Iterator[Archive]:
    """Give one archive for all tests of a module: the back ends differ elsewhere.

    It takes other instances of UIDs it knows: shipped files share some.
    """
    data = str(tmp_path_factory.mktemp("transcoding"))
    made = Archive(Settings(data=data, database_url=new_sqlite_database(), on_duplicate="replace"))
    yield made
    made.close()


def image(array: Array, bits: int, name: str, *, planar: int = 0, **values: Any) -> pydicom.Dataset:
    """Return a data set of frames x rows x columns x samples, with UIDs that belong to its name."""
    frames, rows, columns, samples = array.shape
    laid_out = array.transpose(0, 3, 1, 2) if planar else array
    pixels = laid_out.tobytes()
    described = {
        "StudyInstanceUID": uid("study", name),
        "SOPInstanceUID": uid("instance", name),
        "Rows": rows,
        "Columns": columns,
        "NumberOfFrames": frames,
        "SamplesPerPixel": samples,
        "PlanarConfiguration": planar if samples == 3 else None,
        "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2",
        "BitsAllocated": array.itemsize * 8,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(array.dtype.kind == "i"),
        "PixelData": pixels + bytes(len(pixels) % 2),
    }
    return dataset(**(described | values))


def noise(kind: str, bits: int, *shape: int) -> Array:
    """Return noise that fills its bits, and a flat part."""
    low = -(1 << bits - 1) if kind[0] == "i" else 0
    array = np.random.default_rng(3).integers(low, low + (1 << bits), shape).astype(kind)
    array[:, : shape[1] // 2] = low
    return array


def converted(archive: Archive, path: str, target: str) -> bytes:
    """Return an instance in a transfer syntax, its part and its file meta naming it."""
    answer = archive.get(path, f"application/dicom; transfer-syntax={target}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.headers["Content-Type"] == f"application/dicom; transfer-syntax={target}"
    return bytes(answer.data)


def refused(archive: Archive, path: str, accept: str) -> str:
    """Return what a 406 says."""
    answer = archive.get(path, accept)
    assert answer.status_code == 406
    return str(json.loads(answer.data)["error"])


def compared(before: pydicom.Dataset, after: pydicom.Dataset, *changed: str) -> None:
    """See that two data sets differ in what is named and in pixels only."""
    for ds in (before, after):
        for keyword in (*changed, "PixelData"):
            if keyword in ds:
                del ds[keyword]
    assert before == after


def check_encapsulated(file: bytes, target: str, folder: Path) -> pydicom.FileDataset:
    """See that the file is what it says: by pydicom that warns of nothing, and by dcmdump."""
    ds = read(file)
    meta = ds.file_meta
    assert meta.TransferSyntaxUID == target
    assert (meta.MediaStorageSOPInstanceUID, meta.MediaStorageSOPClassUID) == (
        ds.SOPInstanceUID,
        ds.SOPClassUID,
    )
    assert ds["PixelData"].VR == "OB"
    assert ds["PixelData"].is_undefined_length
    assert parse_basic_offsets(ds.PixelData) == []
    assert len(list(generate_frames(ds.PixelData, number_of_frames=1))) == 1  # one item at least
    assert ds.get("PlanarConfiguration", 0) == 0
    if DCMDUMP is not None:
        (folder / "dumped.dcm").write_bytes(file)
        command = [DCMDUMP, "-q", folder / "dumped.dcm"]
        dumped = subprocess.run(command, capture_output=True, check=False)
        assert (dumped.returncode, dumped.stderr) == (0, b"")
    return ds
