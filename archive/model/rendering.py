"""How a picture of stored pixels is asked for: the parameters of rendered resources (PS3.18 8.3.5).

Owns the words and their limits. Leaves reading them from a query to archive/dicomweb/rendered.py and
wado_uri.py, and doing what they say to archive/rendering/.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_SIDE = 8192
"""Pixels of the longest side of a rendered picture that may be asked for."""

WINDOW_FUNCTIONS = ("linear", "linear-exact", "sigmoid")
ANNOTATIONS = ("patient", "technique")
ICC_PROFILES = ("no", "yes", "srgb", "adobergb", "rommrgb", "displayp3")


@dataclass(frozen=True, slots=True)
class Viewport:
    """The area that the picture fits into, and the part of the image that is shown (PS3.18 8.3.5.1.3).

    `width` and `height` are pixels of the picture; `x`, `y`, `source_width` and `source_height` are pixels of
    the image, the whole of it where None. A negative source width or height flips the image.
    """

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    source_width: float | None = None
    source_height: float | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """The part of the image that is shown, as fractions from 0 to 1 of it (WADO-URI, PS3.18 9.5.1.2.5)."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI transformation, in the units after the modality transformation (PS3.3 C.11.2.1.2)."""

    centre: float
    width: float
    function: str = "linear"  # one of WINDOW_FUNCTIONS


@dataclass(frozen=True, slots=True)
class Rendering:
    """One way of making a picture.

    `longest_side` is for thumbnails: the picture is never larger than the image then. `annotations` are of
    ANNOTATIONS, `icc_profile` is of ICC_PROFILES, None where the client names none.
    """

    media_type: str = "image/jpeg"
    quality: int = 90
    viewport: Viewport | None = None
    region: Region | None = None
    window: Window | None = None
    annotations: tuple[str, ...] = ()
    icc_profile: str | None = None
    longest_side: int | None = None
