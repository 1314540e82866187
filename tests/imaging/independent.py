"""Decoders that are not ours: what is compressed here must be the same pixels to DCMTK, GDCM and pylibjpeg.

DCMTK where its programs are installed; the others are packages for tests. Each gives rows x columns x samples
of every frame, colour by pixel and untransformed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import openjpeg
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from rle.rle import decode_frame as decode_rle_frame

RLE, JPEG_LOSSLESS, JPEG_LS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"
JPEG_2000, HTJ2K, HTJ2K_RPCL = (f"1.2.840.10008.1.2.4.{tail}" for tail in ("90", "201", "202"))
LOSSLESS = (RLE, JPEG_LOSSLESS, JPEG_LS, JPEG_2000, HTJ2K, HTJ2K_RPCL)

_PROGRAMS = {RLE: ["dcmdrle"], JPEG_LOSSLESS: ["dcmdjpeg", "+cn"], JPEG_LS: ["dcmdjpls"]}

Array = np.ndarray[Any, Any]


def read(file: bytes) -> pydicom.FileDataset:
    """Read a file by pydicom, which must have nothing to say against it."""
    with warnings.catch_warnings(action="error"):
        return pydicom.dcmread(io.BytesIO(file))


def decoders(file: bytes, folder: Path, *, crashes: bool = True) -> dict[str, Array]:
    """Return the pixels of a file by the name of each decoder that knows its transfer syntax.

    GDCM is left out without `crashes`: it ends the process for headers it does not expect.
    """
    ds = pydicom.dcmread(io.BytesIO(file))
    syntax = ds.file_meta.TransferSyntaxUID
    found = {}
    if syntax in _PROGRAMS and shutil.which(_PROGRAMS[syntax][0]):
        found["dcmtk"] = _by_dcmtk(file, _PROGRAMS[syntax], folder)
    if syntax == RLE:
        found["pylibjpeg-rle"] = _by_pylibjpeg_rle(ds)
    elif syntax in (JPEG_LOSSLESS, JPEG_LS, JPEG_2000) and crashes and ds.BitsStored >= 8:
        found["gdcm"] = _by_gdcm(file, ds, folder)
    if syntax in (JPEG_2000, HTJ2K, HTJ2K_RPCL):
        found["pylibjpeg-openjpeg"] = _by_openjpeg(ds)
    return found


def native(ds: Dataset) -> Array:
    """Return frames x rows x columns x samples of native pixels, unused bits as they are."""
    count = int(ds.get("NumberOfFrames") or 1)
    if ds.BitsAllocated == 1:
        bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
        return bits[: count * ds.Rows * ds.Columns].reshape(count, ds.Rows, ds.Columns, 1)
    size = count * ds.Rows * ds.Columns * ds.SamplesPerPixel
    if ds.PhotometricInterpretation == "YBR_FULL_422" and len(ds.PixelData) < size:
        pairs = np.frombuffer(ds.PixelData, np.uint8).reshape(-1, 4)  # Y1 Y2 Cb Cr
        return pairs[:, [0, 2, 3, 1, 2, 3]].reshape(count, ds.Rows, ds.Columns, 3)
    flat = np.frombuffer(ds.PixelData, _kind(ds), count=size)
    if ds.SamplesPerPixel == 3 and ds.PlanarConfiguration == 1:
        return flat.reshape(count, 3, ds.Rows, ds.Columns).transpose(0, 2, 3, 1)
    return flat.reshape(count, ds.Rows, ds.Columns, ds.SamplesPerPixel)


def _kind(ds: Dataset) -> str:
    return f"<{'i' if ds.PixelRepresentation else 'u'}{ds.BitsAllocated // 8}"


def _shape(ds: Dataset) -> tuple[int, ...]:
    return ds.Rows, ds.Columns, ds.SamplesPerPixel


def _stored(ds: Dataset) -> list[bytes]:
    count = int(ds.get("NumberOfFrames") or 1)
    return list(generate_frames(ds.PixelData, number_of_frames=count))


def _by_dcmtk(file: bytes, command: list[str], folder: Path) -> Array:
    (folder / "in.dcm").write_bytes(file)
    subprocess.run([*command, folder / "in.dcm", folder / "out.dcm"], check=True, capture_output=True)
    return native(pydicom.dcmread(folder / "out.dcm"))


def _by_gdcm(file: bytes, ds: Dataset, folder: Path) -> Array:
    (folder / "in.dcm").write_bytes(file)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(folder / "in.dcm"))
    assert reader.Read()
    pixels = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")
    flat = np.frombuffer(pixels, _kind(ds))
    if ds.SamplesPerPixel == 3 and reader.GetImage().GetPlanarConfiguration() == 1:
        return flat.reshape(-1, 3, ds.Rows, ds.Columns).transpose(0, 2, 3, 1)
    return flat.reshape(-1, *_shape(ds))


def _by_openjpeg(ds: Dataset) -> Array:
    frames = [np.asarray(openjpeg.decode(io.BytesIO(frame))) for frame in _stored(ds)]
    return np.stack([frame.reshape(_shape(ds)) for frame in frames])


def _by_pylibjpeg_rle(ds: Dataset) -> Array:
    rows, columns, samples = _shape(ds)
    frames = [decode_rle_frame(frame, rows * columns, ds.BitsAllocated, "<") for frame in _stored(ds)]
    planes = [np.frombuffer(frame, _kind(ds)).reshape(samples, rows, columns) for frame in frames]
    return np.stack(planes).transpose(0, 2, 3, 1)
