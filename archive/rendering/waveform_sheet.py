"""A sheet that waveforms are drawn on: lines of text, axes of time, and samples as points.

Owns how many points stand for how many samples, and round numbers for axes. What goes where is decided by
waveform_picture.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archive.rendering.drawing import Drawing, Label, Line, Shape, Trace
from archive.rendering.waveform import Channel, Floats, Group
from archive.rendering.wording import duration_words, joined, number_words

MARGIN, LEFT, WIDTH = 6.0, 22.0, 250.0
"""Millimetres: the edge of a sheet, where traces begin, and how long a strip is."""
_FINEST = 0.05  # millimetres: what lies closer is drawn by its extremes
_BLOCK = 2**20  # samples that are converted at a time


class Sheet:
    """Shapes from the top down; `y` is where the next ones go."""

    def __init__(self, title: str) -> None:
        self._drawing = Drawing(LEFT + WIDTH + MARGIN, title=title)
        self.y = MARGIN

    def add(self, *shapes: Shape) -> None:
        self._drawing.shapes.extend(shapes)

    def line(self, words: str, size: float, kind: str) -> None:
        """Write a line of text, cut to the width of the sheet."""
        if words:
            self.y += size * 1.2
            most = int((LEFT + WIDTH - MARGIN) / (size * 0.5))
            shown = words if len(words) <= most else f"{words[: most - 1]}…"
            self.add(Label(MARGIN, self.y, shown, size, kind))
            self.y += size * 0.4

    def finish(self) -> Drawing:
        """Return the drawing as high as what is on it."""
        self._drawing.height = self.y + MARGIN
        return self._drawing


def said_of(group: Group, scale: str) -> str:
    """Return the line that says how a group was recorded and is drawn."""
    filters = tuple(dict.fromkeys(each.filters for each in group.channels if each.filters))
    return joined(
        (
            scale,
            filters[0] if len(filters) == 1 else "filters differ" if filters else "",
            f"{number_words(group.rate)} samples/s",
            duration_words(group.duration),
            f"from {number_words(group.start)} s on" if group.start else "",
            *group.notes,
        ),
        " · ",
    )


def extremes(channel: Channel, start: int, stop: int, bins: int) -> tuple[Floats, Floats]:
    """Return the lowest and the highest value of so many equal runs of samples; NaN for padding alone."""
    size = max(1, math.ceil((stop - start) / bins))
    step = max(1, _BLOCK // size) * size
    low, high = [], []
    for at in range(start, stop, step):
        values = channel.values(at, min(at + step, stop))
        values = np.append(values, np.full(-len(values) % size, np.nan)).reshape(-1, size)
        empty = np.isnan(values).all(axis=1)
        low.append(np.where(empty, np.nan, np.where(np.isnan(values), np.inf, values).min(axis=1)))
        high.append(np.where(empty, np.nan, np.where(np.isnan(values), -np.inf, values).max(axis=1)))
    return np.concatenate(low), np.concatenate(high)


def points_of(channel: Channel, start: int, stop: int, width: float) -> Floats:
    """Return a run of samples as (millimetres from its start, value), drawn over `width` millimetres.

    Samples that lie too close to be told apart are drawn by their extremes, so that no peak is lost.
    """
    count = stop - start
    if width / count >= _FINEST:
        values = channel.values(start, stop)
        return np.column_stack((np.arange(count) * (width / count), values))
    low, high = extremes(channel, start, stop, math.ceil(width / _FINEST / 2))
    size = math.ceil(count / math.ceil(width / _FINEST / 2))
    at = np.repeat(np.arange(len(low)) * (size * width / count), 2)
    # Up and down in turns: each run is entered where the last one was left.
    pairs = np.column_stack((low, high))
    pairs[1::2] = pairs[1::2, ::-1]
    return np.column_stack((at, pairs.ravel()))


def time_axis(sheet: Sheet, start: float, seconds: float, top: float) -> None:
    """Draw the axis of time below what begins at `top`."""
    for tick in time_ticks(start, start + seconds):
        x = LEFT + (tick - start) / seconds * WIDTH
        sheet.add(Line(x, top, x, sheet.y, "grid"))
        sheet.add(Label(x, sheet.y + 3, duration_words(tick), 2.6, "soft", "middle"))
    sheet.add(Line(LEFT, sheet.y, LEFT + WIDTH, sheet.y, "axis"))
    sheet.y += 5


def name_label(channel: Channel, x: float, y: float) -> Label:
    """Return the name of a channel, in letters so small that it ends before the calibration mark."""
    name = channel.name[:16]
    return Label(x, y, name, round(min(3.8, 15.0 / len(name)), 2), "strong")


def overview(sheet: Sheet, group: Group, channels: Sequence[Channel]) -> None:
    """Draw the whole of a long recording, one low band a channel."""
    sheet.line(f"All of it, {duration_words(group.duration)}; the first of it larger below", 3.2, "soft")
    sheet.y += 1
    top, height = sheet.y, 8.0
    for channel in channels:
        points = points_of(channel, 0, group.length, WIDTH)
        known = points[np.isfinite(points[:, 1]), 1]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        y = sheet.y + (high - points[:, 1]) * ((height - 1) / ((high - low) or 1))
        sheet.add(Trace(np.column_stack((LEFT + points[:, 0], y))))
        sheet.add(name_label(channel, MARGIN, sheet.y + height / 2 + 1))
        sheet.y += height
    time_axis(sheet, 0.0, group.duration, top)


_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200)


def time_ticks(start: float, stop: float) -> list[float]:
    """Return round moments between two, in seconds: minutes and hours where it is long."""
    span = stop - start
    step = next((each for each in _STEPS if span / each <= 12), 86_400)
    if span < 10 or span / step > 20:
        return ticks(start, stop, 10)
    return [float(at * step) for at in range(math.ceil(start / step), math.floor(stop / step) + 1)]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two, about `most` of them at the most."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]
