"""What one reading of an instance gives, and what the index knows of a stored one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive.model.level import Place

Element = Mapping[str, Any]
"""One attribute of the DICOM JSON model (PS3.18 F.2.2): {"vr": …, "Value": […]}."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The four UIDs without which nothing is stored."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str

    @property
    def place(self) -> Place:
        """Where the instance is."""
        return Place(self.study_uid, self.series_uid, self.sop_uid)


@dataclass(frozen=True, slots=True)
class BulkValue:
    """The byte range of one bulk value in the object (for a Deflated instance, in its inflated form).

    `path` is the tag as 8 hex digits, inside sequences preceded by tag/item for each level, items counted
    from 1: "7FE00010", "54000100/1/54001010". It is also the tail of the BulkDataURI. `big_endian` says that
    words of `vr` must be swapped before they are sent (PS3.18 8.7.3.3.2). `length` is -1 for encapsulated
    pixel data, whose frames are found in the frame table.
    """

    path: str
    vr: str
    offset: int
    length: int
    big_endian: bool = False


@dataclass(frozen=True, slots=True)
class Pixels:
    """How the pixels of an instance lie in its object (PS3.3 C.7.6.3).

    `offset` and `length` are the byte range of the value of `tag` (7FE00010, 7FE00008 or 7FE00009); for
    encapsulated pixels they span the items from the Basic Offset Table's item to before the sequence
    delimiter. Numbers that the instance lacks are 0, except `frames`, which is at least 1.
    """

    tag: str
    vr: str
    offset: int
    length: int
    encapsulated: bool
    big_endian: bool
    frames: int
    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    planar_configuration: int
    photometric_interpretation: str

    @property
    def bits_per_frame(self) -> int:
        """Bits of one native frame, without padding (PS3.5 8.1.1); YBR_FULL_422 has two samples a pixel."""
        samples = 2 if self.photometric_interpretation == "YBR_FULL_422" else self.samples_per_pixel
        return self.rows * self.columns * samples * self.bits_allocated

    @property
    def frame_length(self) -> int:
        """Bytes of one decoded frame, the last byte filled up."""
        return (self.bits_per_frame + 7) // 8


@dataclass(frozen=True, slots=True)
class FrameBlock:
    """The ranges of consecutive encapsulated frames.

    `ranges` packs for each frame two little-endian unsigned 64-bit numbers: the offset of its first
    fragment's item tag in the object, and the length up to the end of its last fragment. A frame is the
    joined values of the items in that range.
    """

    first: int  # frame number, counted from 1
    count: int
    ranges: bytes


FRAMES_PER_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """All that Filmroom takes from an instance; its data set is read once, on the way in.

    `attributes` holds the index attributes (archive/model/attributes.py) that the data set has, by tag.
    `metadata` is the packed DICOM JSON (archive/dicom/segments.py). `warnings` name attributes whose values
    are kept as sent though the standard does not allow them, without the values themselves.
    """

    identity: Identity
    transfer_syntax_uid: str
    dataset_offset: int
    attributes: Mapping[str, Element]
    metadata: bytes
    bulk_values: tuple[BulkValue, ...]
    pixels: Pixels | None
    frame_blocks: tuple[FrameBlock, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One live instance of the index: where its bytes are and what they are.

    `inflated_key` names the derived object that offsets address, for Deflated instances only.
    """

    id: int
    organisation: str
    identity: Identity
    transfer_syntax_uid: str
    object_key: str
    size: int
    sha256: str
    dataset_offset: int
    inflated_key: str | None
    pixels: Pixels | None
