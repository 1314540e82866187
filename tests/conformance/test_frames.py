"""Retrieve frames (PS3.18 10.4.1.1.6) and pixel data (10.4.1.1.7), whatever way they lie in the instance."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate_extended

from tests.builders import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    JPEG_LS,
    RLE,
    dataset,
    encapsulated,
    instance,
    part10,
    uid,
)
from tests.conformance.archive import Archive, parts_of
from tests.conformance.wado import ANY_PARTS, OCTETS, PARTS, stored_at
from tests.samples import pydicom_file

STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"
VIDEO = "1.2.840.10008.1.2.4.102"
HTJ2K = "1.2.840.10008.1.2.4.201"
JPEG_2000 = "1.2.840.10008.1.2.4.90"


def bodies(archive: Archive, path: str, accept: str) -> list[bytes]:
    """Return the parts of a frames answer."""
    answer = archive.get(path, accept)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [body for _, body in parts_of(answer)]


def three(size: int = 64, **overrides: object) -> bytes:
    """Return three native frames of 0s, 1s and 2s."""
    pixels = b"".join(bytes([number]) * size for number in range(3))
    return instance(NumberOfFrames=3, PixelData=pixels, **overrides)


def test_frames_come_in_the_order_asked_for(archive: Archive) -> None:
    """Viewers ask for a list and count the parts: order and repeats are theirs; each part has its address."""
    path = stored_at(archive, three())
    answer = archive.get(f"{path}/frames/3,1,3", PARTS)
    assert [body[0] for _, body in parts_of(answer)] == [2, 0, 2]
    for (headers, _), number in zip(parts_of(answer), (3, 1, 3), strict=True):
        assert headers["content-type"] == f"application/octet-stream; transfer-syntax={EXPLICIT}"
        assert headers["content-location"] == f"http://localhost/dicom-web{path}/frames/{number}"
    assert [body[0] for body in bodies(archive, f"{path}/frames/2%2C1", PARTS)] == [1, 0]
    assert len(bodies(archive, f"{path}/frames/" + ",".join(["1", "2"] * 500), PARTS)) == 1000
    assert [body[0] for body in bodies(archive, f"{path}/pixeldata", PARTS)] == [0, 1, 2]
    assert len(bodies(archive, f"{path.split('/series')[0]}/pixeldata", "*/*")) == 3


@pytest.mark.parametrize(
    ("frames", "status"),
    [("4", 404), ("1,4", 404), ("0", 400), ("a", 400), ("1,,2", 400), ("-1", 400)],
)
def test_frames_that_are_not_there(archive: Archive, frames: str, status: int) -> None:
    """A frame out of range is 404, what is no list of numbers 400; neither sends half an answer."""
    path = stored_at(archive, three())
    answer = archive.get(f"{path}/frames/{frames}", PARTS)
    assert answer.status_code == status
    assert json.loads(answer.data)["error"]


def test_an_instance_without_pixels_has_no_frames(archive: Archive) -> None:
    """A report or a presentation state is no image: 404, not an empty body."""
    path = stored_at(archive, instance(PixelData=None, Rows=None, Columns=None))
    for each in ("frames/1", "pixeldata"):
        assert archive.get(f"{path}/{each}", "*/*").status_code == 404


@pytest.mark.parametrize(
    ("frames", "accept", "status"),
    [
        ("1", OCTETS, 200),
        ("1", "application/octet-stream; transfer-syntax=*", 200),
        ("1", f"{OCTETS}; transfer-syntax={EXPLICIT}", 200),
        ("1,2", OCTETS, 406),
        ("1", f"{OCTETS}; transfer-syntax={IMPLICIT}", 406),
        ("1", "application/dicom", 406),
        ("1", "video/mp4", 406),
        ("1", "image/jxl", 406),
    ],
)
def test_one_frame_may_come_alone(archive: Archive, frames: str, accept: str, status: int) -> None:
    """A browser reads a single part more easily; several frames are always multipart."""
    path = stored_at(archive, three())
    answer = archive.get(f"{path}/frames/{frames}", accept)
    assert answer.status_code == status
    if status == 200:
        assert answer.data == bytes(64)
        assert answer.headers["Content-Type"] == f"application/octet-stream; transfer-syntax={EXPLICIT}"
        part = archive.get(f"{path}/frames/2", accept, Range="bytes=60-")
        assert (part.status_code, part.data) == (206, b"\1" * 4)
    else:
        assert json.loads(answer.data)["offered"]


FRAGMENTS = [b"\xff\xd8\xff" + bytes([1]) * 7, b"ab", b"\xff\xd8\xff" + bytes([2]) * 9, b"cd"]
FRAGMENTS += [b"\xff\xd8\xff" + bytes([3]) * 5, b"ef"]
JOINED = [FRAGMENTS[0] + b"ab", FRAGMENTS[2] + b"cd", FRAGMENTS[4] + b"ef"]
OFFSETS = [0, 28, 58]


@pytest.mark.parametrize(
    "offsets", [OFFSETS, (), [0, 30, 60], [0, 28], None], ids=["right", "empty", "wrong", "short", "absent"]
)
def test_fragments_become_frames_whatever_the_offset_table_says(
    archive: Archive, offsets: list[int] | None
) -> None:
    """Two fragments a frame; tables that lie are common, shifted bytes must never be (PS3.5 A.4)."""
    if offsets is None:
        fragments = FRAGMENTS[::2]  # what stands first counts as the table, so a reader has one fewer
        data = encapsulated(fragments, offsets=None, NumberOfFrames=3)
    else:
        data = encapsulated(FRAGMENTS, offsets=offsets, NumberOfFrames=3)
    path = stored_at(archive, data)
    if offsets is None:
        assert archive.get(f"{path}/frames/2", STORED).status_code == 406
        assert archive.get(path, "application/dicom; transfer-syntax=*").data == data
        return
    assert bodies(archive, f"{path}/frames/1,2,3", STORED) == JOINED
    assert bodies(archive, f"{path}/frames/2", STORED) == JOINED[1:2]
    assert archive.get(f"{path}/frames/4", STORED).status_code == 404
    assert bodies(archive, f"{path}/bulkdata/7FE00010", STORED) == JOINED


def test_one_frame_in_many_fragments(archive: Archive) -> None:
    """Some scanners cut every frame in pieces: a single frame is all of them."""
    path = stored_at(archive, encapsulated([bytes([n]) * 10 for n in range(5)]))
    expected = b"".join(bytes([n]) * 10 for n in range(5))
    single = "application/octet-stream; transfer-syntax=*"
    assert archive.get(f"{path}/frames/1", single).data == expected
    ranged = archive.get(f"{path}/frames/1", single, Range="bytes=5-9")
    assert (ranged.status_code, ranged.data) == (200, expected)  # no row of bytes: Range is passed over


def test_the_extended_offset_table_leads_to_the_frames(archive: Archive) -> None:
    """Instances beyond 4 GiB have 64-bit offsets, and no others (PS3.3 C.7.6.3.1.8)."""
    frames = [bytes([n]) * 10 for n in (1, 2, 3)]
    pixels, offsets, lengths = encapsulate_extended(frames)
    ds = dataset(NumberOfFrames=3, PixelData=pixels, ExtendedOffsetTable=offsets)
    ds.ExtendedOffsetTableLengths = lengths
    path = stored_at(archive, part10(ds, JPEG_LS))
    assert bodies(archive, f"{path}/frames/3,2", STORED) == [frames[2], frames[1]]
    (metadata,) = archive.json(f"{path}/metadata")
    assert metadata["7FE00001"]["vr"] == "OV"
    assert archive.get(f"{path}/frames/3", STORED).status_code == 200


def test_odd_and_empty_fragments_harm_no_neighbour(archive: Archive) -> None:
    """A vendor writes odd lengths, or nothing for a frame: others come, never shifted."""
    odd = [b"\xff\xd8\xff" + bytes([n]) * 4 for n in (1, 2, 3)]
    path = stored_at(archive, encapsulated(odd, NumberOfFrames=3))
    assert bodies(archive, f"{path}/frames/3,1", STORED) == [odd[2], odd[0]]
    empty = encapsulated([odd[0] + b"\0", b"", odd[2] + b"\0"], NumberOfFrames=3, SOPInstanceUID=uid("empty"))
    path = stored_at(archive, empty)
    assert bodies(archive, f"{path}/frames/1,2,3", STORED) == [odd[0] + b"\0", b"", odd[2] + b"\0"]
    refused = archive.get(f"{path}/frames/2", OCTETS)
    assert (refused.status_code, "frame 2" in refused.get_data(as_text=True)) == (406, True)
    assert archive.get(path, "application/dicom; transfer-syntax=*").data == empty


@pytest.mark.parametrize(
    ("bits", "vr", "dtype"),
    [(8, "OB", "u1"), (8, "OW", "u1"), (16, "OW", "<u2"), (32, "OW", "<u4"), (64, "OW", "<u8")],
)
def test_big_endian_frames_come_little_endian(archive: Archive, bits: int, vr: str, dtype: str) -> None:
    """Uncompressed bulk data are little endian (8.7.3.3.2): swapped pixels are noise on the screen.

    The same at the frame, its BulkDataURI, a range of it, and in the converted instance.
    """
    array = np.arange(3 * 5 * 4, dtype=dtype).reshape(3, 5, 4) * 3 + 1
    pixels = array.astype(array.dtype.newbyteorder(">")).tobytes()
    if vr == "OW" and bits == 8:
        pixels = np.frombuffer(pixels, "u2").byteswap().tobytes()  # bytes lie in 16-bit words
    ds = dataset(Rows=5, Columns=4, NumberOfFrames=3, BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1)
    ds.PixelData = pixels
    ds["PixelData"].VR = vr
    path = stored_at(archive, part10(ds, BIG_ENDIAN))
    assert archive.get(f"{path}/frames/2", OCTETS).data == array[1].tobytes()
    assert archive.get(f"{path}/bulkdata/7FE00010", OCTETS).data == array.tobytes()
    for first, last in ((1, 6), (3, 3), (17, 58)):
        wanted = array.tobytes()[first : last + 1]
        part = archive.get(f"{path}/bulkdata/7FE00010", OCTETS, Range=f"bytes={first}-{last}")
        assert (part.status_code, part.data) == (206, wanted)
    frame = array[2].tobytes()
    part = archive.get(f"{path}/frames/3", OCTETS, Range="bytes=3-10")
    assert (part.status_code, part.data) == (206, frame[3:11])
    converted = archive.get(path, "application/dicom").data
    assert array.tobytes() in converted
    assert archive.json(f"{path}/metadata")[0]["00280010"]["Value"] == [5]


@pytest.mark.parametrize(
    ("keyword", "tag", "dtype"), [("Float", "7FE00008", "f4"), ("Double", "7FE00009", "f8")]
)
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_floating_point_pixels(archive: Archive, keyword: str, tag: str, dtype: str, syntax: str) -> None:
    """Parametric maps have Float or Double Float Pixel Data (PS3.3 C.7.6.24); NaN stays the same bits."""
    array = np.array([[0.5, np.nan], [np.inf, -1e30], [1, 2], [3, 4]], f"<{dtype}")
    ds = dataset(PixelData=None, Rows=2, Columns=2, NumberOfFrames=2, BitsAllocated=array.itemsize * 8)
    raw = array.astype(f">{dtype}") if syntax == BIG_ENDIAN else array
    setattr(ds, "FloatPixelData" if keyword == "Float" else "DoubleFloatPixelData", raw.tobytes())
    path = stored_at(archive, part10(ds, syntax))
    assert archive.get(f"{path}/frames/2", OCTETS).data == array[2:].tobytes()
    assert archive.get(f"{path}/bulkdata/{tag}", OCTETS).data == array.tobytes()
    assert "BulkDataURI" in archive.json(f"{path}/metadata")[0][tag]


def test_frames_of_one_bit_begin_on_a_byte(archive: Archive) -> None:
    """Segmentations join frames without gaps (PS3.5 8.1.1); frames that are sent begin with a byte."""
    bits = np.random.default_rng(1).integers(0, 2, (3, 5, 3), dtype=np.uint8)
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    data = instance(
        Rows=5, Columns=3, NumberOfFrames=3, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed
    )
    path = stored_at(archive, data)
    for number, frame in enumerate(bodies(archive, f"{path}/frames/1,2,3", PARTS)):
        found = np.unpackbits(np.frombuffer(frame, np.uint8), count=15, bitorder="little")
        assert (found == bits[number].reshape(-1)).all()
    part = archive.get(f"{path}/frames/2", OCTETS, Range="bytes=0-0")
    assert (part.status_code, len(part.data)) == (200, 2)


@pytest.mark.parametrize(
    ("syntax", "accept", "sent_as"),
    [
        (JPEG_BASELINE, ANY_PARTS, "image/jpeg"),
        (JPEG_BASELINE, "*/*", "image/jpeg"),
        (JPEG_BASELINE, 'multipart/related; type="image/jpeg"', "image/jpeg"),
        (JPEG_BASELINE, STORED, OCTETS),
        (JPEG_LS, 'multipart/related; type="image/jls"', "image/jls"),
        (JPEG_LS, 'multipart/related; type="image/x-jls"', "image/jls"),
        (JPEG_LS, 'multipart/related; type="image/*"', "image/jls"),
        (JPEG_2000, ANY_PARTS, "image/jp2"),
        (JPEG_2000, 'multipart/related; type="image/jphc"', None),
        (HTJ2K, 'multipart/related; type="image/jhc"', "image/jphc"),
        (HTJ2K, 'multipart/related; type="image/jphc"; transfer-syntax=*', "image/jphc"),
        (HTJ2K, 'multipart/related; type="image/jp2"', None),
        (RLE, ANY_PARTS, "image/dicom-rle"),
        (RLE, 'multipart/related; type="image/x-dicom-rle"', "image/dicom-rle"),
        (VIDEO, ANY_PARTS, "video/mp4"),
        (VIDEO, 'multipart/related; type="video/*"', "video/mp4"),
        (VIDEO, PARTS, None),
        ("1.2.3.4.5", STORED, OCTETS),
        ("1.2.3.4.5", PARTS, None),
    ],
)
def test_stored_frames_have_the_media_type_of_their_syntax(
    archive: Archive, syntax: str, accept: str, sent_as: str | None
) -> None:
    """A part's type and syntax are a pair of Table 8.7.3-5: viewers choose the decoder by it."""
    path = stored_at(archive, encapsulated([b"\xff\xd8\xff\xe0data"], syntax=syntax))
    answer = archive.get(f"{path}/frames/1", accept)
    if sent_as is None:
        assert answer.status_code == 406
        return
    ((headers, body),) = parts_of(answer)
    assert headers["content-type"] == f"{sent_as}; transfer-syntax={syntax}"
    assert body == b"\xff\xd8\xff\xe0data"
    assert f'type="{sent_as}"' in answer.headers["Content-Type"]


def test_a_video_is_one_stream_with_ranges(archive: Archive) -> None:
    """Number of Frames counts pictures, the stream is one; players seek by Range and send Accept: */*."""
    stream = b"\0\0\0\x18ftypmp42" + bytes(range(200))
    path = stored_at(archive, encapsulated([stream], syntax=VIDEO, NumberOfFrames=25))
    for address, accept in (
        (f"{path}/bulkdata/7FE00010", "*/*"),
        (f"{path}/bulkdata/7FE00010?accept=video/mp4", "*/*"),
        (f"{path}/frames/1", "video/mp4"),
    ):
        whole = archive.get(address, accept)
        assert (whole.status_code, whole.data) == (200, stream)
        assert whole.headers["Content-Type"] == f"video/mp4; transfer-syntax={VIDEO}"
        assert whole.headers["Accept-Ranges"] == "bytes"
        for value, status, wanted in (
            ("bytes=0-1", 206, stream[:2]),
            ("bytes=100-", 206, stream[100:]),
            ("bytes=-50", 206, stream[-50:]),
            ("bytes=9999-", 416, None),
        ):
            part = archive.get(address, accept, Range=value)
            assert part.status_code == status
            assert part.headers["Content-Range"].endswith(f"/{len(stream)}")
            assert wanted is None or part.data == wanted
    assert bodies(archive, f"{path}/pixeldata", "*/*") == [stream]
    assert archive.get(f"{path}/frames/1", OCTETS).status_code == 406
    assert archive.get(f"{path}/frames/2", "*/*").status_code == 404


def test_long_frames_are_passed_on_in_blocks(archive: Archive) -> None:
    """Whole fragments of more than 16 MiB, in one piece or several, are not gathered in memory."""
    half = bytes(9 * 2**20)
    for fragments in ([half + half], [half, half]):
        name = uid("long", len(fragments))
        path = stored_at(archive, encapsulated(fragments, syntax=VIDEO, SOPInstanceUID=name))
        answer = archive.request("GET", f"{path}/frames/1", headers={"Accept": "video/mp4"}, buffered=False)
        sizes = [len(chunk) for chunk in answer.response]
        answer.close()
        assert (sum(sizes), max(sizes)) == (18 * 2**20, 2**20)
    grey = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
    pixels = struct.pack(">H", 0x0102) * (9 * 2**20)
    large = instance(syntax=BIG_ENDIAN, Rows=3 * 2**10, Columns=3 * 2**10, PixelData=pixels, **grey)
    frame = archive.get(f"{stored_at(archive, large)}/frames/1", OCTETS).data
    assert frame == struct.pack("<H", 0x0102) * (9 * 2**20)


def test_pixels_that_are_too_short_are_refused(archive: Archive) -> None:
    """What is missing is not made up; what is there comes (a video that claims to be native pixels, too)."""
    path = stored_at(archive, instance(NumberOfFrames=3, PixelData=bytes(100)))
    assert archive.get(f"{path}/frames/1", OCTETS).data == bytes(64)
    short = archive.get(f"{path}/frames/2", OCTETS)
    assert (short.status_code, "too short" in short.get_data(as_text=True)) == (406, True)
    assert archive.get(f"{path}/bulkdata/7FE00010", OCTETS).data == bytes(100)


def test_frames_may_be_kept_by_those_who_have_them(archive: Archive) -> None:
    """A viewer that scrolls back asks with If-None-Match; other forms have other ETags."""
    path = stored_at(archive, pydicom_file("SC_rgb_jpeg_dcmtk.dcm").read_bytes())
    tags = {
        accept: archive.get(f"{path}/frames/1", accept).headers["ETag"] for accept in (PARTS, OCTETS, STORED)
    }
    assert len(set(tags.values())) == 3
    for accept, etag in tags.items():
        answer = archive.get(f"{path}/frames/1", accept, If_None_Match=etag)
        assert (answer.status_code, answer.data) == (304, b"")
        assert "private" in answer.headers["Cache-Control"]
        assert {"Accept", "Authorization"} <= {v.strip() for v in answer.headers["Vary"].split(",")}


def test_decoded_colour_agrees_with_the_converted_header(archive: Archive) -> None:
    """YBR decodes to RGB; a planar JPEG Lossless keeps its planes: rainbow colours otherwise."""
    path = stored_at(archive, pydicom_file("SC_rgb_jpeg_dcmtk.dcm").read_bytes())
    frame = archive.get(f"{path}/frames/1", OCTETS).data
    converted = archive.get(path, f"application/dicom; transfer-syntax={EXPLICIT}").data
    ds = pydicom.dcmread(io.BytesIO(converted))
    assert (ds.PhotometricInterpretation, ds.PixelData) == ("RGB", frame)
    assert frame == pydicom.dcmread(pydicom_file("SC_rgb_jpeg_dcmtk.dcm")).pixel_array.tobytes()
