"""The names of attributes in a query: keyword, 8 hex digits, or a dotted path of either.

Owns the way from a name to a path of tags and the VR of its end, by the dictionary of PS3.6. Private
attributes have no keyword; their VR is not known here.
"""

from __future__ import annotations

import re
from functools import lru_cache

from archive.dicom.dictionary import TAG_OF_KEYWORD, keyword_of_tag, public_entry
from archive.model.query import Path

_HEX = re.compile(r"[0-9A-Fa-f]{8}")


@lru_cache(maxsize=4096)
def path_of(name: str) -> Path | None:
    """Return the path that a name means, None where a part of it is no attribute.

    Every part but the last is a sequence, or a private attribute, which may be one.
    """
    tags = tuple(_tag(part) for part in name.split("."))
    path = tuple(tag for tag in tags if tag is not None)
    if len(path) != len(tags) or any(vr_of(tag) not in {"SQ", "UN"} for tag in path[:-1]):
        return None
    return path


@lru_cache(maxsize=4096)
def vr_of(tag: str) -> str:
    """Return the VR of a tag by the dictionary: UN for private and unknown ones, the first of several."""
    entry = public_entry(int(tag, 16))
    return entry[0][:2] if entry else "UN"


@lru_cache(maxsize=4096)
def keyword_of(tag: str) -> str:
    """Return the keyword of a tag, the tag itself where it has none."""
    return keyword_of_tag(int(tag, 16)) or tag


def name_of(path: Path) -> str:
    """Return the dotted name that a person would write for a path."""
    return ".".join(keyword_of(tag) for tag in path)


def _tag(part: str) -> str | None:
    if _HEX.fullmatch(part):
        return part.upper()
    number = TAG_OF_KEYWORD.get(part) if part else None
    return None if number is None else f"{number:08X}"
