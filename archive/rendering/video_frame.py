"""One frame of a video to one picture, drawn by video.py and finished as every other frame is."""

from __future__ import annotations

from archive.model.instance import Pixels
from archive.model.rendering import Rendering
from archive.rendering.frame import Drawn, finished
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head
from archive.rendering.output import Picture, encode_picture
from archive.rendering.video import video_picture


def render_video_frame(ds: Head, frame: int, stream: bytes, pixels: Pixels, rendering: Rendering) -> Picture:
    """Return a picture of a frame of a video; `stream` is its stored value, at least up to that frame.

    Raise as render_frame does, and NotDecodable where PyAV is not installed.
    """
    image, profile = finished(Frame(ds, frame), Drawn(video_picture(stream, pixels, frame)), rendering)
    return encode_picture(image, rendering.media_type, quality=rendering.quality, profile=profile)
