"""Frames in image types that they are not stored in, and lossy instances, which must say so (8.7.3)."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence

from archive.services import conversion
from tests.builders import (
    EXPLICIT,
    JPEG_BASELINE,
    dataset,
    encapsulated,
    part10,
    uid,
)
from tests.conformance.archive import Archive, parts_of
from tests.conformance.transcoding import (
    MAGIC,
    check_encapsulated,
    compared,
    converted,
    image,
    noise,
    one_archive,
)
from tests.conformance.wado import OCTETS, stored_at
from tests.imaging.independent import (
    HTJ2K,
    HTJ2K_RPCL,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    LOSSLESS,
    RLE,
    decoders,
    native,
)
from tests.samples import pydicom_file

archive = one_archive


@pytest.mark.parametrize("target", [*LOSSLESS, JPEG_BASELINE])
def test_frames_in_every_image_type(archive: Archive, target: str, tmp_path: Path) -> None:
    """A part's type, transfer syntax and first bytes agree with each other (Table 8.7.3-5, BC-088)."""
    array = noise("u1", 8, 3, 9, 11, 3)
    path = stored_at(archive, part10(image(array, 8, "three")))
    magic, media_type = MAGIC[target]
    parts, named = f'multipart/related; type="{media_type}"', f"{media_type}; transfer-syntax={target}"
    answer = archive.get(f"{path}/frames/3,1", f"{parts}; transfer-syntax={target}")
    assert answer.status_code == 200
    frames = parts_of(answer)
    assert [headers["content-type"] for headers, _ in frames] == [named, named]
    assert [headers["content-location"][-1] for headers, _ in frames] == ["3", "1"]
    assert all(body.startswith(magic) for _, body in frames)
    single = archive.get(f"{path}/frames/3", named)
    assert (single.headers["Content-Type"], single.data) == (named, frames[0][1])
    assert "Content-Encoding" not in single.headers
    octets = archive.get(f"{path}/frames/3", f"{OCTETS}; transfer-syntax={target}")
    assert octets.headers["Content-Type"] == f"{OCTETS}; transfer-syntax={target}"
    assert octets.data == single.data
    every = archive.get(f"{path}/pixeldata", f"{parts}; transfer-syntax={target}")
    assert parts_of(every)[2][1] == single.data
    if target != JPEG_BASELINE:
        values = [body + bytes(len(body) % 2) for _, body in reversed(frames)]
        described = dataset(
            Rows=9,
            Columns=11,
            NumberOfFrames=2,
            SamplesPerPixel=3,
            PhotometricInterpretation="RGB",
            PlanarConfiguration=0,
            PixelData=encapsulate(values, has_bot=False),
        )
        for name, seen in decoders(part10(described, target), tmp_path).items():
            assert (seen == array[[0, 2]]).all(), name


@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        ("image/jls", JPEG_LS),
        ("image/x-jls", JPEG_LS),
        ("image/jp2", JPEG_2000),
        ("image/jphc", HTJ2K),
        ("image/jhc", HTJ2K),
        ("image/dicom-rle", RLE),
        ("image/jpeg", JPEG_LOSSLESS),
        (f"image/jpeg; transfer-syntax={JPEG_BASELINE}", JPEG_BASELINE),
        (f"image/jpeg; transfer-syntax={JPEG_BASELINE}, image/jls", JPEG_LS),
        (f"image/jpeg; transfer-syntax={JPEG_BASELINE}, image/jls; q=0.9", JPEG_BASELINE),
        (f"image/jxl, video/mp4, image/jphc; transfer-syntax={HTJ2K_RPCL}", HTJ2K_RPCL),
        (f"{OCTETS}, image/jls", EXPLICIT),
        ("image/jls, */*; q=0.1", JPEG_LS),
        (f"{OCTETS}; transfer-syntax=*", EXPLICIT),
        ("image/jls; transfer-syntax=*", None),
        ("image/*", None),
        ("image/jxl", None),
        ("image/jls; transfer-syntax=1.2.840.10008.1.2.4.81", None),
    ],
)
def test_a_media_type_means_its_default_syntax(archive: Archive, accept: str, syntax: str | None) -> None:
    """The first that can be made among what is liked best; `*` makes nothing (8.7.3.5, 8.7.5)."""
    path = stored_at(archive, part10(image(noise("u1", 8, 1, 8, 8, 1), 8, "liked")))
    answer = archive.get(f"{path}/frames/1", accept)
    if syntax is None:
        assert answer.status_code == 406
    else:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].endswith(f"; transfer-syntax={syntax}")


def lossy(
    archive: Archive, folder: Path, name: str = "lossy", **values: Any
) -> tuple[pydicom.FileDataset, str]:
    """Store a smooth colour image of two frames, and return it as JPEG Baseline, and its path."""
    y, x = np.mgrid[:48, :64]
    frame = np.dstack([x * 3, y * 4, 255 - x - y]).astype(np.uint8)
    ds = image(np.stack([frame, frame[::-1]]), 8, name, **values)
    path = stored_at(archive, part10(ds))
    body = converted(archive, path, JPEG_BASELINE)
    assert body == converted(archive, path, JPEG_BASELINE)
    return check_encapsulated(body, JPEG_BASELINE, folder), path


def test_lossy_instances_say_so(archive: Archive, tmp_path: Path) -> None:
    """A new instance, derived from the stored one, with method and true ratio (PS3.3 C.7.6.1.1.5)."""
    ds, path = lossy(archive, tmp_path, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    before = pydicom.dcmread(io.BytesIO(converted(archive, path, EXPLICIT)))
    assert ds.SOPInstanceUID != before.SOPInstanceUID
    assert ds.SOPInstanceUID.startswith("2.25.")
    assert ds.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    frames = list(generate_frames(ds.PixelData, number_of_frames=2))
    ratio = 2 * 48 * 64 * 3 / sum(len(frame) for frame in frames)
    assert float(ds.LossyImageCompressionRatio) == pytest.approx(ratio, rel=0.01)
    assert "quality 90" in ds.DerivationDescription
    assert (ds.PhotometricInterpretation, ds.PlanarConfiguration) == ("YBR_FULL_422", 0)
    (source,) = ds.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert source.ReferencedSOPClassUID == before.SOPClassUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
    (code,) = ds.DerivationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == (
        "113040",
        "DCM",
        "Lossy Compression",
    )
    tags = [element.tag for element in ds]
    assert tags == sorted(tags)
    if shutil.which("dcmdjpeg"):
        (tmp_path / "in.dcm").write_bytes(converted(archive, path, JPEG_BASELINE))
        subprocess.run(
            ["dcmdjpeg", tmp_path / "in.dcm", tmp_path / "out.dcm"], check=True, capture_output=True
        )
        seen = native(pydicom.dcmread(tmp_path / "out.dcm")).astype(int)
        assert np.abs(seen - native(before)).mean() < 3
    compared(
        before,
        ds,
        *("ImageType", "SOPInstanceUID", "DerivationDescription", "SourceImageSequence"),
        *("DerivationCodeSequence", "PhotometricInterpretation", "LossyImageCompression"),
        *("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    )


def test_a_step_of_compression_is_added_to_those_before(archive: Archive, tmp_path: Path) -> None:
    """Ratios and methods of earlier steps stay in their places, as do sources and descriptions."""
    first = pydicom.Dataset()
    first.ReferencedSOPClassUID, first.ReferencedSOPInstanceUID = "1.2.3", "1.2.3.4"
    kind = pydicom.Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "NONE", "NONE"]
    group = pydicom.Dataset()
    group.MRImageFrameTypeSequence = Sequence([kind])
    ds, path = lossy(
        archive,
        tmp_path,
        "steps",
        LossyImageCompression="01",
        LossyImageCompressionRatio=["7.5", "2"],
        LossyImageCompressionMethod="ISO_15444_1",
        DerivationDescription="reformatted",
        SourceImageSequence=Sequence([first]),
        SharedFunctionalGroupsSequence=Sequence([group]),
    )
    assert [float(ratio) for ratio in ds.LossyImageCompressionRatio[:2]] == [7.5, 2]
    assert len(ds.LossyImageCompressionRatio) == 3
    assert ds.LossyImageCompressionMethod == ["", "ISO_15444_1", "ISO_10918_1"]
    assert ds.DerivationDescription.endswith("; reformatted")
    assert [item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence] == [
        "1.2.3.4",
        path.rsplit("/", 1)[1],
    ]
    frame_type = ds.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence[0].FrameType
    assert frame_type == ["DERIVED", "PRIMARY", "NONE", "NONE"]
    assert ds.ImageType == ["DERIVED", "SECONDARY"]


def test_lossy_of_lossy_names_a_lossy_predecessor(archive: Archive, tmp_path: Path) -> None:
    """Near-lossless JPEG-LS, compressed again."""
    array = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 3
    frame = imagecodecs.jpegls_encode(array, level=3)
    path = stored_at(
        archive,
        encapsulated(
            [bytes(frame) + bytes(len(frame) % 2)],
            syntax="1.2.840.10008.1.2.4.81",
            Rows=32,
            Columns=32,
            SOPInstanceUID=uid("near"),
        ),
    )
    ds = check_encapsulated(converted(archive, path, JPEG_BASELINE), JPEG_BASELINE, tmp_path)
    purpose = ds.SourceImageSequence[0].PurposeOfReferenceCodeSequence[0]
    assert (purpose.CodeValue, purpose.CodeMeaning) == ("121330", "Lossy compressed predecessor")


def test_what_is_stored_lossy_stays_itself(archive: Archive) -> None:
    """JPEG Baseline asked for as such is the stored instance, of the same UID and bytes."""
    data = pydicom_file("SC_rgb_jpeg_dcmtk.dcm").read_bytes()
    path = stored_at(archive, data)
    assert converted(archive, path, JPEG_BASELINE) == data
    frame = archive.get(f"{path}/frames/1", f"image/jpeg; transfer-syntax={JPEG_BASELINE}")
    assert frame.data.rstrip(b"\0") in data


def test_who_leaves_leaves_no_file_behind(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lossy frames that wait on disk go when the client does, or never takes the body."""
    monkeypatch.setattr(conversion, "_HELD", 1)
    path = stored_at(archive, part10(image(noise("u1", 8, 3, 300, 400, 3), 8, "left")))
    headers = {"Accept": f"application/dicom; transfer-syntax={JPEG_BASELINE}"}
    before = _nameless_files()
    assert archive.request("HEAD", path, headers=headers).status_code == 200
    assert _nameless_files() == before
    answer = archive.request("GET", path, headers=headers, buffered=False)
    assert _nameless_files() == before + 1
    next(iter(answer.response))
    answer.close()
    del answer
    assert _nameless_files() == before


def _nameless_files() -> int:
    """Return how many files are open that have no name any more."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor of the folder itself
            count += str(link.readlink()).endswith("(deleted)")
    return count
