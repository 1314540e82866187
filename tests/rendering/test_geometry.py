"""Size, shape and part of pictures: PS3.18 8.3.5.1.3 and 9.4.1.2.8, and the limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from archive.errors import InvalidRequest, NotDecodable
from archive.model.rendering import MAX_SIDE, Region, Rendering, Viewport
from archive.rendering.frame import render_frame
from archive.rendering.geometry import Placement, place
from tests.rendering.frames import levels, render
from tests.rendering.images import image, shown

ROW, COLUMN = np.indices((60, 80))
ARRAY = (ROW * 3 + COLUMN).astype(np.uint8)


def size(rendering: Rendering, array: Any = ARRAY, **values: Any) -> tuple[int, int]:
    """Return width and height of the picture."""
    picture = render(image(array, **values), 1, rendering)
    assert levels(picture).shape[:2] == (picture.height, picture.width)
    return picture.width, picture.height


def viewport(*numbers: float | None) -> Rendering:
    """Return a rendering with a viewport."""
    return Rendering("image/png", viewport=Viewport(*numbers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ((40, 40), (40, 30)),
        ((400, 300), (400, 300)),
        ((1000, 30), (40, 30)),
        ((1, 1), (1, 1)),
        ((100, 100, 0, 0, 20, 40), (50, 100)),
        ((100, 100, 70, 50), (100, 100)),
    ],
)
def test_the_part_keeps_its_shape_in_the_viewport(asked: Any, wanted: tuple[int, int]) -> None:
    assert size(viewport(*asked)) == wanted


def test_a_part_is_cut_out_exactly_and_flipped_by_negative_sides() -> None:
    assert (levels(render(image(ARRAY), 1, viewport(20, 10, 5, 7, 20, 10))) == ARRAY[7:17, 5:25]).all()
    flipped = levels(render(image(ARRAY), 1, viewport(20, 10, 5, 7, -20, 10)))
    assert (flipped == ARRAY[7:17, 5:25][:, ::-1]).all()
    both = levels(render(image(ARRAY), 1, viewport(80, 60, 0, 0, -80, -60)))
    assert (both == ARRAY[::-1, ::-1]).all()


def test_a_part_that_reaches_beyond_the_image_ends_with_it() -> None:
    assert size(viewport(200, 200, 60, 40, 100, 100)) == (200, 200)
    assert size(viewport(40, 40, 40, 0, 1000, 1000)) == (27, 40)


@pytest.mark.parametrize("asked", [(10, 10, 80, 0, 5, 5), (10, 10, 0, 99, 5, 5), (10, 10, 0, 0, 0.1, 5)])
def test_a_part_that_shows_nothing_is_refused(asked: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        size(viewport(*asked))
    assert caught.value.where == "viewport"


def test_region_is_in_fractions() -> None:
    rendering = Rendering("image/png", region=Region(0.25, 0.5, 0.75, 1.0))
    assert (shown(ARRAY, rendering) == ARRAY[30:, 20:60]).all()
    assert size(replace(rendering, viewport=Viewport(20, 100))) == (20, 15)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"PixelAspectRatio": [2, 1]}, (80, 120)),
        ({"PixelAspectRatio": [1, 2]}, (160, 60)),
        ({"PixelSpacing": [0.5, 0.5], "PixelAspectRatio": [2, 1]}, (80, 60)),
        ({"PixelSpacing": [1.0, 0.25]}, (80, 240)),
        ({"ImagerPixelSpacing": [0.2, 0.4]}, (160, 60)),
        ({"PixelSpacing": [0.5, 0.503]}, (80, 60)),
        ({"PixelSpacing": [0.0, 0.5]}, (80, 60)),
        ({"PixelAspectRatio": [5000, 1]}, (80, 60)),
    ],
)
def test_pixels_that_are_not_square_are_drawn_in_shape(values: Any, wanted: tuple[int, int]) -> None:
    assert size(Rendering("image/png"), **values) == wanted


def test_spacing_of_a_functional_group_counts() -> None:
    group, measures = Dataset(), Dataset()
    measures.PixelSpacing = [2, 1]
    group.PixelMeasuresSequence = [measures]
    assert size(Rendering("image/png"), SharedFunctionalGroupsSequence=[group]) == (80, 120)
    assert size(viewport(60, 60), SharedFunctionalGroupsSequence=[group]) == (40, 60)


def test_thumbnails_are_never_larger_than_the_image() -> None:
    assert size(Rendering(longest_side=20)) == (20, 15)
    assert size(Rendering(longest_side=2000)) == (80, 60)
    assert size(Rendering(longest_side=40), PixelAspectRatio=[1, 2]) == (40, 15)
    assert size(Rendering(longest_side=40, viewport=Viewport(16, 16))) == (16, 12)


def test_reducing_takes_the_mean_of_what_it_replaces() -> None:
    board = np.tile(np.array([[0, 200], [200, 0]], dtype=np.uint8), (100, 100))
    found = levels(render(image(board), 1, Rendering("image/png", longest_side=10)))
    assert found.shape == (10, 10)
    assert np.abs(found.astype(int) - 100).max() <= 2


def test_no_picture_has_more_than_the_longest_side() -> None:
    long = np.zeros((2, MAX_SIDE * 2), dtype=np.uint8)
    assert size(Rendering("image/png"), long) == (MAX_SIDE, 1)
    tall = place(10, 60000, 1.0, Rendering())
    assert (tall.width, tall.height) == (1, MAX_SIDE)


def test_a_frame_that_would_take_too_much_memory_is_refused_before() -> None:
    instance = image(ARRAY)
    pixels = replace(instance.pixels, rows=60000, columns=60000)
    with pytest.raises(NotDecodable, match="Columns and Rows"):
        render_frame(replace(instance.native(), data=b"", pixels=pixels), Rendering())


def test_points_of_the_image_are_found_in_the_picture() -> None:
    whole = Placement(0, 0, 80, 60, 160, 120)
    assert whole.point(20, 15) == (40, 30)
    turned = Placement(0, 0, 80, 60, 60, 80, quarters=1)
    assert turned.point(0, 0) == (60, 0)
    assert turned.point(80, 60) == (0, 80)
    assert replace(whole, mirrored=True).point(0, 15) == (160, 30)
