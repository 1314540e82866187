"""Where the traces of waveforms go on a sheet: squared paper for ECG, charts with axes for everything else.

Owns the scales: 25 mm/s and 10 mm/mV on squared paper, where a larger amplitude gets a smaller scale that is
said. A long recording gets an overview of all of it and then its first strips. Shapes in millimetres come
out; drawing.py makes SVG or pixels of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from archive.rendering.drawing import Drawing, Grid, Label, Line, Trace
from archive.rendering.heading import moment_of, patient_parts, study_facts
from archive.rendering.values import text
from archive.rendering.waveform import Channel, Floats, Group
from archive.rendering.waveform_sheet import (
    LEFT,
    MARGIN,
    WIDTH,
    Sheet,
    extremes,
    name_label,
    overview,
    points_of,
    said_of,
    ticks,
    time_axis,
)
from archive.rendering.wording import class_words, duration_words, joined, moment_words, number_words

SPEED = 25.0
"""Millimetres a second of an ECG."""
GAIN = 10.0
"""Millimetres a millivolt of an ECG, unless its amplitude needs less."""
MOST_STRIPS = 6
_GAINS = (GAIN, 5.0, 2.5, 1.0)
_TALLEST, _LOWEST = 60.0, 15.0  # of a row of an ECG
_CHART_SAMPLES = 2500  # a strip of a chart has at least so many, where there are as many

_WAVEFORM = "1.2.840.10008.5.1.4.1.1.9"
_ON_PAPER = tuple(f"{_WAVEFORM}.{end}" for end in ("1.1", "1.2", "1.3", "1.4", "2.1"))
_AUDIO = tuple(f"{_WAVEFORM}.4.{end}" for end in (1, 2))


def waveform_drawing(ds: Dataset, groups: Sequence[Group], annotations: Sequence[str] = ()) -> Drawing:
    """Lay out all groups of an instance; `annotations` may hold "patient", which heads the sheet with who."""
    kind = text(ds, "SOPClassUID")
    sheet = Sheet(class_words(kind))
    if "patient" in annotations:
        sheet.line(" · ".join(patient_parts(ds)), 4.0, "strong")
        sheet.line(
            joined((f"{name}: {value}" for name, value in study_facts(ds) if value), " · "), 3.2, "soft"
        )
    taken = (
        moment_of(ds, "Acquisition")
        or moment_words(text(ds, "AcquisitionDateTime"))
        or moment_of(ds, "Content")
    )
    for at, group in enumerate(groups):
        paper = [each for each in group.channels if _is_on_paper(kind, each)]
        charted = [each for each in group.channels if each not in paper]
        label = group.label or (f"Group {at + 1}" if len(groups) > 1 else class_words(kind))
        if paper:
            _PaperLayout(sheet, group, paper).draw(label)
        if charted:
            _ChartLayout(sheet, group, charted, whole=kind in _AUDIO).draw(label if not paper else "")
        sheet.y += 4
    if "technique" in annotations and taken:
        sheet.line(f"Recorded {taken}", 3.2, "soft")
    return sheet.finish()


def _is_on_paper(kind: str, channel: Channel) -> bool:
    return (
        kind in _ON_PAPER
        and (channel.to_millivolts is not None or not channel.calibrated)
        and (not kind.endswith(".2.1") or channel.calibrated)
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One channel of a strip: how far its trace reaches above and below its own middle, in its unit."""

    channel: Channel
    middle: float
    above: float
    below: float


def _row(channel: Channel, length: int) -> _Row:
    """Measure a channel over the samples that are drawn, by runs of them."""
    low, high = extremes(channel, 0, length, min(length, 4000))
    known = np.isfinite(low)
    if not known.any():
        return _Row(channel, 0.0, 0.0, 0.0)
    middle = float(np.median((low[known] + high[known]) / 2))
    return _Row(channel, middle, float(high[known].max()) - middle, middle - float(low[known].min()))


class _PaperLayout:
    """An ECG: ten seconds a strip, one row a lead, on squared paper."""

    def __init__(self, sheet: Sheet, group: Group, channels: Sequence[Channel]) -> None:
        self._sheet = sheet
        self._group = group
        self._strip = max(1, round(WIDTH / SPEED * group.rate))  # samples
        self._strips = min(math.ceil(group.length / self._strip), MOST_STRIPS)
        drawn = min(group.length, self._strips * self._strip)
        self._rows = [_row(channel, drawn) for channel in channels]
        self._calibrated = all(row.channel.calibrated for row in self._rows)
        tallest = max(self._millivolts(row) * (row.above + row.below) for row in self._rows)
        fitting = (each for each in _GAINS if tallest * each <= _TALLEST)
        self._gain = next(fitting, _TALLEST / tallest if tallest else GAIN)
        if not self._calibrated:
            self._gain = 20 / tallest if tallest else 1.0  # nothing to hold on to: all fits into 20 mm

    def _millivolts(self, row: _Row) -> float:
        return row.channel.to_millivolts or 1.0

    def draw(self, label: str) -> None:
        """Draw all strips of the group."""
        sheet = self._sheet
        scale = f"{number_words(SPEED)} mm/s · {number_words(self._gain, 3)} mm/mV"
        if not self._calibrated:
            scale = f"{number_words(SPEED)} mm/s · amplitude not to scale: the sensitivity is not told"
        sheet.line(label, 4.0, "strong")
        sheet.line(said_of(self._group, scale), 3.2, "text")
        whole = self._strips * self._strip >= self._group.length
        if not whole:
            overview(sheet, self._group, [row.channel for row in self._rows])
        for strip in range(self._strips):
            start = strip * self._strip
            if self._strips > 1 or not whole:
                sheet.line(f"From {duration_words(start / self._group.rate)}", 3.2, "soft")
            self._draw_strip(start, min(start + self._strip, self._group.length))

    def _draw_strip(self, start: int, stop: int) -> None:
        """Draw some seconds of all leads; short recordings stand side by side, as leads do on paper."""
        sheet = self._sheet
        width = (stop - start) / self._group.rate * SPEED
        paper = max(10.0, 5.0 * math.ceil(width / 5))
        columns = min(int((LEFT + WIDTH) / (LEFT + paper)), 4, len(self._rows)) if self._strips == 1 else 1
        high = math.ceil(len(self._rows) / columns)
        heights = [max(map(self._height, self._rows[at::high])) for at in range(high)]
        total = 5.0 * math.ceil(sum(heights) / 5)
        sheet.y += 1
        for column in range(math.ceil(len(self._rows) / high)):
            left, top = LEFT + column * (LEFT + paper), sheet.y
            sheet.add(Grid(left, top, paper, total))
            for at, row in enumerate(self._rows[column * high : (column + 1) * high]):
                self._draw_row(row, (left, top, heights[at]), points_of(row.channel, start, stop, width))
                top += heights[at]
        self._draw_pulse(sheet.y + heights[0] / 2)
        sheet.y += total + 2

    def _draw_row(self, row: _Row, place: tuple[float, float, float], points: Floats) -> None:
        """Draw one lead at (left, top, height)."""
        left, top, height = place
        gain = self._gain * self._millivolts(row)
        zero = top + (height - gain * (row.above + row.below)) / 2 + gain * row.above
        y = zero - (points[:, 1] - row.middle) * gain
        self._sheet.add(Trace(np.column_stack((left + points[:, 0], y))))
        self._sheet.add(name_label(row.channel, left - LEFT + MARGIN, zero + 1.2))

    def _height(self, row: _Row) -> float:
        reach = self._gain * self._millivolts(row) * (row.above + row.below) + 3
        return min(max(reach, _LOWEST), _TALLEST + 3)

    def _draw_pulse(self, middle: float) -> None:
        """Draw the calibration mark before the first lead: one millivolt for a fifth of a second."""
        if not self._calibrated:
            return
        steps = ((0.0, 0.0), (0.5, 0.0), (0.5, self._gain), (5.5, self._gain), (5.5, 0.0), (6.0, 0.0))
        foot = middle + self._gain / 2
        points = np.array([(LEFT - 6.5 + x, foot - height) for x, height in steps])
        self._sheet.add(Trace(points, "pulse"))


class _ChartLayout:
    """Anything else: one band a channel with its own axis, time below."""

    def __init__(self, sheet: Sheet, group: Group, channels: Sequence[Channel], *, whole: bool) -> None:
        self._sheet = sheet
        self._group = group
        self._channels = channels
        least = max(round(10 * group.rate), _CHART_SAMPLES)
        self._strip = group.length if whole else min(group.length, least)
        self._band = 32.0 if len(channels) <= 8 else 18.0
        fitting = max(1, int(1500 / (self._band * len(channels))))
        self._strips = min(math.ceil(group.length / self._strip), MOST_STRIPS, fitting)

    def draw(self, label: str) -> None:
        """Draw all strips of the group."""
        sheet = self._sheet
        sheet.line(label, 4.0, "strong")
        sheet.line(said_of(self._group, ""), 3.2, "text")
        if self._strips * self._strip < self._group.length:
            overview(sheet, self._group, self._channels)
        for strip in range(self._strips):
            start = strip * self._strip
            stop = min(start + self._strip, self._group.length)
            # The last strip keeps the scale of the others.
            self._draw_strip(start, stop, WIDTH * (stop - start) / self._strip)

    def _draw_strip(self, start: int, stop: int, width: float) -> None:
        sheet = self._sheet
        sheet.y += 2
        top = sheet.y
        for channel in self._channels:
            self._draw_band(channel, start, stop, width)
        time_axis(sheet, start / self._group.rate, self._strip / self._group.rate, top)

    def _draw_band(self, channel: Channel, start: int, stop: int, width: float) -> None:
        sheet = self._sheet
        top, height = sheet.y + 4.5, self._band - 7
        points = points_of(channel, start, stop, width)
        known = points[np.isfinite(points[:, 1]), 1]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        if low == high:
            low, high = low - 1, high + 1
        scale = height / (high - low)
        for tick in ticks(low, high, 4 if self._band > 20 else 2):
            y = top + (high - tick) * scale
            sheet.add(Line(LEFT, y, LEFT + WIDTH, y, "grid"))
            sheet.add(Label(LEFT - 1, y + 0.9, number_words(tick), 2.6, "soft", "end"))
        sheet.add(Line(LEFT, top, LEFT, top + height, "axis"))
        sheet.add(Trace(np.column_stack((LEFT + points[:, 0], top + (high - points[:, 1]) * scale))))
        unit = channel.unit_name if channel.calibrated else "as stored"
        sheet.add(
            Label(
                LEFT + 1,
                sheet.y + 3.4,
                joined((channel.name, f"({unit})" if unit else ""), " "),
                3.2,
                "strong",
            )
        )
        sheet.y += self._band
