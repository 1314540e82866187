"""Moving pictures: their frames, how long each is shown, one window for all; and pictures of video."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from archive.errors import NotAcceptable, NotDecodable
from archive.model.rendering import Rendering, Viewport
from archive.rendering import moving_types, video
from archive.rendering.animate import frame_seconds, render_frames
from archive.rendering.moving_types import animation_types
from archive.rendering.video import Mp4, video_picture
from archive.rendering.video_frame import render_video_frame
from tests.rendering.frames import Instance, levels
from tests.rendering.images import image

FRAMES = np.stack([np.full((20, 30), 1000 * number, np.uint16) for number in range(1, 7)])
FRAMES[:, 0, 0] = 0


def cine(array: np.ndarray = FRAMES, **values: Any) -> Instance:
    """Return an instance of several frames."""
    return image(array[0], NumberOfFrames=len(array), PixelData=array.tobytes(), **values)


def moving(instance: Instance, rendering: Rendering, frames: Any = None) -> Any:
    """Return the moving picture of some frames, all where none are named."""
    chosen = frames or range(1, instance.pixels.frames + 1)
    return render_frames(instance.shown, list(chosen), instance.native, rendering)


def test_gif_has_the_frames_asked_for_with_one_window() -> None:
    picture = moving(cine(FrameTime="40"), Rendering("image/gif"))
    found = Image.open(io.BytesIO(picture.data))
    assert (found.format, found.n_frames, found.info["duration"], found.info["loop"]) == ("GIF", 6, 40, 0)
    shades = []
    for number in range(6):
        found.seek(number)
        shades.append(int(np.asarray(found.convert("L"))[10, 10]))
    assert shades == [43, 85, 128, 170, 212, 255]
    assert Image.open(io.BytesIO(moving(cine(), Rendering("image/gif"), [2, 5]).data)).n_frames == 2


def test_a_stored_window_is_kept() -> None:
    picture = moving(cine(WindowCenter=1000.5, WindowWidth=2001), Rendering("image/gif"))
    found = Image.open(io.BytesIO(picture.data))
    assert np.asarray(found.convert("L"))[10, 10] == 128


def test_frames_in_colour() -> None:
    array = np.zeros((3, 8, 8, 3), np.uint8)
    for number in range(3):
        array[number, ..., number] = 255
    picture = moving(cine(array), Rendering("image/gif", viewport=Viewport(16, 16)))
    found = Image.open(io.BytesIO(picture.data))
    assert found.size == (16, 16)
    found.seek(2)
    assert np.asarray(found.convert("RGB"))[3, 3].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({}, 0.1),
        ({"FrameTime": "33.3"}, 0.0333),
        ({"CineRate": "25", "FrameTime": "100"}, 0.04),
        ({"RecommendedDisplayFrameRate": "10", "CineRate": "25"}, 0.1),
        ({"FrameTimeVector": ["0", "50", "70"]}, 0.06),
        ({"CineRate": "0", "FrameTime": "-1"}, 0.1),
        ({"FrameTime": "0.001"}, 0.02),
        ({"FrameTime": "1e9"}, 10.0),
    ],
)
def test_how_long_a_frame_is_shown(values: dict[str, Any], seconds: float) -> None:
    assert frame_seconds(cine(**values).shown) == pytest.approx(seconds)


def test_mp4_is_h264_that_browsers_play() -> None:
    picture = moving(cine(FrameTime="40"), Rendering("video/mp4", viewport=Viewport(61, 41)))
    with av.open(io.BytesIO(picture.data)) as container:
        stream = container.streams.video[0]
        frames = [one.to_ndarray(format="gray") for one in container.decode(stream)]
    assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 25)
    assert (picture.width, picture.height) == (62, 42) == (stream.width, stream.height)
    assert len(frames) == 6
    assert np.abs([int(one[20, 30]) - 255 * at / 6 for at, one in enumerate(frames, 1)]).max() < 6


def test_other_media_types_are_refused_with_those_there_are() -> None:
    with pytest.raises(NotAcceptable) as caught:
        moving(cine(), Rendering("image/png"))
    assert caught.value.offered == ("image/gif", "video/mp4")


def stream_of(count: int = 5) -> bytes:
    """Return an MP4 whose frames get lighter."""
    file = Mp4(32, 16, 0.04, 95)
    for number in range(count):
        file.add(np.full((16, 32, 3), 50 * number, np.uint8))
    return file.close()


def test_a_frame_of_a_video_has_a_picture() -> None:
    instance = image(np.zeros((16, 32, 3), np.uint8))
    for frame in (1, 5):
        picture = render_video_frame(
            instance.shown, frame, stream_of(), instance.pixels, Rendering("image/png", longest_side=8)
        )
        assert (picture.width, picture.height) == (8, 4)
        assert np.abs(levels(picture).astype(int) - 50 * (frame - 1)).max() < 5


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        bytes(500),
        stream_of()[:300],
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
    ],
)
def test_a_stream_that_is_none_or_points_elsewhere_is_refused(stream: bytes) -> None:
    with pytest.raises(NotDecodable, match="video"):
        video_picture(stream, image(np.zeros((16, 32, 3), np.uint8)).pixels, 1)


def test_a_frame_behind_the_end_is_refused() -> None:
    with pytest.raises(NotDecodable, match="ends before"):
        video_picture(stream_of(), image(np.zeros((16, 32, 3), np.uint8)).pixels, 6)


def test_without_pyav_there_is_no_video_and_the_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "av", None)
    monkeypatch.setattr(moving_types, "find_spec", lambda _: None)
    assert animation_types() == ("image/gif",)
    with pytest.raises(NotDecodable, match="PyAV"):
        video_picture(b"-", image(np.zeros((16, 32, 3), np.uint8)).pixels, 1)
    with pytest.raises(NotAcceptable):
        moving(cine(), Rendering("video/mp4"))
