"""Which images a presentation state is about, read from its DICOM JSON (PS3.3 C.11.11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SERIES, _IMAGES = "00081115", "00081140"  # Referenced Series Sequence, Referenced Image Sequence
_SOP_UID, _FRAMES = "00081155", "00081160"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image of the same study, and the frames of it that are meant; no frames means all of them."""

    sop_uid: str
    frames: tuple[int, ...]


def references(state: Mapping[str, Any]) -> Iterator[Reference]:
    """Give the references in their order. What is broken is left out."""
    for series in _items(state, _SERIES):
        for image in _items(series, _IMAGES):
            uids = _values(image, _SOP_UID)
            frames = tuple(n for n in _values(image, _FRAMES) if isinstance(n, int) and n > 0)
            if uids and isinstance(uids[0], str):
                yield Reference(uids[0], frames)


def _items(ds: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    return [item for item in _values(ds, tag) if isinstance(item, dict)]


def _values(ds: Mapping[str, Any], tag: str) -> list[Any]:
    values = ds.get(tag, {}).get("Value")
    return values if isinstance(values, list) else []
