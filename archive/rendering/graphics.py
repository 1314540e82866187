"""Graphic annotations of presentation states: lines, shapes and texts over a picture (PS3.3 C.10.5).

Owns reading them with the order and colour of their layers, and drawing them in the size of the picture, with
a rim so that they are seen on any background. Compound graphics are drawn only where the state also has them
as plain ones, for displays that know no others. Leaves where a point of the image lies to geometry.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from archive.rendering.annotate import fitting_font
from archive.rendering.attributes import integer, item, items, number, numbers, text
from archive.rendering.colours import Colour, colour_of_item
from archive.rendering.geometry import Placement
from archive.rendering.header import Head

Point = tuple[float, float]

_WHITE: Colour = (255, 255, 255)
_ARC, _CURVE = 72, 12  # straight pieces of a circle, and between two points of a curve
_MOST_POINTS = 20_000
_MOST_LETTERS_OF_TEXT = 2000
_LEAST_LETTERS, _MOST_LETTERS = 9, 64
_LAYER_LAB, _LAYER_GREY = (f"GraphicLayerRecommendedDisplay{tail}Value" for tail in ("CIELab", "Grayscale"))


@dataclass(frozen=True, slots=True)
class Mark:
    """A line, a shape or a text. `points` are pixels of the image, or parts of the display.

    `text` is drawn from the first point on, into the box that it makes with the second one; a third one is
    its anchor.
    """

    points: tuple[Point, ...]
    on_display: bool
    colour: Colour
    closed: bool = False
    filled: bool = False
    text: str = ""
    thickness: float = 1.0
    justified: str = "LEFT"
    anchor_on_display: bool = False


def read_marks(ds: Head, annotations: Iterable[Head]) -> list[Mark]:
    """Return the marks of the annotations of a state, in the order of their layers."""
    layers = {
        text(each, "GraphicLayer"): (
            integer(each, "GraphicLayerOrder", 0),
            colour_of_item(each, _LAYER_LAB, _LAYER_GREY),
        )
        for each in items(ds, "GraphicLayerSequence")
    }
    found: list[tuple[int, Mark]] = []
    for annotation in annotations:
        order, colour = layers.get(text(annotation, "GraphicLayer"), (0, None))
        marks = [*_graphics(annotation, colour or _WHITE), *_texts(annotation, colour or _WHITE)]
        found += [(order, mark) for mark in marks]
    found.sort(key=lambda each: each[0])
    return [mark for _, mark in found]


def draw_marks(image: Image.Image, marks: Sequence[Mark], placement: Placement) -> Image.Image:
    """Return the picture with the marks, in colour where one of them is coloured."""
    if image.mode == "L" and any(len(set(mark.colour)) > 1 for mark in marks):
        image = image.convert("RGB")
    draw = ImageDraw.Draw(image)
    width = max(1, round(min(image.size) / 400))
    for mark in marks:
        if mark.text:
            _draw_text(draw, image, mark, placement)
        else:
            _draw_line(draw, image, mark, placement, max(1, round(width * mark.thickness)))
    return image


def _graphics(annotation: Head, colour: Colour) -> Iterator[Mark]:
    for each in items(annotation, "GraphicObjectSequence"):
        points = _pairs(each, "GraphicData")
        kind = text(each, "GraphicType").upper()
        style = item(each, "LineStyleSequence") or Head()
        shape = _shape(kind, points)
        if not shape:
            continue
        yield Mark(
            tuple(shape),
            _is_display(each, "GraphicAnnotationUnits"),
            colour_of_item(style, "PatternOnColorCIELabValue", "") or colour,
            closed=kind in ("CIRCLE", "ELLIPSE") or (len(shape) > 2 and shape[0] == shape[-1]),
            filled=text(each, "GraphicFilled").upper() == "Y",
            thickness=min(10.0, max(0.5, number(style, "LineThickness") or 1.0)),
        )


def _texts(annotation: Head, colour: Colour) -> Iterator[Mark]:
    for each in items(annotation, "TextObjectSequence"):
        words = each.value("UnformattedTextValue")
        box = [
            *_pairs(each, "BoundingBoxTopLeftHandCorner"),
            *_pairs(each, "BoundingBoxBottomRightHandCorner"),
        ]
        anchor = _pairs(each, "AnchorPoint")[:1]
        if not isinstance(words, str) or not words.strip() or not (len(box) == 2 or anchor):
            continue
        visible = text(each, "AnchorPointVisibility").upper() == "Y" and len(box) == 2
        style = item(each, "TextStyleSequence") or Head()
        yield Mark(
            tuple([*box, *anchor] if visible else box or anchor),
            _is_display(each, "BoundingBoxAnnotationUnits" if box else "AnchorPointAnnotationUnits"),
            colour_of_item(style, "TextColorCIELabValue", "") or colour,
            text=words.strip()[:_MOST_LETTERS_OF_TEXT],
            justified=text(each, "BoundingBoxTextHorizontalJustification").upper(),
            anchor_on_display=_is_display(each, "AnchorPointAnnotationUnits"),
        )


def _pairs(ds: Head, keyword: str) -> list[Point]:
    """Return numbers as points; what is behind one that is no number is left out."""
    found = numbers(ds, keyword)[: _MOST_POINTS * 2]
    pairs = []
    for across, down in zip(found[::2], found[1::2], strict=False):
        if across is None or down is None:
            break
        pairs.append((across, down))
    return pairs


def _is_display(ds: Head, keyword: str) -> bool:
    return text(ds, keyword).upper() == "DISPLAY"


def _shape(kind: str, points: list[Point]) -> list[Point]:
    """Return the corners of a graphic type; none where it has too few points or is unknown."""
    if kind == "POINT":
        return points[:1]
    if kind == "POLYLINE":
        return points
    if kind == "INTERPOLATED":
        return _curve(points)
    if kind == "CIRCLE" and len(points) >= 2:
        (x, y), edge = points[0], points[1]
        radius = math.dist(points[0], edge)
        return _arc((x, y), (radius, 0.0), (0.0, radius))
    if kind == "ELLIPSE" and len(points) >= 4:
        major, minor = (_half(*points[at : at + 2]) for at in (0, 2))
        middle = ((points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2)
        return _arc(middle, major, minor)
    return []


def _half(start: Point, stop: Point) -> Point:
    return (stop[0] - start[0]) / 2, (stop[1] - start[1]) / 2


def _arc(middle: Point, one: Point, other: Point) -> list[Point]:
    angles = [2 * math.pi * step / _ARC for step in range(_ARC + 1)]
    return [
        (
            middle[0] + math.cos(angle) * one[0] + math.sin(angle) * other[0],
            middle[1] + math.cos(angle) * one[1] + math.sin(angle) * other[1],
        )
        for angle in angles
    ]


def _curve(points: list[Point]) -> list[Point]:
    """Return a smooth line through all points (Catmull-Rom), a closed one where the ends meet."""
    if len(points) < 3:
        return points
    closed = points[0] == points[-1]
    before, behind = (points[-2], points[1]) if closed else (points[0], points[-1])
    line = [before, *points, behind]
    curve = []
    for at in range(len(points) - 1):
        curve += [_on_curve(line[at : at + 4], step / _CURVE) for step in range(_CURVE)]
    return [*curve, points[-1]]


def _on_curve(four: Sequence[Point], part: float) -> Point:
    def along(axis: int) -> float:
        a, b, c, d = (point[axis] for point in four)
        square, cube = part * part, part * part * part
        return 0.5 * (
            2 * b + (c - a) * part + (2 * a - 5 * b + 4 * c - d) * square + (3 * b - a - 3 * c + d) * cube
        )

    return along(0), along(1)


def _placed(point: Point, on_display: bool, image: Image.Image, placement: Placement) -> Point:
    if on_display:
        x, y = point[0] * image.width, point[1] * image.height
    else:
        x, y = placement.point(*point)
    return min(max(x, -1e6), 1e6), min(max(y, -1e6), 1e6)  # beyond any picture, within what can be drawn


def _ink(image: Image.Image, colour: Colour) -> Colour | int:
    return colour if image.mode == "RGB" else colour[0]


def _rim(colour: Colour) -> Colour:
    return (0, 0, 0) if sum(colour) > 200 else (255, 255, 255)


def _draw_line(
    draw: ImageDraw.ImageDraw, image: Image.Image, mark: Mark, placement: Placement, width: int
) -> None:
    points = [_placed(point, mark.on_display, image, placement) for point in mark.points]
    ink, rim = _ink(image, mark.colour), _ink(image, _rim(mark.colour))
    if len(points) == 1:
        (x, y), size = points[0], width * 3
        for extra, fill in ((1, rim), (0, ink)):
            far = size + extra
            draw.line([(x - far, y), (x + far, y)], fill=fill, width=width + 2 * extra)
            draw.line([(x, y - far), (x, y + far)], fill=fill, width=width + 2 * extra)
        return
    if mark.filled and mark.closed:
        draw.polygon(points, fill=ink)
    draw.line(points, fill=rim, width=width + 2, joint="curve")
    draw.line(points, fill=ink, width=width, joint="curve")


def _draw_text(draw: ImageDraw.ImageDraw, image: Image.Image, mark: Mark, placement: Placement) -> None:
    corners = [_placed(point, mark.on_display, image, placement) for point in mark.points[:2]]
    (x, y), lines = corners[0], mark.text.splitlines()
    size = max(_LEAST_LETTERS, round(min(image.size) / 32))
    if len(corners) == 2:
        (left, top), (right, bottom) = corners
        x, y = min(left, right), min(top, bottom)
        high = abs(bottom - top) / (len(lines) * 1.2)
        size = round(min(max(high, _LEAST_LETTERS), _MOST_LETTERS, max(size, _LEAST_LETTERS) * 2))
    if len(mark.points) == 3:
        anchor = _placed(mark.points[2], mark.anchor_on_display, image, placement)
        draw.line([(x, y), anchor], fill=_ink(image, mark.colour), width=1)
    for line in lines:
        font, shown = fitting_font(line, size)
        start = x
        if len(corners) == 2 and mark.justified in ("RIGHT", "CENTER"):
            room = abs(corners[1][0] - corners[0][0]) - font.getlength(shown)
            start = x + room / (1 if mark.justified == "RIGHT" else 2)
        draw.text(
            (start, y),
            shown,
            fill=_ink(image, mark.colour),
            font=font,
            stroke_width=max(1, size // 10),
            stroke_fill=_ink(image, _rim(mark.colour)),
        )
        y += size * 1.2
