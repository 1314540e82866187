"""What an instance without pixels can be shown as, by its SOP class: a table that is asked before any bytes.

Leaves making the documents to archive/rendering/document.py; every media type here has its maker there.
"""

from __future__ import annotations

from enum import Enum

from archive.dicomweb.rendered_types import JPEG, PNG

HTML, TEXT, XML = "text/html", "text/plain", "text/xml"
PDF, SVG, WAV = "application/pdf", "image/svg+xml", "audio/wav"
STL, OBJ, MTL = "model/stl", "model/obj", "model/mtl"

_STORAGE = "1.2.840.10008.5.1.4.1.1."
GRAYSCALE, COLOR, PSEUDO_COLOR, XA_GRAYSCALE = (f"{_STORAGE}11.{tail}" for tail in "1235")
APPLIED_STATES = frozenset((GRAYSCALE, COLOR, PSEUDO_COLOR, XA_GRAYSCALE))
"""SOP classes of the presentation states that can be applied to images."""

_PICTURES = (SVG, PNG, JPEG, HTML)


class Family(Enum):
    """Instances without pixels that are shown in the same way."""

    REPORT = "structured report"
    PDF = "PDF"
    CDA = "clinical document"
    MODEL = "model"
    SOUND = "sound"
    WAVEFORM = "waveform"
    OTHER = "any other"


_ROWS: dict[str, tuple[Family, tuple[str, ...]]] = {
    f"{_STORAGE}88.": (Family.REPORT, (HTML, TEXT)),
    f"{_STORAGE}104.1": (Family.PDF, (PDF,)),
    f"{_STORAGE}104.2": (Family.CDA, (HTML, XML)),
    f"{_STORAGE}104.3": (Family.MODEL, (STL,)),
    f"{_STORAGE}104.4": (Family.MODEL, (OBJ,)),
    f"{_STORAGE}104.5": (Family.MODEL, (MTL,)),
    f"{_STORAGE}9.4.": (Family.SOUND, (WAV, *_PICTURES)),
    **{f"{_STORAGE}9.{arc}.": (Family.WAVEFORM, _PICTURES) for arc in (1, 2, 3, 5, 6, 7, 8)},
}
"""SOP class UID, or its beginning where it ends with a dot → family and media types, the default first."""

_OTHER = (Family.OTHER, (HTML,))


def _row(sop_class_uid: str) -> tuple[Family, tuple[str, ...]]:
    exact = _ROWS.get(sop_class_uid)
    beginnings = (row for key, row in _ROWS.items() if key.endswith(".") and sop_class_uid.startswith(key))
    return exact or next(beginnings, _OTHER)


def family_of(sop_class_uid: str) -> Family:
    """Return how instances of a SOP class are shown."""
    return _row(sop_class_uid)[0]


def document_media_types(sop_class_uid: str) -> tuple[str, ...]:
    """Return what an instance of a SOP class can be shown as, the default first.

    Never empty: what has no form of its own is a table of its attributes. Made for instances without pixels;
    whether an instance has any is the caller's knowledge.
    """
    return _row(sop_class_uid)[1]
