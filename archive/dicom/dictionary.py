"""Value representations of tags, for where a data set does not say them (PS3.6, and private dictionaries).

The tables are pydicom's, made flat once. Where the standard leaves a choice of VR, the entry names the choice
and archive/dicom/walk.py makes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries

_CHOICES = {
    "OB or OW": "OW",  # PS3.5 A.1: OW in Implicit VR
    "US or OW": "OW",  # LUT Data; US would be legal too (PS3.5 A.1)
    "US or SS or OW": "OW",
    "OB_OW": "OB",
    "NONE": "UN",
}


def _flat(vr: str) -> str:
    return _CHOICES.get(vr, vr)


VR_OF_TAG: Mapping[int, str] = {tag: _flat(entry[0]) for tag, entry in DicomDictionary.items()}
US_OR_SS = "US or SS"


def _repeaters() -> dict[tuple[int, int], str]:
    """Make (group, element) keys of 50xx and 60xx; the other patterns are of long retired tags."""
    table = {}
    for mask, entry in RepeatersDictionary.items():
        if mask[2:4] == "xx" and "x" not in mask[4:]:
            table[int(mask[:2], 16) << 8, int(mask[4:], 16)] = _flat(entry[0])
    return table


_REPEATERS = _repeaters()
_PRIVATE_TAG = re.compile(r"[0-9A-Fa-f]{4}xx[0-9A-Fa-f]{2}")


def _private() -> dict[str, dict[tuple[int, int], str]]:
    """Make creator → (group, low byte of the element) → VR."""
    return {
        creator: {
            (int(mask[:4], 16), int(mask[6:], 16)): _flat(entry[0])
            for mask, entry in entries.items()
            if _PRIVATE_TAG.fullmatch(mask)
        }
        for creator, entries in private_dictionaries.items()
    }


_PRIVATE = _private()


def public_vr(tag: int) -> str | None:
    """Return the VR of a public tag, a group length included; None where it is not known."""
    vr = VR_OF_TAG.get(tag)
    if vr is not None:
        return vr
    if not tag & 0xFFFF:
        return "UL"
    return _REPEATERS.get((tag >> 16 & 0xFF00, tag & 0xFFFF))


def private_vr(tag: int, creator: str | None) -> str | None:
    """Return the VR of a private tag under its creator; LO for a creator itself (PS3.5 7.8.1)."""
    element = tag & 0xFFFF
    if 0x10 <= element <= 0xFF:
        return "LO"
    if not element:
        return "UL"
    entries = _PRIVATE.get(creator) if creator else None
    return entries.get((tag >> 16, element & 0xFF)) if entries else None
