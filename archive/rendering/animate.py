"""Several frames to one moving picture: GIF, and MP4 where video.py can make it.

Owns the time each frame is shown, and the window that frames without one of their own share, so that they do
not flicker. Each frame is drawn as frame.py draws it; one is in memory at a time. An animation repeats for
ever, as cine does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from archive.dicomweb.rendered_types import GIF, MP4
from archive.errors import NotAcceptable
from archive.model.rendering import Rendering, Window
from archive.rendering.attributes import number, numbers
from archive.rendering.frame import Native, data_window, draw_image
from archive.rendering.header import Head
from archive.rendering.moving_types import animation_types
from archive.rendering.output import Picture
from archive.rendering.video import Mp4

DEFAULT_SECONDS = 0.1
"""How long a frame is shown where the data set does not say."""

_LEAST, _MOST = 0.02, 10.0  # seconds; browsers take less than 0.02 in a GIF for 0.1
_LOOKED_AT = 8  # frames that the shared window is made of


def render_frames(
    ds: Head, frames: Sequence[int], native: Callable[[int], Native], rendering: Rendering
) -> Picture:
    """Return the frames, by their numbers, as a moving picture of the media type of `rendering`.

    `ds` is the head of the instance; `native` gives a frame by its number. Raise NotAcceptable where the
    media type is none that can be made; what render_frame raises for a frame, too.
    """
    if rendering.media_type not in animation_types():
        raise NotAcceptable(f"frames cannot be rendered as {rendering.media_type}", offered=animation_types())
    same = replace(rendering, window=rendering.window or _shared_window(frames, native))
    images = (draw_image(native(each), same)[0] for each in frames)
    seconds = frame_seconds(ds)
    return _mp4(images, seconds, rendering) if rendering.media_type == MP4 else _gif(images, seconds)


def frame_seconds(ds: Head) -> float:
    """Return how long a frame is shown (PS3.3 C.7.6.5): the rate recommended, else that of recording."""
    for keyword in ("RecommendedDisplayFrameRate", "CineRate"):
        rate = number(ds, keyword)
        if rate and rate > 0:
            return _bounded(1.0 / rate)
    times = [each for each in numbers(ds, "FrameTimeVector") if each and each > 0]
    time = number(ds, "FrameTime") or (sum(times) / len(times) if times else None)
    return _bounded(time / 1000.0) if time and time > 0 else DEFAULT_SECONDS


def _bounded(seconds: float) -> float:
    return min(max(seconds, _LEAST), _MOST)


def _shared_window(frames: Sequence[int], native: Callable[[int], Native]) -> Window | None:
    """Return the window that spans those made of some of the frames; None where frames have their own."""
    least, most = [], []
    step = max(1, len(frames) // _LOOKED_AT)
    for frame in frames[::step]:
        window = data_window(native(frame))
        if window is None:
            return None
        least.append(window.centre - window.width / 2)
        most.append(window.centre + window.width / 2)
    if not least:
        return None
    return Window((min(least) + max(most)) / 2, max(max(most) - min(least), 1e-9), "linear-exact")


def _gif(images: Iterator[Image.Image], seconds: float) -> Picture:
    file = BytesIO()
    first = next(images)
    first.save(
        file,
        "GIF",
        save_all=True,
        append_images=images,
        duration=round(seconds * 100) * 10,
        loop=0,
        optimize=False,
    )
    return Picture(file.getvalue(), GIF, first.width, first.height)


def _mp4(images: Iterator[Image.Image], seconds: float, rendering: Rendering) -> Picture:
    first = next(images)
    file = Mp4(first.width, first.height, seconds, rendering.quality)
    file.add(np.asarray(first.convert("RGB")))
    for image in images:
        file.add(np.asarray(image.convert("RGB")))
    return Picture(file.close(), MP4, file.width, file.height)
