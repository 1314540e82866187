"""What the dictionaries say of tags and UIDs: VR, keyword and name (PS3.6, and private dictionaries).

The tables are pydicom's, read from its files: they are plain dictionaries, and importing pydicom for them
takes 55 MB of memory and a quarter of a second of every process, for numpy, codecs and what else it can do.
Where the standard leaves a choice of VR, `public_vr` names the choice and archive/dicom/walk.py makes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

Entry = tuple[str, str, str, str, str]
"""VR, VM, name, "Retired" or nothing, and keyword of an attribute."""


def _table(name: str) -> ModuleType:
    """Run a module of pydicom that holds nothing but a table, without the package around it."""
    package = find_spec("pydicom")
    if package is None or not package.submodule_search_locations:
        raise ImportError("pydicom is not installed")
    file = Path(package.submodule_search_locations[0]) / f"{name}.py"
    spec = spec_from_file_location(f"archive.dicom.{name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be read")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_public = _table("_dicom_dict")
_ENTRIES: Mapping[int, Entry] = _public.DicomDictionary
_REPEATING: Mapping[str, Entry] = _public.RepeatersDictionary

_CHOICES = {
    "OB or OW": "OW",  # PS3.5 A.1: OW in Implicit VR
    "US or OW": "OW",  # LUT Data; US would be legal too (PS3.5 A.1)
    "US or SS or OW": "OW",
    "OB_OW": "OB",
    "NONE": "UN",
}


def _flat(vr: str) -> str:
    return _CHOICES.get(vr, vr)


VR_OF_TAG: Mapping[int, str] = {tag: _flat(entry[0]) for tag, entry in _ENTRIES.items()}
US_OR_SS = "US or SS"


def _repeaters() -> dict[tuple[int, int], str]:
    """Make (group, element) keys of 50xx and 60xx; the other patterns are of long retired tags."""
    table = {}
    for mask, entry in _REPEATING.items():
        if mask[2:4] == "xx" and "x" not in mask[4:]:
            table[int(mask[:2], 16) << 8, int(mask[4:], 16)] = _flat(entry[0])
    return table


_REPEATERS = _repeaters()


def public_vr(tag: int) -> str | None:
    """Return the VR of a public tag, a group length included; None where it is not known."""
    vr = VR_OF_TAG.get(tag)
    if vr is not None:
        return vr
    if not tag & 0xFFFF:
        return "UL"
    return _REPEATERS.get((tag >> 16 & 0xFF00, tag & 0xFFFF))


@cache
def _private() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Read the table of private attributes when it is first asked for: files with VRs need none."""
    table: Mapping[str, Mapping[str, tuple[str, ...]]] = _table("_private_dict").private_dictionaries
    return table


def private_vr(tag: int, creator: str | None) -> str | None:
    """Return the VR of a private tag under its creator; LO for a creator itself (PS3.5 7.8.1)."""
    element = tag & 0xFFFF
    if 0x10 <= element <= 0xFF:
        return "LO"
    if not element:
        return "UL"
    entry = _private().get(creator, {}).get(f"{tag >> 16:04X}xx{element & 0xFF:02X}") if creator else None
    return _flat(entry[0]) if entry else None


TAG_OF_KEYWORD: Mapping[str, int] = {entry[4]: tag for tag, entry in _ENTRIES.items()}
"""Tags by keyword; those that repeat in groups have none."""

_MASKS = [
    (int(mask.replace("x", "0"), 16), int(re.sub("[^x]", "F", mask).replace("x", "0"), 16), entry)
    for mask, entry in _REPEATING.items()
]


def public_entry(tag: int) -> Entry | None:
    """Return what PS3.6 says of a tag, those that repeat in groups included; None where it says nothing."""
    found = _ENTRIES.get(tag)
    if found is None and not tag >> 16 & 1:
        found = next((entry for value, mask, entry in _MASKS if not (tag ^ value) & mask), None)
    return found


def keyword_of_tag(tag: int) -> str:
    """Return the keyword of a tag, "" where it has none."""
    entry = public_entry(tag)
    return entry[4] if entry else ""


def private_name(tag: int, creator: str) -> str:
    """Return the name of a private attribute under its creator, "" where it is not known."""
    group, element = f"{tag >> 16:04X}", f"{tag & 0xFFFF:04X}"
    entries = _private().get(creator, {})
    masks = (group + element, f"{group}xx{element[2:]}", f"{group[:2]}xxxx{element[2:]}")
    return next((entries[mask][2] for mask in masks if mask in entries), "")


@cache
def _uids() -> Mapping[str, tuple[str, ...]]:
    """Read the table of UIDs when it is first asked for: nothing on the way of an image does."""
    table: Mapping[str, tuple[str, ...]] = _table("_uid_dict").UID_dictionary
    return table


def uid_name(uid: str) -> str:
    """Return the name of a UID of PS3.6, "" for one that has none."""
    entry = _uids().get(uid)
    return entry[0] if entry else ""
