"""From pixels of the image to pixels of the picture: aspect, region, viewport, flips and limits.

Owns which part of the image is shown and how large (PS3.18 8.3.5.1.3, 9.4.1.2.8): the part keeps its shape
and fits into the viewport, enlarged or reduced; without a viewport the picture has the image's own size, with
the coarser direction of pixels that are not square enlarged, and at most MAX_SIDE on a side. Owns too the
check of memory before any is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from archive.errors import InvalidRequest, NotDecodable
from archive.model.instance import Pixels
from archive.model.rendering import MAX_SIDE, Rendering, Viewport
from archive.rendering.attributes import numbers
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head, Tag

MAX_MEMORY = 2**30
"""Bytes that a frame and its picture may take together, decoded."""

_SQUARE = 0.01  # pixels that are this much off square are drawn square
_MOST_ASPECT = 32.0  # a larger ratio is a mistake in the data set
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True, slots=True)
class Placement:
    """The part `left`, `top`, `right`, `bottom` of the image, in its pixels, on `width` x `height` pixels.

    The picture is turned by `quarters` times 90 degrees clockwise, then mirrored; `width` and `height` are
    those after that.
    """

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int
    mirrored: bool = False
    upside_down: bool = False
    quarters: int = 0

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the image, in pixels from its upper left corner, lies in the picture."""
        across = (x - self.left) / (self.right - self.left)
        down = (y - self.top) / (self.bottom - self.top)
        for _ in range(self.quarters):
            across, down = 1.0 - down, across
        across = 1.0 - across if self.mirrored else across
        down = 1.0 - down if self.upside_down else down
        return across * self.width, down * self.height


@dataclass(frozen=True, slots=True)
class Turn:
    """How an image is turned before anything else: quarters clockwise, then mirrored left to right."""

    quarters: int = 0
    mirrored: bool = False


_UPRIGHT = Turn()


@dataclass(frozen=True, slots=True)
class Area:
    """A part of an image in its pixels; `right` and `bottom` lie behind the last one."""

    left: float
    top: float
    right: float
    bottom: float


def aspect_of(frame: Frame) -> float:
    """Return height over width of a pixel, 1 where it is square or nothing believable is said.

    Spacings win over Pixel Aspect Ratio, which an image has only where it has none (C.7.6.3.1.7).
    """
    measures = frame.macro("PixelMeasuresSequence")
    sources: list[tuple[Head, Tag]] = [(measures, "PixelSpacing")]
    sources += [(frame.ds, name) for name in (*_SPACINGS, "PixelAspectRatio")]
    for ds, name in sources:
        ratio = ratio_of(numbers(ds, name))
        if ratio is not None:
            return ratio
    return 1.0


def ratio_of(pair: tuple[float | None, ...]) -> float | None:
    """Return vertical over horizontal of two numbers, None where they are no ratio."""
    if len(pair) < 2 or not pair[0] or not pair[1] or pair[0] < 0 or pair[1] < 0:
        return None
    ratio = pair[0] / pair[1]
    if not 1 / _MOST_ASPECT <= ratio <= _MOST_ASPECT:
        return None
    return 1.0 if abs(ratio - 1.0) < _SQUARE else ratio


def check_memory(pixels: Pixels, native: int) -> None:
    """Raise NotDecodable for a frame that would take more than MAX_MEMORY to draw."""
    needed = native + pixels.rows * pixels.columns * 6
    if needed > MAX_MEMORY:
        raise NotDecodable(
            f"Columns and Rows are {pixels.columns} x {pixels.rows}: "
            f"to draw that takes {needed} bytes, more than {MAX_MEMORY}"
        )


def place(
    columns: int,
    rows: int,
    aspect: float,
    rendering: Rendering,
    turn: Turn = _UPRIGHT,
    area: Area | None = None,
    magnification: float | None = None,
) -> Placement:
    """Return what is shown where, for an image of `columns` x `rows` whose pixels are `aspect` high.

    `turn`, `area` and `magnification` are those of a presentation state; a part of the image that the
    rendering names replaces the area, a viewport the magnification. Raise InvalidRequest for a region or
    viewport that shows nothing of the image.
    """
    part, mirrored, upside_down = _part(columns, rows, rendering, area)
    wide, high = part.right - part.left, part.bottom - part.top
    if aspect > 1.0:
        high *= aspect
    else:
        wide /= aspect
    if turn.quarters % 2:
        wide, high = high, wide
    scale = _scale(wide, high, rendering, magnification or 1.0)
    width, height = (max(1, min(MAX_SIDE, round(side * scale))) for side in (wide, high))
    return Placement(
        part.left,
        part.top,
        part.right,
        part.bottom,
        width,
        height,
        mirrored=mirrored != turn.mirrored,
        upside_down=upside_down,
        quarters=turn.quarters % 4,
    )


def _part(columns: int, rows: int, rendering: Rendering, area: Area | None) -> tuple[Area, bool, bool]:
    """Return the part that is shown, inside the image, and whether it is mirrored and upside down."""
    whole = area or Area(0.0, 0.0, columns, rows)
    mirrored = upside_down = False
    if rendering.region is not None:
        region = rendering.region
        wide, high = whole.right - whole.left, whole.bottom - whole.top
        part = Area(
            whole.left + region.left * wide,
            whole.top + region.top * high,
            whole.left + region.right * wide,
            whole.top + region.bottom * high,
        )
        return _inside(part, columns, rows, "region"), False, False
    viewport = rendering.viewport
    if viewport is None or viewport == Viewport(viewport.width, viewport.height):
        return (whole if area else _inside(whole, columns, rows, "viewport")), False, False
    left, top = abs(viewport.x), abs(viewport.y)
    source_width, source_height = viewport.source_width, viewport.source_height
    mirrored, upside_down = (source_width or 0) < 0, (source_height or 0) < 0
    part = Area(
        left,
        top,
        columns if source_width is None else left + abs(source_width),
        rows if source_height is None else top + abs(source_height),
    )
    return _inside(part, columns, rows, "viewport"), mirrored, upside_down


def _inside(part: Area, columns: int, rows: int, where: str) -> Area:
    left, top = max(0.0, part.left), max(0.0, part.top)
    right, bottom = min(float(columns), part.right), min(float(rows), part.bottom)
    if right - left < 0.5 or bottom - top < 0.5:
        raise InvalidRequest(f"{where}: it shows nothing of an image of {columns} x {rows}", where=where)
    return Area(left, top, right, bottom)


def _scale(wide: float, high: float, rendering: Rendering, natural: float) -> float:
    """Return pixels of the picture for one of the image, `natural` where nothing else is said."""
    limits = [(MAX_SIDE / wide, MAX_SIDE / high)]
    if rendering.viewport is not None:
        limits.append((rendering.viewport.width / wide, rendering.viewport.height / high))
    else:
        limits.append((natural, natural))
    if rendering.longest_side is not None:
        limits.append((min(1.0, rendering.longest_side / wide), min(1.0, rendering.longest_side / high)))
    return min(min(pair) for pair in limits)


def draw_part(levels: NDArray[Any], placement: Placement, *, smooth: bool = True) -> Image.Image:
    """Return the picture of an array of 0 … 255, rows x columns or rows x columns x 3.

    `smooth` is False for labels, whose colours mean something: they are enlarged without mixing. Parts of the
    area outside of the image are black.
    """
    image = Image.fromarray(levels)
    size = (
        (placement.height, placement.width) if placement.quarters % 2 else (placement.width, placement.height)
    )
    box = (placement.left, placement.top, placement.right, placement.bottom)
    if min(box[:2]) < 0 or box[2] > image.width or box[3] > image.height:
        image = _around(image, box, size, smooth=smooth)
    else:
        image = _resized(image, box, size, smooth=smooth)
    if placement.quarters:
        turns = (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)
        image = image.transpose(turns[placement.quarters - 1])
    if placement.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if placement.upside_down:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image


def _resized(
    image: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int], *, smooth: bool
) -> Image.Image:
    if size == image.size and box == (0, 0, *image.size):
        return image
    smaller = size[0] < box[2] - box[0] or size[1] < box[3] - box[1]
    if smooth:
        # Reducing by whole steps first makes a thumbnail of a large radiograph five times faster.
        method, gap = (Image.Resampling.LANCZOS, 2.0) if smaller else (Image.Resampling.BICUBIC, None)
    else:
        method, gap = Image.Resampling.BOX if smaller else Image.Resampling.NEAREST, None
    return image.resize(size, method, box=box, reducing_gap=gap)


def _around(
    image: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int], *, smooth: bool
) -> Image.Image:
    """Draw an area that reaches beyond the image: the image at its place on black."""
    picture = Image.new(image.mode, size)
    across, down = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
    inner = (
        max(0.0, box[0]),
        max(0.0, box[1]),
        min(float(image.width), box[2]),
        min(float(image.height), box[3]),
    )
    if inner[2] <= inner[0] or inner[3] <= inner[1]:
        return picture
    start = (round((inner[0] - box[0]) * across), round((inner[1] - box[1]) * down))
    stop = (round((inner[2] - box[0]) * across), round((inner[3] - box[1]) * down))
    inside = (max(1, stop[0] - start[0]), max(1, stop[1] - start[1]))
    picture.paste(_resized(image, inner, inside, smooth=smooth), start)
    return picture
