"""What a person wants to know of a presentation state: what it is about, and what it writes on the images.

Owns the lists above its attributes. How it is applied to pixels is left to the picture modules.
"""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup
from pydicom.dataset import Dataset

from archive.rendering.codes import number_of
from archive.rendering.html import link, table
from archive.rendering.links import Links
from archive.rendering.values import first_item, items, numbers, text
from archive.rendering.wording import class_words, count_words, joined, number_words

_MOST = 500


def presentation_state(ds: Dataset, links: Links) -> Iterator[Markup]:
    """Give the images, the windows and the annotations of a presentation state."""
    yield table("Images", ("Image", "Frames"), list(_images(ds, links))[:_MOST])
    windows = [_window(each) for each in items(ds, "SoftcopyVOILUTSequence")]
    yield table("Windows", ("Centre", "Width", "Explanation"), windows, "nn ")
    yield table("Annotations", ("Layer", "Text", "Shapes"), [_note(each) for each in _notes(ds)][:_MOST])


def _images(ds: Dataset, links: Links) -> Iterator[tuple[str, str]]:
    for series in items(ds, "ReferencedSeriesSequence"):
        for image in items(series, "ReferencedImageSequence"):
            uid = text(image, "ReferencedSOPInstanceUID")
            frames = ", ".join(number_words(each) for each in numbers(image, "ReferencedFrameNumber"))
            name = joined((class_words(text(image, "ReferencedSOPClassUID")), uid), " ")
            yield link(links(uid), name), frames


def _window(item: Dataset) -> tuple[str, str, str]:
    table_of = first_item(item, "VOILUTSequence")
    explained = text(item, "WindowCenterWidthExplanation") or text(table_of, "LUTExplanation")
    kind = "look-up table" if len(table_of) else ""
    return number_of(item, "WindowCenter"), number_of(item, "WindowWidth"), joined((kind, explained), ", ")


def _notes(ds: Dataset) -> list[Dataset]:
    return items(ds, "GraphicAnnotationSequence")


def _note(item: Dataset) -> tuple[str, str, str]:
    words = joined((text(each, "UnformattedTextValue") for each in items(item, "TextObjectSequence")), "; ")
    shapes = joined((_shape(each) for each in items(item, "GraphicObjectSequence")), ", ")
    return text(item, "GraphicLayer"), words, shapes


def _shape(item: Dataset) -> str:
    count = len(numbers(item, "GraphicData")) // 2
    return f"{text(item, 'GraphicType').lower()} of {count_words(count, 'point')}"
