"""Any instance as a page: its attributes in a table, sequences folded, and above it what matters of its kind.

Owns how a data set of any shape is listed. Goes through sequences without recursion; binary values are told
by their size. What stands above the table comes from radiotherapy.py and presentation_states.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from markupsafe import Markup
from pydicom.datadict import dictionary_description, dictionary_has_tag, private_dictionary_description
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from archive.rendering.heading import footer_lines, moment_of, write_heading
from archive.rendering.html import Page, facts, tag
from archive.rendering.links import Links
from archive.rendering.presentation_states import presentation_state
from archive.rendering.radiotherapy import plan_tables, structure_set_tables
from archive.rendering.values import clean, listed, text
from archive.rendering.wording import (
    age_words,
    class_words,
    count_words,
    date_words,
    joined,
    moment_words,
    person_words,
    size_words,
    time_words,
    uid_words,
)

_DEEPEST = 24  # sequences that are folded into each other; deeper ones are only counted
_MOST_VALUES = 16  # of a list of numbers that are shown
_LONGEST = 20_000  # characters of a text that are shown

_SUMMARIES: Mapping[str, Callable[[Dataset, Links], Iterator[Markup]]] = {
    "1.2.840.10008.5.1.4.1.1.481.3": structure_set_tables,
    "1.2.840.10008.5.1.4.1.1.481.5": plan_tables,
    "1.2.840.10008.5.1.4.1.1.481.8": plan_tables,
    "1.2.840.10008.5.1.4.1.1.11.": presentation_state,
}
"""What stands above the attributes, by SOP class or its beginning."""


def attributes_page(ds: Dataset, base: str) -> bytes:
    """Make the page; raise NotDecodable where it would be too large."""
    kind = text(ds, "SOPClassUID")
    title = class_words(kind) if kind else "Instance"
    page = Page(title, wide=True)
    write_heading(page, ds)
    page.begin_main(title)
    page.write(facts(_facts(ds)))
    links = Links(ds, base)
    for prefix, summary in _SUMMARIES.items():
        if kind == prefix or (prefix.endswith(".") and kind.startswith(prefix)):
            for part in summary(ds, links):
                page.write(part)
    page.write(tag("h2", "Attributes"))
    for part in _rows(ds):
        page.write(part)
    return page.finish(*footer_lines(ds))


def _facts(ds: Dataset) -> list[tuple[str, str]]:
    labels = ("ContentLabel", "SeriesDescription", "ContentDescription", "HangingProtocolName")
    creator = text(ds, "ContentCreatorName") or text(ds, "OperatorsName")
    return [
        ("Label", joined(dict.fromkeys(text(ds, each) for each in labels), ", ")),
        ("Made", moment_of(ds, "InstanceCreation") or moment_of(ds, "Content") or moment_of(ds, "Series")),
        ("By", person_words(creator)),
    ]


_TABLE = Markup('<table class="attributes"><tbody>\n')
_END = Markup("</tbody></table>\n")
_Part = DataElement | Markup


def _rows(ds: Dataset) -> Iterator[Markup]:
    """Give the table of a data set, with the tables of its sequences inside."""
    yield _TABLE
    stack: list[Iterator[_Part]] = [_elements(ds)]
    while stack:
        part = next(stack[-1], None)
        if part is None:
            stack.pop()
        elif isinstance(part, Markup):
            yield part
        elif isinstance(part.value, Sequence) and len(part.value) and len(stack) <= _DEEPEST:
            stack.append(_sequence(part))
        else:
            yield _row(part)
    yield _END


def _elements(ds: Dataset) -> Iterator[DataElement]:
    creators: dict[tuple[int, int], str] = {}
    for key in sorted(ds.keys()):
        element = ds[key]
        tag_ = element.tag
        if tag_.is_private_creator:
            creators[tag_.group, tag_.element] = clean(str(element.value or "")).strip(" \0")
        elif tag_.is_private:
            element.private_creator = creators.get((tag_.group, tag_.element >> 8))
        yield element


def _sequence(element: DataElement) -> Iterator[_Part]:
    """Give a folded row for a sequence, with one table an item."""
    sequence = list(element.value)
    opening = Markup('<tr><td colspan="2"><details><summary>{} <span class="soft">{}</span></summary>\n')
    yield opening.format(_name(element), count_words(len(sequence), "item"))
    for at, item in enumerate(sequence, 1):
        if len(sequence) > 1:
            yield Markup('<p class="soft small">{}</p>\n').format(f"Item {at}")
        yield _TABLE
        yield from _elements(item)
        yield _END
    yield Markup("</details></td></tr>\n")


def _row(element: DataElement) -> Markup:
    name = (_name(element), tag("span", str(element.tag).upper(), class_="mono soft"))
    return tag("tr", tag("th", *name, scope="row"), tag("td", _value(element), class_="value", dir="auto"))


def _name(element: DataElement) -> str:
    """Return the name in the dictionary; of a private attribute, its creator with the name that it gives."""
    key = element.tag
    if key.is_private_creator:
        return "Private creator"
    if key.is_private:
        creator = element.private_creator or ""
        try:
            known = private_dictionary_description(key, creator)
        except KeyError:
            known = ""  # most creators are in no dictionary
        return joined(("Private", known.strip("[]"), f"({creator})" if creator else ""), " ")
    if key.element == 0:
        return "Group length"
    return dictionary_description(key) if dictionary_has_tag(key) else "Unknown attribute"


_WORDS: Mapping[str, Callable[[str], str]] = {
    "AS": age_words,
    "DA": date_words,
    "DT": moment_words,
    "PN": person_words,
    "TM": time_words,
}


def _value(element: DataElement) -> str:
    """Return the value in words; UIDs with their names, long lists by their beginning."""
    value = element.value
    if isinstance(value, Sequence):
        return count_words(len(value), "item") if len(value) else ""
    if isinstance(value, bytes):
        return size_words(len(value)) if value else ""
    values = listed(value)
    shown = [_one(element.VR, clean(str(each))) for each in islice(values, _MOST_VALUES)]
    words = ", ".join(shown) if len(shown) > 1 else "".join(shown)
    more = f" … {len(values):,} values" if len(values) > _MOST_VALUES else ""
    if len(words) > _LONGEST:
        words, more = words[:_LONGEST], f"… {len(words):,} characters"
    return f"{words}{more}"


def _one(vr: str, value: str) -> str:
    if vr == "UI":
        name = uid_words(value)
        return name if name == value else f"{name} ({value})"
    return _WORDS[vr](value) if vr in _WORDS else value
