"""What a presentation state makes of an image (PS3.3 A.33, C.10, C.11; PS3.4 Annex N).

Owns reading Grayscale, Color and Pseudo-Color Softcopy Presentation States for one frame of an image: what
replaces the image's own transformations. A state without a VOI transformation leaves the image its own,
which people can use, where the letter of the standard has none at all. Leaves drawing to frame.py,
shutters.py and graphics.py. Blending, and subtraction of a mask, are not done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archive.errors import NotDecodable
from archive.rendering.attributes import integer, item, items, number, numbers, octets, text
from archive.rendering.document_types import APPLIED_STATES, PSEUDO_COLOR
from archive.rendering.geometry import Area, Turn, ratio_of
from archive.rendering.graphics import Mark, read_marks
from archive.rendering.grey import Overrides, read_presentation_lut
from archive.rendering.header import Head
from archive.rendering.modality import Modality, Rescale, read_modality
from archive.rendering.overlays import GROUPS, activated
from archive.rendering.palette import Palette, has_palette, read_palette
from archive.rendering.shutters import Shutter, read_shutters
from archive.rendering.stored import Bits
from archive.rendering.voi import Voi, read_voi

_LEAST, _MOST = -(2.0**31), 2.0**31
_FAR = 100_000.0  # pixels: what is further off is a mistake
_LEAST_MAGNIFIED, _MOST_MAGNIFIED = 0.01, 64.0
_P_VALUES = Bits(16, 16, 15, signed=False)


@dataclass(frozen=True, slots=True)
class Presentation:
    """How one frame is presented; `overlays` holds the groups of planes that are shown, `ds` the state."""

    ds: Head
    overrides: Overrides = field(default_factory=Overrides)
    palette: Palette | None = None
    profile: bytes = b""
    overlays: tuple[int, ...] = ()
    shutters: tuple[Shutter, ...] = ()
    turn: Turn = field(default_factory=Turn)
    area: Area | None = None
    aspect: float | None = None
    magnification: float | None = None
    marks: tuple[Mark, ...] = ()


def read_presentation(ds: Head, sop_uid: str, frame: int) -> Presentation:
    """Return what a state says of a frame of an image; raise NotDecodable where it cannot be applied."""
    kind = text(ds, "SOPClassUID")
    if kind not in APPLIED_STATES:
        raise NotDecodable(f"SOP Class UID is {kind}: presentation states of that kind cannot be applied")
    return _presentation(ds, sop_uid, frame, coloured=kind == PSEUDO_COLOR)


def _presentation(ds: Head, sop_uid: str, frame: int, *, coloured: bool) -> Presentation:
    shown = _displayed_area(ds, sop_uid, frame)
    pair = numbers(shown, "PresentationPixelSpacing") or numbers(shown, "PresentationPixelAspectRatio")
    magnified = text(shown, "PresentationSizeMode").upper() == "MAGNIFY"
    return Presentation(
        ds,
        overrides=_overrides(ds, sop_uid, frame),
        palette=read_palette(ds, _P_VALUES) if coloured and has_palette(ds) else None,
        profile=octets(ds, "ICCProfile"),
        overlays=tuple(group for group in GROUPS if activated(ds, group)),
        shutters=tuple(read_shutters(ds)),
        turn=_turn(ds),
        area=_area(shown),
        aspect=ratio_of(pair),
        magnification=_magnification(shown) if magnified else None,
        marks=tuple(read_marks(ds, _for_frame(ds, "GraphicAnnotationSequence", sop_uid, frame))),
    )


def _frames(image: Head) -> tuple[int, ...]:
    return tuple(int(one) for one in numbers(image, "ReferencedFrameNumber") if one is not None)


def _for_frame(ds: Head, keyword: str, sop_uid: str, frame: int) -> Iterator[Head]:
    """Yield the items of a sequence that name the frame, or no image at all."""
    for each in items(ds, keyword):
        images = items(each, "ReferencedImageSequence")
        named = (one for one in images if text(one, "ReferencedSOPInstanceUID") == sop_uid)
        if not images or any(not _frames(one) or frame in _frames(one) for one in named):
            yield each


def _overrides(ds: Head, sop_uid: str, frame: int) -> Overrides:
    voi: Voi | None = None
    for each in _for_frame(ds, "SoftcopyVOILUTSequence", sop_uid, frame):
        voi = voi or read_voi(each, least=_LEAST, most=_MOST)
    modality: Modality | None = None
    if item(ds, "ModalityLUTSequence") is not None or number(ds, "RescaleSlope") is not None:
        modality = read_modality(ds, lambda _: ds, least=_LEAST, most=_MOST)
    elif voi is not None:
        modality = Rescale()  # its window is in stored values then (PS3.4 N.2.1)
    return Overrides(modality, voi, read_presentation_lut(ds))


def _turn(ds: Head) -> Turn:
    quarters = integer(ds, "ImageRotation", 0) // 90 % 4
    return Turn(quarters, mirrored=text(ds, "ImageHorizontalFlip").upper() == "Y")


def _displayed_area(ds: Head, sop_uid: str, frame: int) -> Head:
    return next(_for_frame(ds, "DisplayedAreaSelectionSequence", sop_uid, frame), Head())


def _magnification(shown: Head) -> float | None:
    ratio = number(shown, "PresentationPixelMagnificationRatio")
    return min(max(ratio, _LEAST_MAGNIFIED), _MOST_MAGNIFIED) if ratio and ratio > 0 else None


def _area(shown: Head) -> Area | None:
    """Return the displayed area: its corners count from 1 and belong to it, before any turn (C.10.4)."""
    corners = [numbers(shown, f"DisplayedArea{name}HandCorner") for name in ("TopLeft", "BottomRight")]
    if any(len(one) < 2 or None in one for one in corners):
        return None
    (left, top), (right, bottom) = (
        (min(max(one[0] or 0.0, -_FAR), _FAR), min(max(one[1] or 0.0, -_FAR), _FAR)) for one in corners
    )
    return Area(min(left, right) - 1, min(top, bottom) - 1, max(left, right), max(top, bottom))
