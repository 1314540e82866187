"""The file meta information at the start of a Part 10 file (PS3.10 7.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from archive.dicom.headers import LONG_VRS
from archive.dicom.source import Source
from archive.errors import NotDicom
from archive.model.uid import trim_uid

_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<L")
_IMPLICIT = struct.Struct("<HHL")
_PREAMBLE = 128
_LONGEST = 2**20  # bytes of one element of the group; a longer one is nonsense


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the group says that matters here; absent UIDs are empty. The data set begins at `end`."""

    transfer_syntax_uid: str
    sop_instance_uid: str
    end: int


def read_file_meta(source: Source) -> FileMeta:
    """Read preamble, prefix and group 0002; raise NotDicom. A wrong or missing group length harms nothing."""
    head = source.read_at(0, _PREAMBLE + 4)
    if not source.size:
        raise NotDicom("the instance is empty: 0 bytes")
    if head[_PREAMBLE:] != b"DICM":
        raise NotDicom(
            "not a DICOM Part 10 file: a preamble of 128 bytes and the prefix DICM must come first; "
            "a bare data set is not taken"
        )
    found: dict[int, bytes] = {}
    at = _PREAMBLE + 4
    while at < source.size:
        tag, start, length = _header(source, at)
        if tag >> 16 != 2:
            break
        if length > _LONGEST or start + length > source.size:
            raise _cut_off(tag)
        found.setdefault(tag, source.read_at(start, length))  # one that comes again is of the data set
        at = start + length
    syntax = _uid(found, 0x00020010)
    if not syntax:
        raise NotDicom(
            "TransferSyntaxUID (0002,0010) is missing, so the data set cannot be read", attribute="00020010"
        )
    return FileMeta(syntax, _uid(found, 0x00020003), at)


def _header(source: Source, at: int) -> tuple[int, int, int]:
    """Return tag, value offset and value length; the group is Explicit VR Little Endian, or should be."""
    head = source.read_at(at, 12)
    if len(head) < 8:
        raise _cut_off(0x00020000)
    group, element, code, length = _SHORT.unpack_from(head)
    tag = group << 16 | element
    if code in LONG_VRS:
        if len(head) < 12:
            raise _cut_off(tag)
        return tag, at + 12, _LONG.unpack_from(head, 8)[0]
    if code.isalpha() and code.isupper():
        return tag, at + 8, length
    return tag, at + 8, _IMPLICIT.unpack_from(head)[2]


def _cut_off(tag: int) -> NotDicom:
    return NotDicom("the file ends in its file meta information (group 0002)", attribute=f"{tag:08X}")


def _uid(found: dict[int, bytes], tag: int) -> str:
    return trim_uid(found.get(tag, b"").decode("latin-1"))
