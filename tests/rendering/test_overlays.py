"""Overlay planes (PS3.3 C.9.2): where they lie, which frames they lie over, and what they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.rendering.frames import Instance, levels, render
from tests.rendering.images import image

GREY = np.full((6, 10), 100, dtype=np.uint8)


def overlay(instance: Instance, mask: Any, group: int = 0x6000, **values: Any) -> None:
    """Add a plane, or several of them, to an instance."""
    mask = np.asarray(mask, dtype=np.uint8)
    ds = instance.ds
    ds.add_new((group, 0x0010), "US", values.get("rows", mask.shape[-2]))
    ds.add_new((group, 0x0011), "US", mask.shape[-1])
    ds.add_new((group, 0x0040), "CS", "G")
    ds.add_new((group, 0x0050), "SS", list(values.get("origin", (1, 1))))
    ds.add_new((group, 0x0100), "US", 1)
    ds.add_new((group, 0x0102), "US", 0)
    if "frames" in values:
        ds.add_new((group, 0x0015), "IS", str(mask.shape[0]))
        ds.add_new((group, 0x0051), "US", values["frames"])
    ds.add_new((group, 0x3000), "OW", np.packbits(mask.reshape(-1), bitorder="little").tobytes() + b"\0")


def white(instance: Instance, frame: int = 1) -> list[list[int]]:
    """Return row and column of each pixel that the overlay covers."""
    return np.argwhere(levels(render(instance, frame)) == 255).tolist()


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        ((1, 1), [[0, 0], [1, 2]]),
        ((3, 5), [[2, 4], [3, 6]]),
        ((0, -1), [[0, 0]]),  # the first dot lies outside of the image
        ((6, 8), [[5, 7]]),
        ((100, 100), []),
        ((-100, 1), []),
    ],
)
def test_a_plane_is_white_at_its_origin_and_clipped(origin: tuple[int, int], wanted: Any) -> None:
    instance = image(GREY)
    overlay(instance, [[1, 0, 0], [0, 0, 1]], 0x6002, origin=origin)
    assert white(instance) == wanted


def test_planes_lie_over_monochrome1_and_colour_in_white_too() -> None:
    instance = image(GREY, PhotometricInterpretation="MONOCHROME1")
    overlay(instance, [[1]])
    assert white(instance) == [[0, 0]]
    colour = image(np.zeros((2, 2, 3), np.uint8))
    overlay(colour, [[0, 1]])
    assert levels(render(colour))[0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_frames_of_an_overlay_lie_over_frames_of_the_image() -> None:
    frames = np.stack([GREY] * 4)
    instance = image(GREY, NumberOfFrames=4, PixelData=frames.tobytes())
    overlay(instance, [[[1, 0, 0]], [[0, 1, 0]]], frames=2)
    assert [white(instance, frame) for frame in (1, 2, 3, 4)] == [[], [[0, 0]], [[0, 1]], []]


def test_a_plane_without_a_frame_lies_over_all() -> None:
    instance = image(GREY, NumberOfFrames=2, PixelData=np.stack([GREY] * 2).tobytes())
    overlay(instance, [[1]])
    assert white(instance, 1) == white(instance, 2) == [[0, 0]]


def embedded(position: int) -> Instance:
    """Return 12 bits in 16 with a plane in one bit, in the lower left corner."""
    array = np.full((3, 3), 0x400, dtype=np.uint16)
    array[2, 0] |= 1 << position
    instance = image(array, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    ds: Dataset = instance.ds
    for element, vr, value in ((0x0010, "US", 3), (0x0011, "US", 3), (0x0050, "SS", [1, 1])):
        ds.add_new((0x6000, element), vr, value)
    ds.add_new((0x6000, 0x0100), "US", 16)
    ds.add_new((0x6000, 0x0102), "US", position)
    return instance


@pytest.mark.parametrize("position", [12, 15])
def test_a_plane_in_unused_bits_is_shown_and_is_no_value(position: int) -> None:
    assert white(embedded(position)) == [[2, 0]]


def test_a_plane_that_claims_bits_of_the_values_is_none() -> None:
    """BC-128."""
    assert white(embedded(5)) == []


@pytest.mark.parametrize("broken", [{"rows": 0}, {"rows": 60000}, {"frames": 0}, {"frames": 77}])
def test_a_broken_plane_is_left_out(broken: dict[str, int]) -> None:
    instance = image(GREY)
    overlay(instance, [[[1, 1]]], **broken)
    assert white(instance) in ([], [[0, 0], [0, 1]])
