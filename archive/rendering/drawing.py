"""A line drawing in millimetres, and its two forms: SVG by hand and pixels by Pillow.

Owns lines, traces, grids and labels, and their colours. What is drawn is decided elsewhere. The SVG follows
the reader's light or dark scheme and loads nothing; pixels are drawn larger and made smaller, so that lines
are smooth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from archive.errors import NotDecodable
from archive.rendering.annotate import fitting_font

MOST_BYTES = 32 * 2**20
MOST_PIXELS = 24_000_000
_FINE = 100  # traces are written in hundredths of a millimetre
_DENSITY = 6.0  # pixels a millimetre, unless asked otherwise
_OVER = 2  # how much larger pixels are drawn


@dataclass(frozen=True, slots=True)
class Grid:
    """Squared paper: lines each millimetre, heavier ones each fifth."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line; `kind` is grid, axis or pulse."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A polyline through points of shape (n, 2); a NaN breaks it. `kind` is trace or pulse."""

    points: NDArray[np.float64]
    kind: str = "trace"


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text whose baseline begins or ends at a point; `kind` is text, soft or strong."""

    x: float
    y: float
    text: str
    size: float = 3.2
    kind: str = "text"
    anchor: str = "start"


Shape = Grid | Line | Trace | Label


@dataclass(slots=True)
class Drawing:
    """Shapes in the order in which they are drawn, on a sheet of some millimetres."""

    width: float
    height: float = 0.0
    title: str = ""
    shapes: list[Shape] = field(default_factory=list)


# Kind → light, dark, line width in millimetres.
_LINES = {
    "minor": ("#f5d3cf", "#3d2b32", 0.12),
    "major": ("#e39d95", "#6d4a52", 0.22),
    "grid": ("#dde2e7", "#323a42", 0.15),
    "axis": ("#8a939c", "#77828d", 0.2),
    "pulse": ("#20262c", "#cfd6dc", 0.3),
    "trace": ("#10151a", "#e7ebef", 0.28),
}
_TEXTS = {
    "text": ("#1a1f24", "#e7ebef", 400),
    "soft": ("#535d68", "#a9b4bf", 400),
    "strong": ("#1a1f24", "#e7ebef", 700),
}
_PAPER = ("#ffffff", "#14181c")


def _style() -> Markup:
    def rules(scheme: int) -> str:
        lines = (f".w-{kind}{{stroke:{row[scheme]}}}" for kind, row in _LINES.items())
        texts = (f".w-{kind}{{fill:{row[scheme]}}}" for kind, row in _TEXTS.items())
        return f".w-paper{{fill:{_PAPER[scheme]}}}" + "".join((*lines, *texts))

    widths = "".join(f".w-{kind}{{stroke-width:{row[2]}}}" for kind, row in _LINES.items())
    weights = "".join(f".w-{kind}{{font-weight:{row[2]}}}" for kind, row in _TEXTS.items())
    return Markup("{}").format(
        Markup(  # noqa: S704 made of the tables above
            ".w path,.w line{fill:none;stroke-linejoin:round}"
            ".w text{font-family:system-ui,Arial,sans-serif;white-space:pre}"
            f"{widths}{weights}{rules(0)}@media(prefers-color-scheme:dark){{{rules(1)}}}"
        )
    )


_STYLE = _style()
_IN_PAGE = Markup('class="picture"')


def svg(drawing: Drawing, *, standalone: bool = True) -> Markup:
    """Return the drawing as SVG; raise NotDecodable where it would be larger than MOST_BYTES.

    For use inside a page leave `standalone` out: the page has no XML declaration, and its style the size.
    """
    parts = [_opening(drawing, standalone=standalone)]
    size = 0
    for shape in drawing.shapes:
        part = _svg_shape(shape)
        size += len(part)
        if size > MOST_BYTES:
            raise NotDecodable(f"the waveforms would be larger than {MOST_BYTES // 2**20} MiB as SVG")
        parts.append(part)
    return Markup("").join((*parts, Markup("</g></svg>\n")))


def _opening(drawing: Drawing, *, standalone: bool) -> Markup:
    width, height = round(drawing.width, 2), round(drawing.height, 2)
    declaration = Markup('<?xml version="1.0" encoding="UTF-8"?>\n') if standalone else Markup("")
    size = Markup('width="{}mm" height="{}mm"').format(width, height) if standalone else _IN_PAGE
    return declaration + Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" {} viewBox="0 0 {} {}" role="img">'
        "<title>{}</title><style>{}</style><defs>"
        '<pattern id="w-millimetre" width="5" height="5" patternUnits="userSpaceOnUse">'
        '<path class="w-minor" fill="none" d="M1 0V5M2 0V5M3 0V5M4 0V5M0 1H5M0 2H5M0 3H5M0 4H5"/>'
        '<path class="w-major" fill="none" d="M0 0V5M0 0H5"/></pattern></defs>'
        '<g class="w"><rect class="w-paper" width="{}" height="{}"/>\n'
    ).format(size, width, height, drawing.title, _STYLE, width, height)


def _svg_shape(shape: Shape) -> Markup:
    match shape:
        case Grid(x, y, width, height):
            return Markup(
                '<svg x="{0}" y="{1}" width="{2}" height="{3}">'
                '<rect width="{2}" height="{3}" fill="url(#w-millimetre)"/>'
                '<rect width="{2}" height="{3}" fill="none" class="w-major"/></svg>\n'
            ).format(*(round(each, 2) for each in (x, y, width, height)))
        case Line(x1, y1, x2, y2, kind):
            return Markup('<line class="w-{}" x1="{}" y1="{}" x2="{}" y2="{}"/>\n').format(
                kind, *(round(each, 2) for each in (x1, y1, x2, y2))
            )
        case Trace(points, kind):
            paths = Markup(" ").join(_path(run) for run in _runs(points))
            return Markup(
                '<path class="w-{}" transform="scale({})" d="{}" style="stroke-width:{}"/>\n'
            ).format(kind, 1 / _FINE, paths, round(_LINES[kind][2] * _FINE))
        case Label(x, y, text, size, kind, anchor):
            return Markup(
                '<text class="w-{}" x="{}" y="{}" font-size="{}" text-anchor="{}">{}</text>\n'
            ).format(kind, round(x, 2), round(y, 2), size, anchor, text)


def _runs(points: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Give the unbroken runs of a trace; a single point becomes a short line."""
    broken = np.flatnonzero(~np.isfinite(points).all(axis=1))
    for run in np.split(points, broken):
        kept = run[np.isfinite(run).all(axis=1)]
        if len(kept) == 1:
            kept = np.vstack((kept, kept + np.array((0.05, 0.0))))
        if len(kept):
            yield kept


def _path(points: NDArray[np.float64]) -> str:
    fine = np.rint(points * _FINE).astype(np.int64)
    steps = np.diff(fine, axis=0)
    return f"M{fine[0, 0]} {fine[0, 1]}l{' '.join(map(str, steps.ravel().tolist()))}"


class _Sheet:
    """Pixels that shapes are drawn on, `scale` of them a millimetre."""

    def __init__(self, drawing: Drawing, scale: float) -> None:
        size = (max(_OVER, round(drawing.width * scale)), max(_OVER, round(drawing.height * scale)))
        self.image = Image.new("RGB", size, _PAPER[0])
        self._draw = ImageDraw.Draw(self.image)
        self._scale = scale
        for shape in drawing.shapes:
            self._add(shape)

    def _add(self, shape: Shape) -> None:
        match shape:
            case Grid():
                self._grid(shape)
            case Line(x1, y1, x2, y2, kind):
                self._line(np.array([(x1, y1), (x2, y2)]), kind)
            case Trace(points, kind):
                for run in _runs(points):
                    self._line(run, kind)
            case Label():
                self._label(shape)

    def _line(self, points: NDArray[np.float64], kind: str) -> None:
        colour, _, width = _LINES[kind]
        flat = (points * self._scale).ravel().tolist()
        self._draw.line(flat, fill=colour, width=max(1, round(width * self._scale)))

    def _grid(self, grid: Grid) -> None:
        right, bottom = grid.x + grid.width, grid.y + grid.height
        for kind, every in (("minor", 1), ("major", 5)):
            for at in range(0, int(grid.width) + 1, every):
                self._line(np.array([(grid.x + at, grid.y), (grid.x + at, bottom)]), kind)
            for at in range(0, int(grid.height) + 1, every):
                self._line(np.array([(grid.x, grid.y + at), (right, grid.y + at)]), kind)

    def _label(self, label: Label) -> None:
        font, shown = fitting_font(label.text, max(4, round(label.size * self._scale)))
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[label.anchor]
        place = (label.x * self._scale, label.y * self._scale)
        self._draw.text(place, shown, _TEXTS[label.kind][0], font, anchor)


def pixels(drawing: Drawing, media_type: str, fit: tuple[int, int] | None = None) -> bytes:
    """Return the drawing as image/png or image/jpeg; `fit` is the width and height that it fits into."""
    density = _DENSITY
    if fit is not None:
        density = min(fit[0] / drawing.width, fit[1] / drawing.height)
    most = (MOST_PIXELS / (drawing.width * drawing.height)) ** 0.5 / _OVER
    image = _Sheet(drawing, min(density, most) * _OVER).image
    small = image.resize((max(1, image.width // _OVER), max(1, image.height // _OVER)), Image.Resampling.BOX)
    out = BytesIO()
    if media_type == "image/png":
        small.quantize(64).save(out, "PNG", optimize=False)
    else:
        small.save(out, "JPEG", quality=90)
    return out.getvalue()
