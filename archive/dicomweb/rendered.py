"""The parameters of rendered resources and thumbnails (PS3.18 8.3.5) become a `Rendering`.

Owns what may be asked for, and that a wrong value names its parameter. Leaves the media type to
rendered_types.py and WADO-URI's own parameters to wado_uri.py, which shares the readers of single values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from archive.errors import InvalidRequest
from archive.model.rendering import (
    ANNOTATIONS,
    ICC_PROFILES,
    MAX_SIDE,
    WINDOW_FUNCTIONS,
    Rendering,
    Viewport,
    Window,
)

Parameters = Sequence[tuple[str, str]]
"""Decoded (name, value) pairs of a query, in its order."""

THUMBNAIL_SIDE = 256
"""Pixels of the longest side of a thumbnail that names no viewport."""

_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})([eE][+-]?\d{1,2})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_ICC_MEDIA_TYPES = frozenset({"image/jpeg", "image/png"})
"""The picture types that we send and that can carry an ICC profile (8.3.5.1.5, notes 4 and 6)."""


def parse_rendering(parameters: Parameters) -> Rendering:
    """Read annotation, quality, viewport, window and iccprofile; others are ignored.

    Raise InvalidRequest whose `where` is the parameter at fault.
    """
    rendering = Rendering(
        viewport=_viewport(single(parameters, "viewport"), most=6),
        window=_window(single(parameters, "window")),
        annotations=parse_annotations(parameters, "annotation"),
        icc_profile=_icc_profile(single(parameters, "iccprofile")),
    )
    quality = parse_quality(parameters, "quality")
    return rendering if quality is None else replace(rendering, quality=quality)


def parse_thumbnail(parameters: Parameters) -> Rendering:
    """Read the viewport of a thumbnail, which has two values (8.3.5.2); others are ignored.

    A thumbnail holds no annotations, for it must not tell who the patient is (10.4.1.1.4).
    """
    viewport = _viewport(single(parameters, "viewport"), most=2)
    if viewport is None:
        return Rendering(longest_side=THUMBNAIL_SIDE)
    return Rendering(viewport=viewport, longest_side=max(viewport.width, viewport.height))


def for_media_type(rendering: Rendering, media_type: str) -> Rendering:
    """Return the rendering in a media type; raise InvalidRequest where that carries no profile as asked for.

    What the type has no use for is left out, so that renderings that give the same bytes are equal.
    """
    if media_type not in _ICC_MEDIA_TYPES and rendering.icc_profile not in {None, "no"}:
        raise InvalidRequest(
            f"iccprofile can only be no: {media_type} carries no profile", where="iccprofile"
        )
    lossless = {"image/png", "image/gif"}
    quality = Rendering().quality if media_type in lossless else rendering.quality
    return replace(rendering, media_type=media_type, quality=quality)


def for_presentation_state(rendering: Rendering) -> Rendering:
    """Return the rendering if a presentation state may be asked for so (8.3.5.1.3 and 8.3.5.1.4)."""
    if rendering.window is not None:
        raise InvalidRequest("a presentation state has a window of its own", where="window")
    if rendering.viewport not in {None, _plain(rendering.viewport)}:
        raise InvalidRequest("the viewport of a presentation state is a width and a height", where="viewport")
    return rendering


def _plain(viewport: Viewport | None) -> Viewport | None:
    return None if viewport is None else Viewport(viewport.width, viewport.height)


def single(parameters: Parameters, name: str) -> str | None:
    """Return the only value of a parameter, stripped; None where it is not there."""
    values = [value.strip() for key, value in parameters if key == name]
    if len(values) > 1:
        raise InvalidRequest(f"{name} is given more than once", where=name)
    return values[0] if values else None


def parse_annotations(parameters: Parameters, name: str) -> tuple[str, ...]:
    """Read a list of keywords (8.3.5.1.1)."""
    texts = [value for key, value in parameters if key == name]
    words = [word.strip() for text in texts for word in text.split(",")]
    for word in words:
        if word not in ANNOTATIONS:
            raise InvalidRequest(f"{name} is a list of {' and '.join(ANNOTATIONS)}", where=name)
    return tuple(word for word in ANNOTATIONS if word in words)


def parse_quality(parameters: Parameters, name: str) -> int | None:
    """Read a number from 1 to 100 (8.3.5.1.2)."""
    text = single(parameters, name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= 100:
        raise InvalidRequest(f"{name} is a whole number from 1 to 100", where=name)
    return int(text)


def parse_side(text: str, name: str) -> int:
    """Read a width or a height of a picture in pixels."""
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MAX_SIDE:
        raise InvalidRequest(f"{name} is in whole pixels from 1 to {MAX_SIDE}", where=name)
    return int(text)


def parse_number(text: str, name: str) -> float:
    """Read a decimal number."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise InvalidRequest(f"{name} has a value that is no decimal number", where=name)
    return float(text)


def _viewport(text: str | None, *, most: int) -> Viewport | None:
    """Read vw,vh[,[sx],[sy],[sw],[sh]] (8.3.5.1.3).

    The signs of sx and sy mean nothing, those of sw and sh flip. Values at the end may be left out together
    with their commas.
    """
    if text is None:
        return None
    values = [value.strip() for value in text.split(",")]
    if not 2 <= len(values) <= most:
        wanted = "a width and a height" if most == 2 else "vw,vh or vw,vh,sx,sy,sw,sh"
        raise InvalidRequest(f"viewport is {wanted}", where="viewport")
    width, height = (parse_side(value, "viewport") for value in values[:2])
    given = [parse_number(value, "viewport") if value else None for value in values[2:]]
    x, y, source_width, source_height = [*given, None, None, None, None][:4]
    if 0 in (source_width, source_height):
        raise InvalidRequest("viewport shows a part of the image that has no size", where="viewport")
    return Viewport(width, height, abs(x or 0.0), abs(y or 0.0), source_width, source_height)


def _window(text: str | None) -> Window | None:
    """Read center,width,function; all three are there (8.3.5.1.4)."""
    if text is None:
        return None
    values = [value.strip() for value in text.split(",")]
    if len(values) != 3 or values[2].lower() not in WINDOW_FUNCTIONS:
        raise InvalidRequest(
            f"window is center,width,function; a function is one of {', '.join(WINDOW_FUNCTIONS)}",
            where="window",
        )
    centre, width = (parse_number(value, "window") for value in values[:2])
    return checked_window(Window(centre, width, values[2].lower()), "window")


def checked_window(window: Window, name: str) -> Window:
    """Return the window if its width is one that its function can have (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    if window.width < 1 if window.function == "linear" else window.width <= 0:
        least = "at least 1" if window.function == "linear" else "above 0"
        raise InvalidRequest(f"{name}: the width of a {window.function} window is {least}", where=name)
    return window


def _icc_profile(text: str | None) -> str | None:
    if text is not None and text not in ICC_PROFILES:
        raise InvalidRequest(f"iccprofile is one of {', '.join(ICC_PROFILES)}", where="iccprofile")
    return text
