"""The tasks that need PyAV, or may: a picture of a video, and a moving picture of frames.

In a module of its own, because PyAV is 20 MB of memory. Leaves pictures to archive/rendering/.
"""

from __future__ import annotations

from typing import Any

from archive.model.instance import Pixels
from archive.rendering.animate import render_frames
from archive.rendering.frame import Native
from archive.rendering.video_frame import render_video_frame
from archive.sandbox.messages import Answer
from archive.sandbox.render import answer_of, head_of, native_of, rendering_of


def render_video(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Render a frame of a video: options and answer as those of render, [head, stream] -> [picture].

    The stream is the stored value, at least up to the frame.
    """
    ds, pixels = head_of(blobs[0], options["syntax"]), Pixels(**options["pixels"])
    rendering = rendering_of(options["rendering"])
    return answer_of(render_video_frame(ds, options["frame"], blobs[1], pixels, rendering))


def animate(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Render frames as a moving picture: {syntax, pixels, frames, rendering}, [head, stored, …] -> as render.

    `frames` are the numbers of the stored frames, in their order.
    """
    pixels, syntax, frames = Pixels(**options["pixels"]), options["syntax"], options["frames"]
    rendering, ds = rendering_of(options["rendering"]), head_of(blobs[0], syntax)
    stored = dict(zip(frames, blobs[1:], strict=True))

    def native(frame: int) -> Native:
        return native_of(ds, frame, stored[frame], syntax, pixels)

    return answer_of(render_frames(ds, frames, native, rendering))
