"""Instances of the crowd's studies, as a store hands them to the index, made at some 15,000 a second.

Each modality has a real header, one of those that pydicom ships, which is read as any instance is read. Its
metadata are filled in and packed once a series, and open where instances differ: that goes in as a stored
block, so that a segment is valid, and about a quarter larger than one deflated whole.
"""

from __future__ import annotations

import hashlib
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.uid import UID

from archive.dicom.read import read_instance
from archive.dicom.segments import text
from archive.dicom.source import BytesSource
from archive.index import bulk
from archive.index.engine import Database
from archive.index.store_rows import NewInstance
from archive.model.attributes import BY_TAG
from archive.model.instance import Element, FrameBlock, Identity, Pixels, Reading
from archive.model.level import Level
from archive.model.principal import ANYONE
from bench.crowd import ROOT, Study

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_SOURCES = {"MR": "examples_overlay.dcm", "US": "examples_palette.dcm", "SR": "test-SR.dcm"}
_OTHERS = "CT_small.dcm"
_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "SR": "1.2.840.10008.5.1.4.1.1.88.22",
}
_SIZES = {"DX": 14_000_000, "MG": 26_000_000, "US": 900_000, "XA": 60_000_000, "SR": 9_000}
_SIZE = 527_000
_XA_FRAMES = 120
LONG_SERIES = 300
"""Instances of the last series of one in 500 studies."""
_EVERY = 500
_SAMPLE = 4_000
_PIECE = struct.Struct("<LLQ")

# What differs, as marks that are in no header.
_MARKS: dict[str, str] = {
    "StudyInstanceUID": f"{ROOT}987.1001001001001",
    "SeriesInstanceUID": f"{ROOT}987.2002002002002",
    "SOPInstanceUID": f"{ROOT}987.3003003003003",
    "StudyDate": "18870605",
    "StudyTime": "010203.405607",
    "AccessionNumber": "98710041004",
    "ReferringPhysicianName": "98710051005",
    "StudyDescription": "98710061006",
    "PatientName": "98710071007",
    "PatientID": "98710081008",
    "PatientBirthDate": "18870504",
    "StudyID": "98710091009",
    "SeriesDescription": "98710101010",
    "SeriesNumber": "987110",
    "InstanceNumber": "987120",
}
_OF_INSTANCE = frozenset(("SOPInstanceUID", "InstanceNumber"))


def instances(number: int, images: int, part: range | None = None) -> Iterator[NewInstance]:
    """Give about `images` instances of `number` studies, study after study, as they were made.

    Only those of the studies in `part` where that is given.
    """
    factor = _factor(images / number)
    for n in range(number) if part is None else part:
        yield from of_study(Study(n, number), factor)


def fill(database: Database, number: int, images: int, part: range | None = None) -> int:
    """Load such studies into an index; return how many instances that were."""
    loaded = bulk.load(database, ANYONE, instances(number, images, part), keep=timedelta(days=1))
    return sum(each.instances for each in loaded)


def of_study(study: Study, factor: float) -> Iterator[NewInstance]:
    """Give the instances of a study whose series are `factor` times as long as usual."""
    shared = _study_values(study)
    for number, count in enumerate(series_lengths(study, factor), 1):
        modality = "SR" if number > len(study.kind.series) else study.kind.modality
        template = _template(modality)
        tail = f"{study.uid_tail}.{number}"
        values = {
            **shared,
            "SeriesInstanceUID": tail,
            "SeriesDescription": f"{study.kind.description} {number}",
            "SeriesNumber": str(number),
        }
        own, parts = template.attributes(study, values), template.parts(values)
        for i in range(1, count + 1):
            values["SOPInstanceUID"] = f"{tail}.{i}"
            values["InstanceNumber"] = str(i)
            yield template.instance(values, own, parts)


def series_lengths(study: Study, factor: float) -> list[int]:
    """Return how many instances each series has."""
    lengths = [max(1, round(length * factor)) for length in study.kind.series]
    if study == with_long_series(study):
        lengths[-1] = LONG_SERIES
    return [*lengths, 1] if study.has_report else lengths


def with_long_series(study: Study) -> Study:
    """Return a study near another one whose last series has LONG_SERIES instances."""
    every = min(_EVERY, study.of)
    near = study.n - study.n % every + every // 2
    return Study(near if near < study.of else near - every, study.of)


@cache
def _factor(mean: float) -> float:
    """Return how much longer series are for a study to have `mean` instances; 0: as few as can be."""
    sample = [Study(n * 7919, _SAMPLE * 7919) for n in range(_SAMPLE)]

    def found(factor: float) -> float:
        return sum(sum(series_lengths(study, factor)) for study in sample) / _SAMPLE

    low, high = 0.0, 64.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < mean else (low, middle)
    return high if found(0.0) < mean else 0.0


def _study_values(study: Study) -> dict[str, str]:
    return {
        "StudyInstanceUID": study.uid_tail,
        "StudyDate": f"{study.when:%Y%m%d}",
        "StudyTime": f"{study.when:%H%M%S}",
        "AccessionNumber": study.accession_number,
        "ReferringPhysicianName": study.referring_physician,
        "StudyDescription": study.kind.description,
        "PatientName": study.patient.name,
        "PatientID": study.patient.id,
        "PatientBirthDate": study.patient.birth_date,
        "StudyID": str(study.n),
    }


@cache
def _template(modality: str) -> _Template:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values in the headers that are not quite right
        return _Template(modality)


class _Template:
    """The header of a modality, read and cut."""

    def __init__(self, modality: str) -> None:
        ds = pydicom.dcmread(_FILES / _SOURCES.get(modality, _OTHERS))
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(_CLASSES[modality])
        ds.Modality = modality
        ds.SpecificCharacterSet = "ISO_IR 192"
        for keyword, mark in _MARKS.items():
            setattr(ds, keyword, mark)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        file = BytesIO()
        ds.save_as(file, enforce_file_format=True)
        read = read_instance(BytesSource(file.getvalue()), bulk_threshold=1024, max_inflated=0).reading
        self._reading = _as_long_as(read, modality)
        self._modality = modality
        self._size = _SIZES.get(modality, _SIZE)
        self._pieces = list(_cut(read.metadata))
        levels: dict[Level, dict[str, Element]] = {level: {} for level in Level}
        for tag, element in read.attributes.items():
            levels[BY_TAG[tag].level][tag] = element
        self._instance_level = levels.pop(Level.INSTANCE)
        self._above = levels[Level.STUDY] | levels[Level.SERIES]

    def attributes(self, study: Study, values: Mapping[str, str]) -> dict[str, Element]:
        """Return the attributes of study and series."""
        own: dict[str, Element] = dict(self._above)
        for tag, value in (
            ("00080020", values["StudyDate"]),
            ("00080030", values["StudyTime"]),
            ("00080050", values["AccessionNumber"]),
            ("00081030", values["StudyDescription"]),
            ("00100020", values["PatientID"]),
            ("00100030", values["PatientBirthDate"]),
            ("00100040", study.patient.sex),
            ("0020000D", ROOT + values["StudyInstanceUID"]),
            ("00200010", values["StudyID"]),
            ("0008103E", values["SeriesDescription"]),
            ("0020000E", ROOT + values["SeriesInstanceUID"]),
            ("00180015", study.kind.body_part),
        ):
            own[tag] = {"vr": BY_TAG[tag].vr, "Value": [value]} if value else {"vr": BY_TAG[tag].vr}
        own["00200011"] = {"vr": "IS", "Value": [int(values["SeriesNumber"])]}
        for tag, keyword in (("00100010", "PatientName"), ("00080090", "ReferringPhysicianName")):
            own[tag] = {"vr": "PN", "Value": [{"Alphabetic": values[keyword]}]}
        return own

    def parts(self, values: Mapping[str, str]) -> list[list[_Part]]:
        """Return the metadata of the instances of a series, open where they differ."""
        return [_filled(piece, values) for piece in self._pieces]

    def instance(
        self, values: Mapping[str, str], own: Mapping[str, Element], parts: list[list[_Part]]
    ) -> NewInstance:
        """Return an instance with these values; `own` are its attributes of study and series."""
        sop_uid = ROOT + values["SOPInstanceUID"]
        study_uid, series_uid = ROOT + values["StudyInstanceUID"], ROOT + values["SeriesInstanceUID"]
        sha256 = hashlib.sha256(sop_uid.encode()).hexdigest()
        attributes = {
            **own,
            **self._instance_level,
            "00080018": {"vr": "UI", "Value": [sop_uid]},
            "00200013": {"vr": "IS", "Value": [int(values["InstanceNumber"])]},
        }
        metadata = b"".join(_packed(piece, values) for piece in parts)
        read = self._reading
        reading = Reading(
            Identity(study_uid, series_uid, sop_uid, _CLASSES[self._modality]),
            read.transfer_syntax_uid,
            read.dataset_offset,
            attributes,
            metadata,
            read.bulk_values,
            read.pixels,
            read.frame_blocks,
            (),
        )
        key = f"default/{study_uid}/{series_uid}/{sop_uid}/01{sha256[:24].upper()}-{sha256}.dcm"
        return NewInstance(reading, key, self._size, sha256, False, metadata, False, False)


def _as_long_as(read: Reading, modality: str) -> Reading:
    """Give a cine run the frames and the table that one has."""
    if modality != "XA" or read.pixels is None:
        return read
    pixels: Pixels = replace(read.pixels, frames=_XA_FRAMES, encapsulated=True)
    starts = ((1000 + n * 500_000, 499_000) for n in range(_XA_FRAMES))
    ranges = b"".join(struct.pack("<QQ", *each) for each in starts)
    return replace(read, pixels=pixels, frame_blocks=(FrameBlock(1, _XA_FRAMES, ranges),))


Text = bytes | str
"""Text that all instances of a modality have, or the keyword whose value stands there."""


@dataclass(frozen=True, slots=True)
class _Fixed:
    """Text that all instances of a series have, and its deflate blocks."""

    plain: bytes
    blocks: bytes


_Part = _Fixed | str


def _cut(packed: bytes) -> Iterator[list[Text]]:
    """Cut each piece of packed metadata at the marks."""
    tails = {mark.removeprefix(ROOT).encode(): keyword for keyword, mark in _MARKS.items()}
    wild = re.compile(b"(%b)" % b"|".join(re.escape(tail) for tail in tails))
    at = 0
    while at < len(packed):
        end = at + _PIECE.size + _PIECE.unpack_from(packed, at)[0]
        yield [tails.get(each, each) for each in wild.split(text(packed[at:end], b""))]
        at = end


def _filled(parts: list[Text], values: Mapping[str, str]) -> list[_Part]:
    """Put in what the instances of a series have in common, and pack what is between the rest."""
    filled: list[_Part] = []
    plain = b""
    for part in parts:
        if isinstance(part, bytes):
            plain += part
        elif part not in _OF_INSTANCE:
            plain += values[part].encode()
        else:
            filled += [_fixed(plain), part]
            plain = b""
    return [*filled, _fixed(plain)]


def _fixed(plain: bytes) -> _Fixed:
    plain = plain.replace(b',"Value":[""]', b"")
    packer = zlib.compressobj(level=6, wbits=-15)
    return _Fixed(plain, packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH))


def _packed(parts: list[_Part], values: Mapping[str, str]) -> bytes:
    plain, blocks = [], []
    for part in parts:
        if isinstance(part, _Fixed):
            plain.append(part.plain)
            blocks.append(part.blocks)
            continue
        value = values[part].encode()
        plain.append(value)
        blocks.append(struct.pack("<BHH", 0, len(value), len(value) ^ 0xFFFF) + value)
    joined, body = b"".join(plain), b"".join(blocks)
    return _PIECE.pack(len(body), zlib.crc32(joined), len(joined)) + body
