"""The Part 10 objects that are stored: slices of a CT, multi-frames in several codings, and tiny instances.

All are made with salt 0 and kept while the bench runs; `identity.salted` makes others of them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from bench.dicomweb.console import header
from bench.dicomweb.identity import Kind, uid
from bench.dicomweb.people import TOKENS, Person
from bench.dicomweb.pixels import CODINGS, NATIVE, SIDE, Coding, frame

SERIES_LENGTH = 300

_ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
_MULTI_FRAME_US = "1.2.840.10008.5.1.4.1.1.3.1"
_TEMPLATE = 999_999  # the study of the tiny template


@dataclass(frozen=True, slots=True)
class MultiFrame:
    """A multi-frame instance: the file, its frames as they are stored, and its study."""

    coding: Coding
    study: int
    file: bytes
    frames: tuple[bytes, ...]


@cache
def ct_slice(number: int) -> bytes:
    """Return slice `number` (from 1) of study 1, series 1: 0.53 MB."""
    ds = header(Kind.SLICE, 1, 1, number)
    _describe(ds, 16)
    ds.PixelData = frame(number).tobytes()
    ds["PixelData"].VR = "OW"
    return _part10(ds, NATIVE.syntax)


@cache
def multi_frame(coding: Coding, count: int) -> MultiFrame:
    """Return the multi-frame of a coding: 105 MB where it is native and has 200 frames."""
    study = 100 + CODINGS.index(coding)
    sop_class = _ENHANCED_CT if coding.bits == 16 else _MULTI_FRAME_US
    ds = header(Kind.MULTI_FRAME, study, 1, 1, sop_class=sop_class)
    _describe(ds, coding.bits)
    ds.NumberOfFrames = count
    frames = tuple(coding.encode(frame(number, bits=coding.bits)) for number in range(count))
    if coding.native:
        ds.PerFrameFunctionalGroupsSequence = [_functional_groups(number) for number in range(count)]
        ds.PixelData = b"".join(frames)
    else:
        if coding.bits == 16:
            ds.BitsStored, ds.HighBit = 16, 15
        else:
            ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
        ds.PixelData = encapsulate(list(frames))
    ds["PixelData"].VR = "OW" if coding.native else "OB"
    return MultiFrame(coding, study, _part10(ds, coding.syntax), frames)


def tiny(person: Person, instance: int) -> bytes:
    """Return an instance (from 1) of the one series of a person's study: 8 x 8 pixels, a whole header."""
    file = _tiny_template()
    swaps = {
        uid(Kind.PERSON, _TEMPLATE, 1, 1): uid(Kind.PERSON, person.number, 1, instance),
        uid(Kind.PERSON, _TEMPLATE)[:-7]: uid(Kind.PERSON, person.number)[:-7],
        TOKENS.patient_id: person.patient_id,
        TOKENS.name: person.name,
        TOKENS.accession: person.accession,
        TOKENS.date: person.date,
    }
    for old, new in swaps.items():
        file = file.replace(old.encode(), new.encode())
    return file


@cache
def _tiny_template() -> bytes:
    ds = header(Kind.PERSON, _TEMPLATE, 1, 1)
    ds.PatientID, ds.PatientName, ds.AccessionNumber = TOKENS.patient_id, TOKENS.name, TOKENS.accession
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = TOKENS.date
    _describe(ds, 16, side=8)
    ds.PixelData = bytes(128)
    ds["PixelData"].VR = "OW"
    return _part10(ds, NATIVE.syntax)


def _describe(ds: Dataset, bits: int, *, side: int = SIDE) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = side
    ds.PixelSpacing = ["0.68359375", "0.68359375"]
    ds.BitsAllocated, ds.PixelRepresentation = bits, 0
    ds.BitsStored = 12 if bits == 16 else 8
    ds.HighBit = ds.BitsStored - 1
    if bits == 16:
        ds.WindowCenter, ds.WindowWidth = "40", "400"
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"


def _functional_groups(number: int) -> Dataset:
    position, content, window, groups = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = ["-175", "-175", f"{-number:.1f}"]
    content.FrameAcquisitionNumber, content.StackID, content.InStackPositionNumber = 1, "1", number + 1
    window.WindowCenter, window.WindowWidth = "40", "400"
    groups.PlanePositionSequence, groups.FrameContentSequence = [position], [content]
    groups.FrameVOILUTSequence = [window]
    return groups


def _part10(ds: Dataset, syntax: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    file = FileDataset("", ds, file_meta=meta, preamble=bytes(128))
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return out.getvalue()
