"""The tasks "render" and "animate" in a real child process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archive.errors import InvalidRequest, NotAcceptable, NotDecodable
from archive.model.rendering import Region, Rendering, Viewport, Window
from archive.rendering.frame import render_frame
from archive.sandbox.pool import Sandbox
from archive.sandbox.render import head_of, rendering_of
from tests.rendering.frames import Instance, load
from tests.rendering.images import image
from tests.samples import pydicom_file, sample


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(processes=1, timeout=30, memory=2**30)
    yield made
    made.close()


def options(instance: Instance, rendering: Rendering, **values: Any) -> dict[str, Any]:
    """Return the options of both tasks."""
    return {
        "syntax": instance.syntax,
        "pixels": asdict(instance.pixels),
        "rendering": asdict(rendering),
        **values,
    }


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm"]
)
def test_a_child_makes_the_picture_that_is_made_here(sandbox: Sandbox, name: str) -> None:
    instance = load(pydicom_file(name))
    assert instance is not None
    rendering = Rendering("image/png", viewport=Viewport(50, 40, 1, 2, 30, 20), window=Window(40, 400))
    answer, made = sandbox.run(
        "render", options(instance, rendering, frame=1), instance.head, instance.stored_frame()
    )
    here = render_frame(instance.native(), rendering)
    assert answer == {"media_type": "image/png", "width": here.width, "height": here.height}
    assert made == [here.data]


def test_frames_move(sandbox: Sandbox) -> None:
    array = np.arange(4 * 64, dtype=np.uint16).reshape(4, 8, 8)
    instance = image(array[0], NumberOfFrames=4, PixelData=array.tobytes())
    stored = [instance.stored_frame(frame) for frame in (2, 4)]
    answer, made = sandbox.run(
        "animate", options(instance, Rendering("image/gif"), frames=[2, 4]), instance.head, *stored
    )
    assert answer["media_type"] == "image/gif"
    assert Image.open(io.BytesIO(made[0])).n_frames == 2


def test_errors_come_back_as_what_they_are(sandbox: Sandbox) -> None:
    instance = image(np.zeros((8, 8), np.uint8))
    stored = instance.stored_frame()
    outside = Rendering(viewport=Viewport(9, 9, 50, 50, 5, 5))
    with pytest.raises(InvalidRequest):
        sandbox.run("render", options(instance, outside, frame=1), instance.head, stored)
    with pytest.raises(NotAcceptable) as caught:
        sandbox.run("render", options(instance, Rendering("image/webp"), frame=1), instance.head, stored)
    assert caught.value.offered
    with pytest.raises(NotDecodable):
        sandbox.run("render", options(instance, Rendering(), frame=1), instance.head, b"")


def test_a_video_has_a_picture(sandbox: Sandbox) -> None:
    path: Path = sample("by-transfer-syntax/synthetic/mpeg4-h264-hp41.dcm")
    instance = load(path)
    assert instance is not None
    rendering = Rendering(longest_side=64)
    answer, _ = sandbox.run(
        "render_video", options(instance, rendering, frame=3), instance.head, instance.stored_frame()
    )
    assert answer == {"media_type": "image/jpeg", "width": 64, "height": 48}


def test_a_rendering_survives_json() -> None:
    for rendering in (
        Rendering(),
        Rendering("image/png", 3, Viewport(1, 2, 3, 4, -5, 6), None, Window(1.5, 2, "sigmoid"), ("patient",)),
        Rendering(region=Region(0, 0.1, 0.5, 1), icc_profile="srgb", longest_side=7),
    ):
        assert rendering_of(asdict(rendering)) == rendering


def test_heads_are_kept_for_the_next_frame() -> None:
    instance = image(np.zeros((8, 8), np.uint8))
    assert head_of(instance.head, instance.syntax) is head_of(bytes(instance.head), instance.syntax)
