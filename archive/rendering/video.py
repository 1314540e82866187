"""Video by PyAV, where that is installed (the extra "video"): a picture of a stream, and MP4 of pictures.

Owns the one place that knows FFmpeg. Only containers that DICOM allows are opened, and nothing that a stream
points to: playlists and references to files are refused. What can be done here is said by moving_types.py.
Streams as they are stored are left to archive/web/.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.errors import NotAcceptable, NotDecodable
from archive.model.instance import Pixels
from archive.rendering.moving_types import ENCODER, can_encode_video

try:  # an optional codec: the wheel carries x264, which is why it is no requirement
    import av
    from av.error import FFmpegError
except ImportError:  # pragma: no cover  the tests have it
    av = None  # type: ignore[assignment]

_MOST_PIXELS = 2**26
_SAFE = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,mpegvideo,mpegts,mpeg,h264,hevc",
    "protocol_whitelist": "pipe",
}


def video_picture(stream: bytes, pixels: Pixels, frame: int) -> NDArray[np.uint8]:
    """Return rows x columns x 3 of frame `frame`, from 1, of the value of an encapsulated video.

    Every frame before it is decoded too. `stream` may be cut off behind it. Raise NotDecodable where PyAV is
    missing, where the stream is broken, too large or has no such frame.
    """
    if av is None:
        raise NotDecodable("the instance is a video, and PyAV, which can decode it, is not installed here")
    try:
        for number, picture in enumerate(_pictures(stream), start=1):
            if number == frame:
                return np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8)
    except FFmpegError as error:
        raise NotDecodable(
            f"frame {frame} of the video cannot be decoded ({type(error).__name__})"
        ) from error
    raise NotDecodable(f"frame {frame} of the video cannot be decoded: the stream ends before it")


def _pictures(stream: bytes) -> Iterator[Any]:
    with av.open(BytesIO(stream), mode="r", options=_SAFE) as container:
        if not container.streams.video:
            raise NotDecodable("the video has no pictures")
        video = container.streams.video[0]
        context = video.codec_context
        if context.width * context.height > _MOST_PIXELS:
            raise NotDecodable(f"pictures of the video are {context.width} x {context.height}: too large")
        video.thread_type = "NONE"
        yield from container.decode(video)


class Mp4:
    """An MP4 that pictures are written to one by one, H.264 in 4:2:0, which browsers play."""

    def __init__(self, width: int, height: int, seconds: float, quality: int) -> None:
        """Begin a file of pictures of `width` x `height`, each shown so many seconds.

        A side that is odd is one pixel longer in the file: 4:2:0 has pairs. Raise NotAcceptable where MP4
        cannot be made here.
        """
        if not can_encode_video():
            raise NotAcceptable("MP4 cannot be made here: PyAV with x264 is not installed")
        self._file = BytesIO()
        self._container: Any = av.open(self._file, "w", format="mp4")
        rate = Fraction(1 / seconds).limit_denominator(1000)
        factor = str(round(40 - quality * 0.24))  # quality 100 is 16, which is as good as lossless to see
        options = {"crf": factor, "preset": "veryfast", "threads": "1"}
        stream: Any = self._container.add_stream(ENCODER, rate=rate, options=options)
        self.width, self.height = width + width % 2, height + height % 2
        stream.width, stream.height = self.width, self.height
        stream.pix_fmt = "yuv420p"
        self._stream = stream

    def add(self, levels: NDArray[np.uint8]) -> None:
        """Write a picture, rows x columns x 3."""
        rows, columns = levels.shape[:2]
        whole = np.pad(levels, ((0, rows % 2), (0, columns % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), format="rgb24")
        self._container.mux(self._stream.encode(picture))

    def close(self) -> bytes:
        """End the file and return it."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()
