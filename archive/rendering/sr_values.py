"""What one content item of a Structured Report holds, in words: its value, what it refers to, its table.

One function a value type (PS3.3 C.17.3, C.18.1 to C.18.10). Broken and empty values give empty or partial
words, never an error. Leaves the tree to archive/rendering/sr_tree.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from archive.rendering.codes import code_of, code_words, unit_words
from archive.rendering.values import first_item, integer, items, number, numbers, text, texts
from archive.rendering.wording import (
    class_words,
    count_words,
    date_words,
    joined,
    moment_words,
    number_words,
    person_words,
    time_words,
    uid_words,
)

_MOST_FRAMES = 50  # that are named one by one
_MOST_CELLS = 20_000


@dataclass(frozen=True, slots=True)
class Reference:
    """Another instance that an item names: what it is, which frames of it (none: all), and other detail."""

    instance: str
    kind: str
    frames: tuple[int, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Table:
    """Tabulated values: the names of the columns, then rows of as many cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def value_of(ds: Dataset) -> str:
    """Return the value of a content item in words, "" for containers and what has none."""
    kind = text(ds, "ValueType").upper()
    worded = _VALUES.get(kind)
    return worded(ds) if worded else ""


def _text(ds: Dataset) -> str:
    return text(ds, "TextValue")


def _number(ds: Dataset) -> str:
    measured = first_item(ds, "MeasuredValueSequence")
    value = text(measured, "NumericValue")
    if not value:
        floating = number(measured, "FloatingPointValue")
        value = "" if floating is None else number_words(floating, 10)
    unit = unit_words(measured, "MeasurementUnitsCodeSequence")
    qualifier = code_of(ds, "NumericValueQualifierCodeSequence")
    if not value:
        return qualifier or "no value"
    shown = f"{value}{unit}" if unit in {"°", "%"} else joined((value, unit), " ")
    return f"{shown} ({qualifier})" if qualifier else shown


def _code(ds: Dataset) -> str:
    return code_of(ds, "ConceptCodeSequence")


def _person(ds: Dataset) -> str:
    return person_words(text(ds, "PersonName"))


def _date(ds: Dataset) -> str:
    return date_words(text(ds, "Date"))


def _time(ds: Dataset) -> str:
    return time_words(text(ds, "Time"))


def _moment(ds: Dataset) -> str:
    return moment_words(text(ds, "DateTime"))


def _uid(ds: Dataset) -> str:
    return uid_words(text(ds, "UID"))


def _graphic(ds: Dataset, *, axes: int) -> str:
    """Describe spatial coordinates: their kind, count, and where they are (PS3.3 C.18.6.1.1, C.18.9.1.1)."""
    kind = text(ds, "GraphicType").upper()
    values = numbers(ds, "GraphicData")
    points = [tuple(values[at : at + axes]) for at in range(0, len(values) - axes + 1, axes)]
    name = {"POLYLINE": "line", "MULTIPOINT": "points"}.get(kind, kind.lower() or "coordinates")
    if kind in {"POLYLINE", "POLYGON"} and len(points) > 2 and points[0] == points[-1]:
        name = "closed line"
    if not points:
        return f"{name} without points"
    unit = " mm" if axes == 3 else " (column, row)"
    if len(points) == 1:
        return f"{name} at {_point(points[0])}{unit}"
    if kind == "CIRCLE":
        return f"circle around {_point(points[0])} through {_point(points[1])}{unit}"
    low = _point(tuple(min(each) for each in zip(*points, strict=True)))
    high = _point(tuple(max(each) for each in zip(*points, strict=True)))
    count = "" if kind == "ELLIPSE" else f" of {count_words(len(points), 'point')}"
    return f"{name}{count} between {low} and {high}{unit}"


def _point(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(number_words(each, 6) for each in values) + ")"


def _plane(ds: Dataset) -> str:
    return _graphic(ds, axes=2)


def _space(ds: Dataset) -> str:
    return _graphic(ds, axes=3)


def _moments(ds: Dataset) -> str:
    """Describe temporal coordinates (PS3.3 C.18.7)."""
    kind = text(ds, "TemporalRangeType").lower()
    samples = [number_words(each, 10) for each in numbers(ds, "ReferencedSamplePositions")]
    offsets = [f"{number_words(each)} s" for each in numbers(ds, "ReferencedTimeOffsets")]
    moments = [moment_words(each) for each in texts(ds, "ReferencedDateTime")]
    where = joined(
        (f"samples {', '.join(samples)}" if samples else "", ", ".join(offsets), ", ".join(moments)), "; "
    )
    return joined((kind, where), " at ")


def _no_text(_ds: Dataset) -> str:
    return ""  # what it refers to is told by references_of


_VALUES: dict[str, Callable[[Dataset], str]] = {
    "TEXT": _text,
    "NUM": _number,
    "CODE": _code,
    "PNAME": _person,
    "DATE": _date,
    "TIME": _time,
    "DATETIME": _moment,
    "UIDREF": _uid,
    "SCOORD": _plane,
    "SCOORD3D": _space,
    "TCOORD": _moments,
    "IMAGE": _no_text,
    "WAVEFORM": _no_text,
    "COMPOSITE": _no_text,
}


def references_of(ds: Dataset) -> tuple[Reference, ...]:
    """Return the instances that an IMAGE, WAVEFORM or COMPOSITE item names, and those that belong to them."""
    found: list[Reference] = []
    for item in items(ds, "ReferencedSOPSequence"):
        found.append(_reference(item))
        found.extend(
            _reference(other, role) for keyword, role in _BESIDE.items() for other in items(item, keyword)
        )
    return tuple(found)


_BESIDE = {
    "ReferencedSOPSequence": "shown as this presentation state says",
    "ReferencedRealWorldValueMappingInstanceSequence": "values mapped",
}


def _reference(item: Dataset, role: str = "") -> Reference:
    frames = [int(each) for each in numbers(item, "ReferencedFrameNumber") if each >= 1]
    segments = [number_words(each) for each in numbers(item, "ReferencedSegmentNumber")]
    channels = numbers(item, "ReferencedWaveformChannels")
    pairs = [
        f"{int(group)}.{int(channel)}" for group, channel in zip(channels[::2], channels[1::2], strict=False)
    ]
    detail = joined(
        (
            role or code_of(item, "PurposeOfReferenceCodeSequence"),
            f"segment {', '.join(segments)}" if segments else "",
            f"channel {', '.join(pairs)}" if pairs else "",
            f"{len(frames) - _MOST_FRAMES} more frames" if len(frames) > _MOST_FRAMES else "",
        ),
        "; ",
    )
    kind = class_words(text(item, "ReferencedSOPClassUID"))
    return Reference(text(item, "ReferencedSOPInstanceUID"), kind, tuple(frames[:_MOST_FRAMES]), detail)


def table_of(ds: Dataset) -> Table | None:
    """Return the tabulated values of a TABLE item (PS3.3 C.18.10), None where they make no table."""
    values = first_item(ds, "TabulatedValuesSequence")
    width, height = integer(values, "NumberOfTableColumns") or 0, integer(values, "NumberOfTableRows") or 0
    if width < 1 or height < 1 or width * height > _MOST_CELLS:
        return None
    columns = _named(values, "TableColumnDefinitionSequence", "TableColumnNumber", width)
    rows = _named(values, "TableRowDefinitionSequence", "TableRowNumber", height)
    cells = [["" for _ in range(width)] for _ in range(height)]
    for cell in items(values, "CellValuesSequence"):
        column, row = integer(cell, "TableColumnNumber") or 0, integer(cell, "TableRowNumber") or 0
        if 1 <= column <= width and 1 <= row <= height:
            cells[row - 1][column - 1] = _cell(cell)
    return Table(("", *columns), tuple((name, *row) for name, row in zip(rows, cells, strict=True)))


def _named(values: Dataset, keyword: str, ordinal: str, count: int) -> list[str]:
    names = [str(at) for at in range(1, count + 1)]
    for item in items(values, keyword):
        at = integer(item, ordinal) or 0
        if 1 <= at <= count:
            unit = unit_words(item, "MeasurementUnitsCodeSequence")
            name = code_words(first_item(item, "ConceptNameCodeSequence")) or names[at - 1]
            names[at - 1] = f"{name} ({unit})" if unit else name
    return names


def _cell(cell: Dataset) -> str:
    for keyword, worded in _CELLS.items():
        value = text(cell, keyword)
        if value:
            return worded(value)
    return code_of(cell, "ConceptCodeSequence") or joined(texts(cell, "NumericValue"), ", ")


_CELLS: dict[str, Callable[[str], str]] = {
    "TextValue": str,
    "NumericValue": str,
    "FloatingPointValue": str,
    "PersonName": person_words,
    "Date": date_words,
    "Time": time_words,
    "DateTime": moment_words,
    "UID": uid_words,
}
