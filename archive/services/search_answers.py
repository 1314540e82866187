"""What a search answers of each result, in the DICOM JSON model (PS3.18 10.6.3).

Owns which attributes an answer has at each of the six places of a search. That is worked out once for a
query, as the answer of a result of which nothing is known; each result then puts in what it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson

from archive.index.search_results import (
    MODALITIES_IN_STUDY,
    SERIES_INSTANCES,
    SOP_CLASSES_IN_STUDY,
    STUDY_SERIES,
    TRANSFER_SYNTAX,
    Result,
    Shown,
    shown,
)
from archive.model.attributes import Attribute
from archive.model.instance import Element
from archive.model.level import Level
from archive.model.query import Query

_CHARACTER_SET, _AVAILABILITY, _RETRIEVE_URL = "00080005", "00080056", "00081190"
_UIDS = _STUDY_UID, _SERIES_UID, _SOP_UID = ("0020000D", "0020000E", "00080018")
_SHORT = 4096  # bytes of attributes; answers made of more are not kept
_LATER: Element = {"vr": "UN"}  # keeps the place of what each result puts in


class Answers:
    """Makes the answers to a query; `base_url` is the address of the DICOMweb root.

    An answer has its required attributes even when empty (PS3.18 Tables 10.6.3-3 to 10.6.3-5): those of the
    query's level, and of the levels above that the path does not name. Beside them stands what was matched on
    or included, as far as it is known.
    """

    def __init__(self, query: Query, base_url: str) -> None:
        self._base = base_url.rstrip("/")
        self._shows = shown(query)

    def json(self, results: Iterable[Result]) -> bytes:
        """Return the answer for some results as a JSON array."""
        return b"[%b]" % b",".join([self._written(each) for each in results])

    def dataset(self, result: Result) -> dict[str, Element]:
        """Return the answer for one result, its tags in ascending order."""
        return _dataset(self._shows, self._base, result)

    def _written(self, result: Result) -> bytes:
        if result.extra or sum(map(len, result.kept)) > _SHORT:
            return orjson.dumps(self.dataset(result))
        return _written(self._shows, self._base, result[:-1])


@lru_cache(maxsize=1024)
def _written(shows: Shown, base: str, row: tuple[Any, ...]) -> bytes:
    """Return an answer as JSON. Lists are asked for again and again, and parsing is most of their cost."""
    return orjson.dumps(_dataset(shows, base, Result._make((*row, {}))))


def _dataset(shows: Shown, base: str, result: Result) -> dict[str, Element]:
    answer = _empty(shows).copy()
    for level, always, filled in _own(shows):
        own = result.attributes(level)
        for tag in always:
            if tag in own:
                answer[tag] = own[tag]
        for tag in filled:
            if "Value" in own.get(tag, _LATER):
                answer[tag] = own[tag]
            else:
                del answer[tag]
    if result.extra:
        answer |= result.extra
    for tag in shows.computed:
        answer[tag] = _computed(tag, result)
    _put_place(answer, shows.level, base, result)
    return dict(sorted(answer.items())) if result.extra else answer


def _computed(tag: str, result: Result) -> Element:
    if tag == MODALITIES_IN_STUDY:
        return _element("CS", *result.modalities)
    if tag == SOP_CLASSES_IN_STUDY:
        return _element("UI", *result.sop_classes)
    if tag == TRANSFER_SYNTAX:
        return _element("UI", result.transfer_syntax_uid)
    if tag == SERIES_INSTANCES:
        return _element("IS", result.series_instances)
    return _element("IS", result.study_series if tag == STUDY_SERIES else result.study_instances)


def _put_place(answer: dict[str, Element], level: Level, base: str, result: Result) -> None:
    """Put in the UIDs and the address that they make; UIDs need no escapes."""
    url = f"{base}/studies/{result.study_uid}"
    answer[_STUDY_UID] = _element("UI", result.study_uid)
    if level >= Level.SERIES:
        url = f"{url}/series/{result.series_uid}"
        answer[_SERIES_UID] = _element("UI", result.series_uid)
    if level is Level.INSTANCE:
        url = f"{url}/instances/{result.sop_uid}"
        answer[_SOP_UID] = _element("UI", result.sop_uid)
    answer[_RETRIEVE_URL] = _element("UR", url)


@lru_cache(maxsize=256)
def _empty(shows: Shown) -> dict[str, Element]:
    """Return the answer for a result of which nothing is known, its tags in order. Not to be changed."""
    later = [*_UIDS[: shows.level], *shows.computed, *(each.tag for each in shows.filled), _RETRIEVE_URL]
    empty: dict[str, Element] = {each.tag: {"vr": each.vr} for each in shows.always}
    empty |= dict.fromkeys(later, _LATER)
    empty[_CHARACTER_SET] = _element("CS", "ISO_IR 192")
    empty[_AVAILABILITY] = _element("CS", "ONLINE")
    return dict(sorted(empty.items()))


@lru_cache(maxsize=256)
def _own(shows: Shown) -> list[tuple[Level, list[str], list[str]]]:
    """Return the tags shown always and filled, by level, those left out that each result has of itself."""

    def tags(some: Iterable[Attribute], level: Level) -> list[str]:
        return [each.tag for each in some if each.level is level and each.tag not in _UIDS]

    both = [(level, tags(shows.always, level), tags(shows.filled, level)) for level in Level]
    return [each for each in both if each[1] or each[2]]


def _element(vr: str, *values: Any) -> Element:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
