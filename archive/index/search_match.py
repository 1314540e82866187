"""Match keys against the DICOM JSON of one instance, in Python, with the semantics that the SQL has.

For attributes without an index. All keys below one sequence must match in one and the same item
(PS3.4 C.2.2.2.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from archive.index import folding, patterns
from archive.model.instance import Element
from archive.model.query import AnyOf, DateTimeRange, Empty, FuzzyName, Key, Match, Range, Wildcard

Dataset = Mapping[str, Element]


def matches_all(keys: Iterable[Key], dataset: Dataset) -> bool:
    """Tell whether a data set matches every key."""
    plain: list[Key] = []
    nested: dict[str, list[Key]] = {}
    for key in keys:
        if len(key.path) == 1:
            plain.append(key)
        else:
            nested.setdefault(key.path[0], []).append(_inside(key))
    return all(_matches(key, dataset) for key in plain) and all(
        _any_item(inner, dataset.get(tag)) for tag, inner in nested.items()
    )


def _inside(key: Key) -> Key:
    match = key.match
    if isinstance(match, DateTimeRange):
        match = replace(match, time_path=match.time_path[1:])
    return Key(key.path[1:], key.vr, match)


def _any_item(keys: list[Key], element: Element | None) -> bool:
    items = [item for item in values_of(element) if isinstance(item, Mapping)]
    return any(matches_all(keys, item) for item in items or [{}])


def values_of(element: Element | None) -> list[Any]:
    """Return the values of an element; none where it is absent, empty or binary."""
    value = (element or {}).get("Value")
    return list(value) if isinstance(value, list | tuple) else []


def _matches(key: Key, dataset: Dataset) -> bool:
    tag = key.path[0]
    element = dataset.get(tag)
    vr = str((element or {}).get("vr") or key.vr)
    match = key.match
    if isinstance(match, Empty):
        return _is_empty(tag, vr, element)
    if isinstance(match, DateTimeRange):
        return _in_moments(match, tag, dataset)
    if vr == "PN":
        return any(_name_matches(match, folding.name_forms(value)) for value in values_of(element))
    return any(_text_matches(match, tag, vr, value) for value in values_of(element))


def _is_empty(tag: str, vr: str, element: Element | None) -> bool:
    if element is not None and ("InlineBinary" in element or "BulkDataURI" in element):
        return False
    if vr == "SQ":
        return not values_of(element)
    if vr == "PN":
        return not any(any(folding.name_forms(value)) for value in values_of(element))
    return not any(folding.value_form(tag, vr, value) for value in values_of(element))


def _in_moments(match: DateTimeRange, tag: str, dataset: Dataset) -> bool:
    times = [folding.value_form("", "TM", value) for value in values_of(dataset.get(match.time_path[0]))] or [
        ""
    ]
    dates = [folding.value_form(tag, "DA", value) for value in values_of(dataset.get(tag))]
    moments = (date + time for date in dates if date for time in times)
    return any((match.low or "") <= m and (match.high is None or m <= match.high) for m in moments)


def _name_matches(match: Match, groups: tuple[str, str, str]) -> bool:
    if not any(groups):
        return False
    if isinstance(match, FuzzyName):
        words = folding.name_words(*groups)
        return all(patterns.matches(f"* {word}*", words) for word in folding.query_words(match.words))
    if isinstance(match, AnyOf | Wildcard):
        texts = match.values if isinstance(match, AnyOf) else match.patterns
        return any(_name_is_like(text, groups) for text in texts)
    return False


def _name_is_like(text: str, groups: tuple[str, str, str]) -> bool:
    wanted = folding.name_patterns(text)
    if len(wanted) > 1:
        pairs = zip(wanted, groups, strict=False)
        return all(not forms or _like_any(forms, group) for forms, group in pairs)
    return not wanted[0] or any(group and _like_any(wanted[0], group) for group in groups)


def _like_any(forms: Iterable[str], text: str) -> bool:
    return any(patterns.matches(form, text) for form in forms)


def _text_matches(match: Match, tag: str, vr: str, value: Any) -> bool:
    form = folding.value_form(tag, vr, value)
    if not form:
        return False
    if isinstance(match, AnyOf):
        return form in {folding.value_form(tag, vr, wanted) for wanted in match.values}
    if isinstance(match, Wildcard):
        return _like_any((folding.text_form(tag, vr, pattern) for pattern in match.patterns), form)
    if isinstance(match, Range):
        return (match.low or "") <= form and (match.high is None or form <= match.high)
    return False
