"""Display shutters: what of a picture is covered, and with what (PS3.3 C.7.6.11, C.7.6.15).

Owns rectangles, circles, polygons and bitmaps. Edges of images are not believed without a presentation state:
an archive must not hide pixels on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from archive.rendering.attributes import number, numbers, texts
from archive.rendering.colours import Colour, colour_of_item
from archive.rendering.header import Head
from archive.rendering.overlays import Plane, read_overlays

_BLACK: Colour = (0, 0, 0)
_FAR = 100_000.0  # pixels


@dataclass(frozen=True, slots=True)
class Shutter:
    """A cover that leaves one shape open, in pixels of the image; `kind` says how `numbers` are meant."""

    kind: str
    numbers: tuple[float, ...]
    colour: Colour
    plane: Plane | None = None

    def covered(self, rows: int, columns: int) -> NDArray[np.bool_]:
        """Return which pixels are covered."""
        if self.plane is not None:
            covered = np.zeros((rows, columns), dtype=np.bool_)
            part, seen = self.plane.within(rows, columns)
            covered[part] = seen
            return covered
        opened = Image.new("1", (columns, rows))
        draw = ImageDraw.Draw(opened)
        if self.kind == "CIRCULAR":
            row, column, radius = self.numbers
            box = [(column - radius, row - radius), (column + radius, row + radius)]
            draw.ellipse(box, fill=1)
        elif self.kind == "RECTANGULAR":
            left, right, top, bottom = self.numbers
            draw.rectangle(
                [(min(left, right), min(top, bottom)), (max(left, right), max(top, bottom))], fill=1
            )
        else:
            points = list(zip(self.numbers[1::2], self.numbers[::2], strict=False))
            draw.polygon(points, fill=1)
        return ~np.asarray(opened)


def read_shutters(ds: Head) -> Iterator[Shutter]:
    """Yield the shutters of a presentation state; those that lack a number are left out."""
    colour = colour_of_item(ds, "ShutterPresentationColorCIELabValue", "ShutterPresentationValue") or _BLACK
    for kind in texts(ds, "ShutterShape"):
        if kind == "BITMAP":
            yield from _bitmaps(ds, colour)
            continue
        found = _numbers(ds, kind)
        if found is not None:
            yield Shutter(kind, found, colour)


def _bitmaps(ds: Head, colour: Colour) -> Iterator[Shutter]:
    group = number(ds, "ShutterOverlayGroup")
    empty = np.zeros((1, 1), np.uint8)
    for plane in read_overlays(ds, 1, empty, None, [int(group)] if group else []):
        yield Shutter("BITMAP", (), colour, plane)


_EDGES = tuple(
    f"Shutter{edge}Edge" for edge in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
)


def _numbers(ds: Head, kind: str) -> tuple[float, ...] | None:
    """Return the numbers of a shape, from 0: they count rows and columns from 1."""
    if kind == "RECTANGULAR":
        found: Sequence[float | None] = [number(ds, edge) for edge in _EDGES]
    elif kind == "CIRCULAR":
        found = [*numbers(ds, "CenterOfCircularShutter")[:2], number(ds, "RadiusOfCircularShutter")]
        if len(found) != 3 or (found[2] or 0) <= 0:
            return None
        return tuple(_bounded((one or 0.0) - (at < 2)) for at, one in enumerate(found))
    elif kind == "POLYGONAL":
        found = numbers(ds, "VerticesOfThePolygonalShutter")
        if len(found) < 6:
            return None
    else:
        return None
    return None if None in found else tuple(_bounded((one or 0.0) - 1) for one in found)


def _bounded(number_: float) -> float:
    """Return a number that can be drawn; what is left out lies far outside of any image."""
    return min(max(number_, -_FAR), _FAR)


def cover(levels: NDArray[np.uint8], shutters: Sequence[Shutter]) -> NDArray[np.uint8]:
    """Return the levels with the shutters over them, in colour where one of them is coloured."""
    for shutter in shutters:
        covered = shutter.covered(*levels.shape[:2])
        if levels.ndim == 2 and len(set(shutter.colour)) > 1:
            levels = np.repeat(levels[..., None], 3, axis=2)
        levels[covered] = shutter.colour if levels.ndim == 3 else shutter.colour[0]
    return levels
