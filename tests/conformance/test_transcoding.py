"""Instances and frames in transfer syntaxes that they are not stored in (PS3.18 8.7.3, PS3.5 8.2 and A.4).

What is lossless must be the same pixels to decoders that are not ours (tests/imaging/independent.py).
"""

from __future__ import annotations

import io
import json
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence

from archive.web import caching
from tests.builders import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    dataset,
    encapsulated,
    instance,
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
    refused,
)
from tests.conformance.wado import ANY_PARTS, OCTETS, PARTS, stored_at
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
    read,
)
from tests.samples import SAMPLES, pydicom_file

VIDEO = "1.2.840.10008.1.2.4.102"


archive = one_archive


def every_kind() -> dict[str, bytes]:
    """Return an instance of each kind of pixels and each native transfer syntax, in one study."""
    series = {"StudyInstanceUID": uid("study", "kinds")}
    palette: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{colour}PaletteColorLookupTableData"] = bytes(range(256)) * 2
    big_endian = image(noise("u2", 12, 2, 6, 9, 1), 12, "big", **series)
    big_endian.PixelData = np.frombuffer(big_endian.PixelData, "<u2").astype(">u2").tobytes()
    files = {
        "8u": part10(image(noise("u1", 8, 1, 17, 31, 1), 8, "8u", **series)),
        "12u": part10(image(noise("u2", 12, 1, 16, 16, 1), 12, "12u", **series)),
        "16u": part10(image(noise("u2", 16, 1, 16, 16, 1), 16, "16u", **series), IMPLICIT),
        "16s": part10(image(noise("i2", 16, 1, 15, 7, 1), 16, "16s", **series), DEFLATED),
        "12s": part10(image(noise("i2", 12, 1, 15, 7, 1), 12, "12s", **series)),
        "big endian": part10(big_endian, BIG_ENDIAN),
        "RGB by pixel": part10(image(noise("u1", 8, 2, 9, 11, 3), 8, "rgb", **series)),
        "RGB by plane": part10(image(noise("u1", 8, 2, 9, 11, 3), 8, "planes", planar=1, **series)),
        "palette": part10(image(noise("u1", 8, 1, 8, 8, 1), 8, "palette", **palette, **series)),
        "frames": part10(image(noise("u2", 16, 5, 32, 24, 1), 16, "frames", **series)),
    }
    return {f"{n} {name}": data for n, (name, data) in enumerate(files.items())}


@pytest.mark.parametrize("target", LOSSLESS)
def test_every_kind_of_pixels_is_the_same_in_every_lossless_syntax(
    archive: Archive, target: str, tmp_path: Path
) -> None:
    """A whole study, one part an instance; header, file meta and bytes agree with each other (BC-107)."""
    files = every_kind()
    archive.stored(*files.values())
    before = {str(ds.SOPInstanceUID): ds for ds in map(read, files.values())}
    answer = archive.get(
        f"/studies/{uid('study', 'kinds')}",
        f'multipart/related; type="application/dicom"; transfer-syntax={target}',
    )
    assert answer.status_code == 200
    parts = parts_of(answer)
    assert len(parts) == len(files)
    for headers, body in parts:
        assert headers["content-type"] == f"application/dicom; transfer-syntax={target}"
        ds = check_encapsulated(body, target, tmp_path)
        source = before[ds.SOPInstanceUID]
        expected = native(source)
        if source.file_meta.TransferSyntaxUID == BIG_ENDIAN:
            expected = expected.byteswap()
        for name, seen in decoders(body, tmp_path).items():
            assert (seen == expected).all(), (name, source.SOPInstanceUID)
        rct = target in (JPEG_2000, HTJ2K, HTJ2K_RPCL) and source.SamplesPerPixel == 3
        photometric = "YBR_RCT" if rct else source.PhotometricInterpretation
        assert ds.PhotometricInterpretation == photometric
        compared(source, ds, "PhotometricInterpretation", "PlanarConfiguration")


@pytest.mark.parametrize("target", LOSSLESS)
@pytest.mark.parametrize(
    "name",
    [
        "JPEG2000.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "SC_rgb_rle_2frame.dcm",
        "SC_rgb_dcmtk_+eb+cr.dcm",
        "JPEG-lossy.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "examples_ybr_color.dcm",
    ],
)
def test_from_one_compression_to_another(archive: Archive, name: str, target: str, tmp_path: Path) -> None:
    """Lossy sources too, from their decoded pixels, where a lossless syntax is named."""
    data = pydicom_file(name).read_bytes()
    path = stored_at(archive, data)
    if pydicom.dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID == target:
        assert converted(archive, path, target) == data
        return
    plain = pydicom.dcmread(io.BytesIO(converted(archive, path, EXPLICIT)))
    if target == JPEG_LOSSLESS and plain.PhotometricInterpretation == "YBR_FULL":
        assert "cannot hold" in refused(archive, path, f"application/dicom; transfer-syntax={target}")
        return
    body = converted(archive, path, target)
    check_encapsulated(body, target, tmp_path)
    for decoder, seen in decoders(body, tmp_path).items():
        assert (seen == native(plain)).all(), decoder


def _samples() -> list[Any]:
    if SAMPLES is None:
        return []
    rows = json.loads((SAMPLES / "manifest.json").read_text())
    taken = [
        row
        for row in rows
        if row.get("rows") and row["bits_allocated"] in ("1", "8", "16") and row["size"] < 700_000
        if not row["path"].startswith("malformed")  # what is made of them is told elsewhere
    ]
    return [
        pytest.param(
            SAMPLES / row["path"], LOSSLESS[n % len(LOSSLESS)], id=f"{row['path'].rsplit('/', 1)[-1]}"
        )
        for n, row in enumerate(taken)
    ]


@pytest.mark.parametrize(("path", "target"), _samples())
def test_samples(archive: Archive, path: Path, target: str, tmp_path: Path) -> None:
    """Each in one of the lossless syntaxes by turns: the same pixels, or a 406 that says why not."""
    data = path.read_bytes()
    with warnings.catch_warnings(action="ignore"):
        answer = archive.stow(data)
        if answer.status_code not in (200, 202):
            pytest.skip("not stored")
        stored = json.loads(answer.data)["00081199"]["Value"][0]["00081190"]["Value"][0]
        where = str(stored).removeprefix("http://localhost/dicom-web")
        answer = archive.get(where, f"application/dicom; transfer-syntax={target}")
        if answer.status_code != 200:
            assert answer.status_code == 406
            assert "cannot" in json.loads(answer.data)["error"]
            return
        if answer.data == data or "PixelData" not in pydicom.dcmread(io.BytesIO(data)):
            return
        plain = pydicom.dcmread(io.BytesIO(converted(archive, where, EXPLICIT)))
        for name, seen in decoders(answer.data, tmp_path, crashes=False).items():
            assert (seen == native(plain)).all(), name


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        (f"{{}}; transfer-syntax={JPEG_2000}, {{}}; transfer-syntax={JPEG_LS}", JPEG_LS),
        (f"{{}}; transfer-syntax={JPEG_2000}, {{}}; transfer-syntax={JPEG_LS}; q=0.5", JPEG_2000),
        (f"{{}}; transfer-syntax={JPEG_BASELINE}, {{}}; transfer-syntax={RLE}", RLE),
        (f"{{}}; transfer-syntax={VIDEO}, {{}}; transfer-syntax={HTJ2K}", HTJ2K),
        (f"{{}}; transfer-syntax={JPEG_2000}, {{}}; transfer-syntax=*", JPEG_LS),
        ("{}", EXPLICIT),
        ("{}; transfer-syntax=*", JPEG_LS),
    ],
)
def test_what_is_stored_compressed_is_not_compressed_anew_in_vain(
    archive: Archive, accept: str, sent: str
) -> None:
    """Clients list all that they can decode: the stored form first, lossy ones last."""
    path = stored_at(archive, pydicom_file("MR_small_jpeg_ls_lossless.dcm").read_bytes())
    answer = archive.get(path, accept.replace("{}", "application/dicom"))
    assert answer.headers["Content-Type"] == f"application/dicom; transfer-syntax={sent}"
    frames = f"{path}/frames/1"
    listed = "image/jp2, image/jls, image/jphc"
    assert archive.get(frames, listed).headers["Content-Type"] == f"image/jls; transfer-syntax={JPEG_LS}"


_SIXTEEN = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelData": bytes(128)}
_ONE = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": bytes(8)}
_LONG = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31, "PixelData": bytes(256)}
_FLOAT = {"PixelData": None, "FloatPixelData": bytes(256), "BitsAllocated": 32}


@pytest.mark.parametrize(
    ("values", "target", "text"),
    [
        (_SIXTEEN, JPEG_BASELINE, "Bits Allocated is 16"),
        ({"PixelRepresentation": 1}, JPEG_BASELINE, "signed"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, JPEG_BASELINE, "PALETTE COLOR"),
        (_ONE, RLE, "Bits Allocated is 1"),
        (_LONG, JPEG_2000, "Bits Allocated is 32"),
        (_FLOAT, HTJ2K, "floating point"),
        ({}, "1.2.840.10008.1.2.4.91", "cannot be sent"),
        ({"NumberOfFrames": 3}, JPEG_LS, "too short"),
    ],
)
def test_what_cannot_be_made_is_told(
    archive: Archive, values: dict[str, Any], target: str, text: str
) -> None:
    """406 that says what the syntax cannot hold; nothing is windowed or cut in silence."""
    path = stored_at(archive, instance(SOPInstanceUID=uid(target, *map(str, values.items())), **values))
    assert text in refused(archive, path, f"application/dicom; transfer-syntax={target}")
    if "NumberOfFrames" not in values:
        media_type = MAGIC.get(target, (b"", "image/jp2"))[1]
        assert text in refused(archive, f"{path}/frames/1", f"{media_type}; transfer-syntax={target}")
        assert archive.get(path, f"application/dicom; transfer-syntax={target}, */*;q=0.1").status_code == 200


def test_video_is_never_compressed_anew(archive: Archive) -> None:
    path = stored_at(
        archive, encapsulated([b"\0\0\0\x18ftypmp42"], syntax=VIDEO, SOPInstanceUID=uid("video"))
    )
    for target in (*LOSSLESS, JPEG_BASELINE):
        assert "cannot be decoded" in refused(archive, path, f"application/dicom; transfer-syntax={target}")


def test_one_that_cannot_be_made_is_told_before_any_is_sent(archive: Archive) -> None:
    """A study of a CT and a parametric map, wanted in JPEG-LS: 406, not a body that breaks off."""
    study = {"StudyInstanceUID": uid("study", "mixed")}
    archive.stored(
        instance(SOPInstanceUID=uid("mixed", 1), **study),
        instance(
            SOPInstanceUID=uid("mixed", 2),
            PixelData=None,
            FloatPixelData=bytes(256),
            BitsAllocated=32,
            **study,
        ),
    )
    path = f"/studies/{study['StudyInstanceUID']}"
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={JPEG_LS}'
    assert "floating point" in refused(archive, path, accept)
    assert len(parts_of(archive.get(path, f"{accept}, {accept[:-2]}90; q=0.5, */*; q=0.1"))) == 2
    frames = f'multipart/related; type="image/jls", multipart/related; type="{OCTETS}"; q=0.5'
    types = {headers["content-type"] for headers, _ in parts_of(archive.get(f"{path}/pixeldata", frames))}
    assert types == {f"image/jls; transfer-syntax={JPEG_LS}", f"{OCTETS}; transfer-syntax={EXPLICIT}"}


def test_a_report_goes_along_with_its_images(archive: Archive) -> None:
    """A data set without pixels is the same in every encapsulated syntax (PS3.5 A.4)."""
    study = {"StudyInstanceUID": uid("study", "report")}
    report = dataset(PixelData=None, Rows=None, Columns=None, SOPInstanceUID=uid("report"), **study)
    archive.stored(part10(report, IMPLICIT), instance(SOPInstanceUID=uid("its image"), **study))
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={JPEG_BASELINE}'
    parts = parts_of(archive.get(f"/studies/{study['StudyInstanceUID']}", accept))
    found = {ds.SOPInstanceUID: ds for ds in (read(body) for _, body in parts)}
    assert {ds.file_meta.TransferSyntaxUID for ds in found.values()} == {JPEG_BASELINE}
    sent = found[uid("report")]
    assert "LossyImageCompression" not in sent
    compared(report, sent)


def test_a_frame_that_is_broken_is_told_and_never_made_up(archive: Archive) -> None:
    """The first one is a 406, a later one breaks the answer off; who takes it as stored gets that."""
    good = bytes(imagecodecs.jpegls_encode(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    good += bytes(len(good) % 2)
    first = stored_at(
        archive, encapsulated([b"\xff\xd8\xff\xf7broken!!"], SOPInstanceUID=uid("broken first"))
    )
    target = f"application/dicom; transfer-syntax={JPEG_2000}"
    assert "cannot be decoded" in refused(archive, first, target)
    assert archive.get(first, f"{target}, */*; q=0.1").status_code == 200
    broken = {"NumberOfFrames": 2, "SOPInstanceUID": uid("broken later")}
    path = stored_at(archive, encapsulated([good, b"\xff\xd8\xff\xf7broken!!"], **broken))
    for accept in (target, f"application/dicom; transfer-syntax={JPEG_BASELINE}"):
        assert "frame 2" in refused(archive, path, accept)
    noisy = noise("u1", 8, 1, 600, 600, 1)[0, ..., 0]
    long = bytes(imagecodecs.jpegls_encode(noisy))
    size = {"Rows": 600, "Columns": 600, **broken}
    path = stored_at(archive, encapsulated([long + bytes(len(long) % 2), good], **size))
    answer = archive.request("GET", path, headers={"Accept": target}, buffered=False)
    assert answer.status_code == 200
    with pytest.raises(ConnectionResetError) as broken:
        b"".join(answer.response)
    assert "frame 2" in str(broken.value.__cause__)
    answer.close()


def test_a_native_icon_stays_native(archive: Archive) -> None:
    """Those that are compressed like the image before are left out: tests/dicom/test_convert.py."""
    icon = pydicom.Dataset()
    icon.Rows = icon.Columns = icon.BitsAllocated = 8
    icon.add_new("PixelData", "OB", bytes(range(64)))
    ds = image(noise("u1", 8, 1, 8, 8, 1), 8, "icon", IconImageSequence=Sequence([icon]))
    sent = read(converted(archive, stored_at(archive, part10(ds)), JPEG_LS))
    assert sent.IconImageSequence[0].PixelData == bytes(range(64))


def test_offset_tables_of_before_are_left_out(archive: Archive, tmp_path: Path) -> None:
    frame = bytes(imagecodecs.jpegls_encode(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    frame += bytes(len(frame) % 2)
    values = {
        "ExtendedOffsetTable": bytes(8),
        "ExtendedOffsetTableLengths": len(frame).to_bytes(8, "little"),
        "SOPInstanceUID": uid("extended"),
    }
    path = stored_at(archive, encapsulated([frame], **values))
    ds = check_encapsulated(converted(archive, path, HTJ2K), HTJ2K, tmp_path)
    assert "ExtendedOffsetTable" not in ds
    assert "ExtendedOffsetTableLengths" not in ds


def test_memory_does_not_grow_with_the_instance(archive: Archive) -> None:
    """Frames go out while the next are made; lossy ones wait on disk once they are many."""
    size = 80 * 512 * 512
    pixels = np.random.default_rng(1).integers(0, 255, size, dtype=np.uint8).tobytes()
    path = stored_at(
        archive,
        instance(Rows=512, Columns=512, NumberOfFrames=80, PixelData=pixels, SOPInstanceUID=uid("long")),
    )
    del pixels
    for target in (RLE, JPEG_BASELINE):
        tracemalloc.start()
        answer = archive.request(
            "GET", path, headers={"Accept": f"application/dicom; transfer-syntax={target}"}, buffered=False
        )
        length = sum(len(chunk) for chunk in answer.response)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        answer.close()
        assert length > size / 4
        assert peak < 24 * 2**20, target


def test_etags_differ_by_transfer_syntax(archive: Archive) -> None:
    path = stored_at(archive, part10(image(noise("u1", 8, 1, 8, 8, 1), 8, "etag")))
    tags = set()
    for target in (*LOSSLESS, JPEG_BASELINE):
        accept = f"application/dicom; transfer-syntax={target}"
        etag = archive.get(path, accept).headers["ETag"]
        tags.add(etag)
        assert archive.get(path, accept, If_None_Match=etag).status_code == 304
        head = archive.request("HEAD", path, headers={"Accept": accept})
        assert (head.status_code, head.headers["ETag"], head.data) == (200, etag, b"")
    assert len(tags) == len(LOSSLESS) + 1
    assert archive.get(f"{path}/frames/1", PARTS).headers["ETag"] not in tags
    assert archive.get(f"{path}/frames/1", ANY_PARTS).status_code == 200


def test_etags_of_what_is_made_change_with_the_release(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another release may make them otherwise; what goes as stored stays what it is."""
    path = stored_at(archive, part10(image(noise("u1", 8, 1, 8, 8, 1), 8, "release")))
    study = path.partition("/series")[0]
    asked = {
        (path, f"application/dicom; transfer-syntax={RLE}"): False,
        (f"{path}/frames/1", f"image/jls; transfer-syntax={JPEG_LS}"): False,
        (study, f'multipart/related; type="application/dicom"; transfer-syntax={RLE}'): False,
        (path, "application/dicom; transfer-syntax=*"): True,
        (f"{path}/frames/1", OCTETS): True,
    }
    before = {each: archive.get(*each).headers["ETag"] for each in asked}
    monkeypatch.setattr(caching, "__version__", "another")
    after = {each: archive.get(*each).headers["ETag"] for each in asked}
    assert {each: before[each] == after[each] for each in asked} == asked
