"""The head of a DICOM file: preamble and file meta information (PS3.10 7.1), and what a transfer syntax says.

Any preamble is taken. Whether a data set agrees with its file meta is for archive/dicom/read.py to say.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from archive.dicom.headers import LONG_VRS
from archive.dicom.source import Source
from archive.errors import NotDicom
from archive.model.uid import trim_uid

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
# Deflated Explicit VR Little Endian, and JPIP (and HTJ2K JPIP) Referenced Deflate.
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
_PREFIX_END = 132
_MOST = 65_536  # bytes of a value that is kept; those kept are UIDs
_KEPT = {0x00020000, 0x00020002, 0x00020003, 0x00020010}


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What Filmroom takes from group 0002; UIDs are trimmed, empty where absent."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_uid: str
    dataset_offset: int

    @property
    def implicit(self) -> bool:
        """Whether elements have no VR. Unknown and private syntaxes are Explicit VR (PS3.5 A.4)."""
        return self.transfer_syntax_uid == IMPLICIT_LITTLE_ENDIAN

    @property
    def big_endian(self) -> bool:
        """Whether numbers have their high byte first."""
        return self.transfer_syntax_uid == EXPLICIT_BIG_ENDIAN

    @property
    def deflated(self) -> bool:
        """Whether the data set must be inflated before it can be walked."""
        return self.transfer_syntax_uid in DEFLATED


def read_file_meta(source: Source) -> FileMeta:
    """Read the file meta information; raise NotDicom where it is missing, cut off or names no syntax."""
    if source.read_at(128, 4) != b"DICM":
        raise NotDicom(
            "not a DICOM file: a Part 10 file with a 128 byte preamble and the prefix DICM is required"
            " (PS3.10 7.1)"
        )
    values: dict[int, bytes] = {}
    boundaries: set[int] = set()
    pos = _PREFIX_END
    while (head := source.read_at(pos, 12))[:2] == b"\x02\x00":
        if len(head) < 8:
            raise NotDicom("the file ends in its file meta information")
        element = int.from_bytes(head[2:4], "little")
        start, length = _value_range(head, pos)
        if start + length > source.size:
            raise NotDicom("the file ends in its file meta information", attribute=f"0002{element:04X}")
        tag = 0x00020000 | element
        if tag in _KEPT:
            values.setdefault(tag, source.read_at(start, min(length, _MOST)))
        pos = start + length
        boundaries.add(pos)
    if pos == _PREFIX_END:
        raise NotDicom("the file has no file meta information (group 0002)")
    stated = values.get(0x00020000, b"")
    if len(stated) == 4:  # elements of group 0002 may stand in the data set too, where they mean nothing
        end = _PREFIX_END + 12 + struct.unpack("<L", stated)[0]
        pos = end if end in boundaries else pos
    meta = FileMeta(
        transfer_syntax_uid=_uid(values.get(0x00020010)),
        sop_class_uid=_uid(values.get(0x00020002)),
        sop_uid=_uid(values.get(0x00020003)),
        dataset_offset=pos,
    )
    if not meta.transfer_syntax_uid:
        raise NotDicom("the file meta information names no Transfer Syntax UID", attribute="00020010")
    return meta


def _value_range(head: bytes, pos: int) -> tuple[int, int]:
    """Return offset and length of a value; some devices write even this group in Implicit VR."""
    code = head[4:6]
    if code in LONG_VRS:
        return pos + 12, int.from_bytes(head[8:12], "little")
    if code.isalpha() and code.isupper():
        return pos + 8, int.from_bytes(head[6:8], "little")
    return pos + 8, int.from_bytes(head[4:8], "little")


def _uid(value: bytes | None) -> str:
    return trim_uid(value.decode("latin-1")) if value else ""
