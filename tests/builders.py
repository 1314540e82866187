"""DICOM Part 10 bytes for tests: well-formed ones by pydicom, broken ones joined from raw elements.

Everything is made of the same small secondary capture image; keywords change it. UIDs are of the 2.25 arc.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LS = "1.2.840.10008.1.2.4.80"
RLE = "1.2.840.10008.1.2.5"
NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED)

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
UNDEFINED = 0xFFFFFFFF
LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])


def uid(*words: object) -> str:
    """Return the UID that belongs to the words: the same for the same words."""
    digest = hashlib.sha256(repr(words).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def dataset(**overrides: Any) -> Dataset:
    """Return an 8 x 8 grey image of one study; a keyword given as None is left out."""
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": uid("instance", 1),
        "StudyDate": "20240131",
        "StudyTime": "101530",
        "AccessionNumber": "A1",
        "Modality": "OT",
        "ReferringPhysicianName": "Doctor^Dora",
        "StudyDescription": "Study",
        "PatientName": "Test^Tom",
        "PatientID": "P1",
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "StudyInstanceUID": uid("study", 1),
        "SeriesInstanceUID": uid("series", 1),
        "StudyID": "S1",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 8,
        "Columns": 8,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": bytes(range(64)),
    } | overrides
    ds = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that a test makes wrong on purpose
        for keyword, value in values.items():
            if value is not None:
                setattr(ds, keyword, value)
    if "PixelData" in ds:
        ds["PixelData"].VR = "OB" if ds.get("BitsAllocated", 8) <= 8 else "OW"
    return ds


def part10(ds: Dataset, syntax: str = EXPLICIT, *, preamble: bytes = bytes(128)) -> bytes:
    """Write a data set by pydicom, values unchecked. Encapsulated pixel data must be encapsulated already."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that a test makes wrong on purpose
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = ds.get("SOPClassUID") or SECONDARY_CAPTURE
        meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID") or uid("unknown")
        meta.TransferSyntaxUID = syntax
        meta.ImplementationClassUID = uid("implementation")
        meta.FileMetaInformationVersion = b"\0\1"
        file = FileDataset(out, ds, file_meta=meta, preamble=preamble)
        if syntax in NATIVE:
            dcmwrite(out, file)
        else:
            if "PixelData" in ds:
                ds["PixelData"].VR = "OB"
                ds["PixelData"].is_undefined_length = True
            dcmwrite(out, file, implicit_vr=False, little_endian=True)
    return out.getvalue()


def instance(*, syntax: str = EXPLICIT, **overrides: Any) -> bytes:
    """Return the bytes of the small image with some attributes changed (None: left out)."""
    return part10(dataset(**overrides), syntax)


def without_pixels() -> dict[str, Any]:
    """Return what leaves the pixels out of an image."""
    return dict.fromkeys(
        (
            "PixelData",
            "Rows",
            "Columns",
            "SamplesPerPixel",
            "PhotometricInterpretation",
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
        )
    )


def encapsulated(
    fragments: Sequence[bytes],
    *,
    syntax: str = JPEG_LS,
    offsets: Sequence[int] | None = (),
    delimiter: bool = True,
    **overrides: Any,
) -> bytes:
    """Return an instance whose Pixel Data are these fragments, as they are (odd lengths too).

    `offsets` is the Basic Offset Table: empty by default, None leaves even its item out.
    """
    body = b"" if offsets is None else item(struct.pack(f"<{len(offsets)}L", *offsets))
    body += b"".join(item(fragment) for fragment in fragments)
    if delimiter:
        body += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    pixels = element(0x7FE00010, "OB", body, length=UNDEFINED)
    return part10(dataset(PixelData=None, **overrides), syntax) + pixels


def element(
    tag: int,
    vr: str | None,
    value: bytes = b"",
    *,
    length: int | None = None,
    order: str = "<",
) -> bytes:
    """Return one raw element: Explicit VR, or Implicit where `vr` is None; `length` may lie."""
    length = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if vr is None:
        return head + struct.pack(f"{order}L", length) + value
    if vr in LONG_VRS:
        return head + vr.encode() + b"\0\0" + struct.pack(f"{order}L", length) + value
    return head + vr.encode() + struct.pack(f"{order}H", length) + value


def item(value: bytes = b"", *, length: int | None = None, order: str = "<") -> bytes:
    """Return a raw item; of undefined length with its delimiter where `length` is UNDEFINED."""
    raw = element(0xFFFEE000, None, value, length=length, order=order)
    return raw + element(0xFFFEE00D, None, order=order) if length == UNDEFINED else raw


def raw_part10(body: bytes, syntax: str | None = EXPLICIT, *, preamble: bytes = bytes(128)) -> bytes:
    """Put a file meta group (without a syntax where that is None) before the bytes of a data set."""
    meta = element(0x00020001, "OB", b"\0\1")
    meta += element(0x00020002, "UI", _even(SECONDARY_CAPTURE))
    meta += element(0x00020003, "UI", _even(uid("instance", 1)))
    if syntax is not None:
        meta += element(0x00020010, "UI", _even(syntax))
    head = preamble + b"DICM" + element(0x00020000, "UL", struct.pack("<L", len(meta)))
    return head + meta + (deflated(body) if syntax == DEFLATED else body)


def raw_instance(extra: bytes, syntax: str = EXPLICIT, *, before: bytes = b"") -> bytes:
    """Return a file whose data set is `before`, the four UIDs, then `extra`: raw elements."""
    vr = None if syntax == IMPLICIT else "UI"
    order = ">" if syntax == BIG_ENDIAN else "<"
    uids = (
        (0x00080016, SECONDARY_CAPTURE),
        (0x00080018, uid("instance", 1)),
        (0x0020000D, uid("study", 1)),
        (0x0020000E, uid("series", 1)),
    )
    body = b"".join(element(tag, vr, _even(value), order=order) for tag, value in uids)
    return raw_part10(before + body + extra, syntax)


def deflated(body: bytes) -> bytes:
    """Deflate a data set as PS3.5 A.5 has it: no header, padded to an even length."""
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(body) + compressor.flush()
    return data + bytes(len(data) % 2)


def _even(text: str) -> bytes:
    return text.encode() + bytes(len(text) % 2)
