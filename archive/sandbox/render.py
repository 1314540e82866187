"""The task that makes a picture: a stored frame, decoded and rendered in one step.

Owns the form of their options and the heads that a child keeps: the last few that it parsed, by their bytes,
since a series is looked at frame after frame. Leaves pictures to archive/rendering/ and decoding to
archive/imaging/.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from archive.imaging.decode import decode_frame
from archive.imaging.syntaxes import native_photometric
from archive.model.instance import Pixels
from archive.model.rendering import Region, Rendering, Viewport, Window
from archive.rendering.attributes import text
from archive.rendering.frame import Native, render_frame
from archive.rendering.frame_head import read_head_of_frame
from archive.rendering.header import Head, read_head
from archive.rendering.output import Picture
from archive.rendering.presentation import Presentation, read_presentation
from archive.sandbox.messages import Answer

_KEPT_HEADS = 8
_LONGEST_KEPT = 2**20  # bytes; parsed ones take about ten times as much


def render(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Render a frame: {syntax, pixels, frame, rendering}, [head, stored] -> {media_type, …}, [picture].

    `syntax` is that of the stored frame, `rendering` the fields of a Rendering. With a presentation state its
    data set is a third blob, and the option `presentation` is its transfer syntax.
    """
    pixels, syntax = Pixels(**options["pixels"]), options["syntax"]
    rendering, ds = rendering_of(options["rendering"]), head_of(blobs[0], syntax, options["frame"])
    presentation = _presentation(options, blobs[2:], ds)
    native = native_of(ds, options["frame"], blobs[1], syntax, pixels)
    return answer_of(render_frame(native, rendering, presentation))


def warm(_options: dict[str, Any], _blobs: list[bytes]) -> Answer:
    """Do nothing: the child has imported what pictures are made with."""
    return {}, []


def rendering_of(fields: Mapping[str, Any]) -> Rendering:
    """Return the Rendering whose fields, by dataclasses.asdict, have been through JSON."""
    nested = {"viewport": Viewport, "region": Region, "window": Window}
    values = {
        name: nested[name](**value) if name in nested and value is not None else value
        for name, value in fields.items()
    }
    return Rendering(**{**values, "annotations": tuple(values.get("annotations", ()))})


def head_of(data: bytes, syntax: str, frame: int | None = None) -> Head:
    """Return a parsed head, kept for the next frame of the same instance; a long one for one frame only."""
    if len(data) <= _LONGEST_KEPT:
        return _kept(data, syntax)
    return read_head(data, syntax) if frame is None else read_head_of_frame(data, syntax, frame)


@lru_cache(maxsize=_KEPT_HEADS)
def _kept(data: bytes, syntax: str) -> Head:
    return read_head(data, syntax)


def _presentation(options: Mapping[str, Any], blobs: list[bytes], image: Head) -> Presentation | None:
    """Return what the presentation state says of the frame, None where there is none."""
    if not blobs:
        return None
    state = head_of(blobs[0], options["presentation"])
    return read_presentation(state, text(image, "SOPInstanceUID"), options["frame"])


def native_of(ds: Head, frame: int, stored: bytes, syntax: str, pixels: Pixels) -> Native:
    """Return a stored frame decoded."""
    data = decode_frame(stored, syntax, pixels, frame) if pixels.encapsulated else stored
    return Native(ds, frame, data, pixels, native_photometric(pixels, syntax))


def answer_of(picture: Picture) -> Answer:
    """Return a picture as what a task gives."""
    described = {"media_type": picture.media_type, "width": picture.width, "height": picture.height}
    return described, [picture.data]
