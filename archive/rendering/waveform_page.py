"""A waveform as a page: what the device or a person said of it, the picture, and how each channel was taken.

Owns the annotations (PS3.3 C.10.10): statements and measurements first, marks along the recording folded
away. The picture comes from waveform_picture.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup
from pydicom.dataset import Dataset

from archive.rendering.codes import code_of, code_words, unit_words
from archive.rendering.drawing import svg
from archive.rendering.heading import footer_lines, moment_of, write_heading
from archive.rendering.html import Page, facts, link, table, tag
from archive.rendering.links import Links
from archive.rendering.values import first_item, items, numbers, text, texts
from archive.rendering.waveform import Group, waveform_groups
from archive.rendering.waveform_picture import waveform_drawing
from archive.rendering.wording import class_words, duration_words, joined, moment_words, number_words

_MOST_MARKS = 2000


def waveform_page(ds: Dataset, base: str, *, sound: bool = False) -> bytes:
    """Make the page; with `sound` it has a link to the same instance as audio.

    Raise NotDecodable where there are no samples or the page would be too large.
    """
    groups = waveform_groups(ds)
    title = class_words(text(ds, "SOPClassUID"))
    page = Page(title, wide=True)
    write_heading(page, ds)
    page.begin_main(title)
    taken = moment_words(text(ds, "AcquisitionDateTime")) or moment_of(ds, "Acquisition")
    protocol = code_of(ds, "AcquisitionContextSequence") or text(ds, "SeriesDescription")
    page.write(facts([("Recorded", taken or moment_of(ds, "Content")), ("Series", protocol)]))
    statements, measured, marks = _annotations(ds, groups)
    for statement in statements:
        page.write(tag("p", tag("strong", statement, dir="auto")))
    page.write(facts(measured))
    address = Links(ds, base)(text(ds, "SOPInstanceUID"))
    if sound and address:
        page.write(tag("p", link(f"{address}?accept=audio%2Fwav", "Listen to the recording")))
    page.write(Markup('<div class="scroll" tabindex="0" role="region" aria-label="Waveforms">'))
    page.write(svg(waveform_drawing(ds, groups), standalone=False), Markup("</div>\n"))
    page.write(_folded(f"{len(marks):,} marks", table("", ("What", "Where", "Channel"), marks[:_MOST_MARKS])))
    page.write(_folded("How the channels were taken", _channels(groups)))
    return page.finish(*footer_lines(ds))


def _folded(summary: str, content: Markup) -> Markup:
    return tag("details", tag("summary", summary), content) if content else Markup("")


Facts = list[tuple[str, str]]


def _annotations(ds: Dataset, groups: Sequence[Group]) -> tuple[list[str], Facts, list[tuple[str, str, str]]]:
    """Return statements, measurements of the whole, and marks at places of the recording."""
    statements: list[str] = []
    measured: Facts = []
    marks: list[tuple[str, str, str]] = []
    for item in items(ds, "WaveformAnnotationSequence"):
        name = code_words(first_item(item, "ConceptNameCodeSequence"))
        where = _where(item, groups)
        value = _value(item)
        words = text(item, "UnformattedTextValue")
        if where:
            marks.append((joined((name, value, words), " "), where, _channel_names(item, groups)))
        elif words and not value:
            statements.append(joined((name, words), ": "))
        elif name or value:
            measured.append((name or "Measured", joined((value, words), " ") or "noted"))
    return list(dict.fromkeys(statements)), measured, marks


def _value(item: Dataset) -> str:
    value = ", ".join(number_words(each, 10) for each in numbers(item, "NumericValue"))
    unit = _short(unit_words(item, "MeasurementUnitsCodeSequence"))
    return joined((value, unit if value else "", code_of(item, "ConceptCodeSequence")), " ")


_SHORT_UNITS = {
    "milliseconds": "ms",
    "millisecond": "ms",
    "degrees": "°",
    "Heart beat per minute": "/min",
    "beats per minute": "/min",
    "microvolt": "µV",
    "millivolt": "mV",
}


def _short(unit: str) -> str:
    return _SHORT_UNITS.get(unit, unit)


def _where(item: Dataset, groups: Sequence[Group]) -> str:
    """Return the moments that an annotation is about, in the time of its group where samples are named."""
    channels = numbers(item, "ReferencedWaveformChannels")
    at = int(channels[0]) - 1 if channels else 0
    rate = groups[at].rate if 0 <= at < len(groups) else 0.0
    samples = numbers(item, "ReferencedSamplePositions")
    moments = [duration_words((each - 1) / rate) for each in samples if rate]
    moments += [
        duration_words(each / 1000) for each in numbers(item, "ReferencedTimeOffsets")
    ]  # milliseconds
    moments += [moment_words(each) for each in texts(item, "ReferencedDateTime") if each]
    return " to ".join(moments) if text(item, "TemporalRangeType") == "SEGMENT" else ", ".join(moments)


def _channel_names(item: Dataset, groups: Sequence[Group]) -> str:
    """Name the channels: pairs of group and channel from 1, channel 0 meaning all (PS3.3 C.10.10.1.1)."""
    pairs = numbers(item, "ReferencedWaveformChannels")
    names = []
    for group, channel in zip(pairs[::2], pairs[1::2], strict=False):
        if not 1 <= group <= len(groups):
            continue
        channels = groups[int(group) - 1].channels
        names.append(channels[int(channel) - 1].name if 1 <= channel <= len(channels) else "all")
    return ", ".join(names)


def _channels(groups: Sequence[Group]) -> Markup:
    columns = ("Group", "Channel", "Samples/s", "Duration", "Sensitivity", "Filters")
    return table("", columns, _channel_rows(groups), "  n")


def _channel_rows(groups: Sequence[Group]) -> Iterable[tuple[str, ...]]:
    for at, group in enumerate(groups, 1):
        for channel in group.channels:
            unit = (
                f"{number_words(channel.scale)} {channel.unit_name} a step"
                if channel.calibrated
                else "not told"
            )
            yield (
                group.label or str(at),
                channel.name,
                number_words(group.rate),
                duration_words(group.duration),
                unit,
                channel.filters,
            )
