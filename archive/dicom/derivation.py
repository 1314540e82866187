"""What a data set says of itself once its pixels were compressed with loss (PS3.3 C.7.6.1.1.5, C.12.4.1).

Owns the attributes: the new SOP Instance UID, that it is derived and from what, and the steps of compression,
to which one is added. Nothing here compresses; convert.py puts the values in their places.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from archive.dicom import part10
from archive.model.instance import Identity

_IMAGE_TYPE, _SOP_INSTANCE_UID, _DESCRIPTION = 0x00080008, 0x00080018, 0x00082111
_LOSSY, _RATIO, _METHOD = 0x00282110, 0x00282112, 0x00282114
_SOURCES, _CODES = 0x00082112, 0x00089215

FRAME_TYPE = 0x00089007
"""Says of a frame of an enhanced image what Image Type says of the instance (PS3.3 C.8.16.1)."""

READS = frozenset((_IMAGE_TYPE, _DESCRIPTION, _RATIO, _METHOD))
"""Attributes of the data set before, on whose values those after depend."""

_PREDECESSOR = ("121320", "Uncompressed predecessor")  # of PS3.16 CID 7202, as the next
_LOSSY_PREDECESSOR = ("121330", "Lossy compressed predecessor")
_MAX_DESCRIPTION = 1024  # of VR ST


def derived_uid(source_uid: str, sha256: str, transfer_syntax_uid: str, quality: int) -> str:
    """Return the UID of an instance compressed so: the same for the same bytes compressed the same way."""
    words = "|".join((source_uid, sha256, transfer_syntax_uid, str(quality)))
    digest = hashlib.sha256(words.encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


@dataclass(frozen=True, slots=True)
class Derivation:
    """One step of lossy compression of the instance `source`.

    `method` is of PS3.3 C.7.6.1.1.5.1; `ratio` is bytes before to bytes after. `was_lossy` says that the
    source had lost something before.
    """

    source: Identity
    sop_uid: str
    method: str
    ratio: float
    description: str
    was_lossy: bool = False

    def values(self, before: Mapping[int, bytes]) -> dict[int, bytes]:
        """Return whole elements by tag, given the values of READS that the source has."""
        ratios, methods = (_split(before.get(tag, b"")) for tag in (_RATIO, _METHOD))
        steps = max(len(ratios), len(methods))  # a ratio belongs to the method in the same place
        ratios = [b""] * (steps - len(ratios)) + ratios + [f"{self.ratio:.4g}".encode()]
        methods = [b""] * (steps - len(methods)) + methods + [self.method.encode()]
        image_type = before.get(_IMAGE_TYPE, b"").strip() or b"ORIGINAL\\SECONDARY"
        text = b"; ".join(
            filter(None, (self.description.encode(), before.get(_DESCRIPTION, b"").strip(b" \0")))
        )
        if len(text) > _MAX_DESCRIPTION:  # the source has the longer one
            text = self.description.encode()
        elements = (
            (_IMAGE_TYPE, "CS", derived_type(image_type)),
            (_SOP_INSTANCE_UID, "UI", self.sop_uid.encode()),
            (_DESCRIPTION, "ST", text),
            (_LOSSY, "CS", b"01"),
            (_RATIO, "DS", b"\\".join(ratios)),
            (_METHOD, "CS", b"\\".join(methods)),
        )
        return {tag: part10.element(tag, vr, value) for tag, vr, value in elements}

    def items(self) -> dict[int, bytes]:
        """Return the items that are added to sequences, by tag: the source, and what was done to it."""
        source = part10.element(0x00081150, "UI", self.source.sop_class_uid.encode())
        source += part10.element(0x00081155, "UI", self.source.sop_uid.encode())
        purpose = _LOSSY_PREDECESSOR if self.was_lossy else _PREDECESSOR
        source += part10.sequence(0x0040A170, _code(*purpose))
        return {
            _SOURCES: part10.item(source),
            _CODES: _code("113040", "Lossy Compression"),
        }


def derived_type(value: bytes) -> bytes:
    """Return an Image Type or Frame Type whose value 1 is DERIVED (PS3.3 C.7.6.1.1.2)."""
    return b"\\".join((b"DERIVED", *value.split(b"\\")[1:]))


def _split(value: bytes) -> list[bytes]:
    value = value.strip(b" \0")
    return value.split(b"\\") if value else []


def _code(value: str, meaning: str) -> bytes:
    """Return an item that is a code of DICOM's own scheme (PS3.3 Table 8.8-1, PS3.16 Annex D)."""
    elements = ((0x00080100, "SH", value), (0x00080102, "SH", "DCM"), (0x00080104, "LO", meaning))
    return part10.item(b"".join(part10.element(tag, vr, text.encode()) for tag, vr, text in elements))
