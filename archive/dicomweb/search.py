"""The parameters of a search (PS3.18 8.3.4) become a `Query`.

Owns the names of parameters and attributes, paging, and what is said about a parameter that is passed over.
Values are read in search_values.py. Knows no SQL; whatever the parameters are, the end is a Query or an
InvalidRequest that names one of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from archive.dicomweb.attribute_names import keyword_of, path_of, vr_of
from archive.dicomweb.search_values import Options, match_of
from archive.errors import InvalidRequest
from archive.model.level import Level, Place
from archive.model.query import NEWEST_FIRST, ORDERABLE, DateTimeRange, Key, Order, Path, Query, Range

Parameters = Sequence[tuple[str, str]]

_CONTROLS = frozenset(
    {
        "fuzzymatching",
        "emptyvaluematching",
        "multiplevaluematching",
        "includefield",
        "limit",
        "offset",
        "cursor",
        "orderby",
    }
)
_ELSEWHERE = frozenset({"accept", "charset", ""})  # negotiation; Weasis sends an empty name
_NEVER_MATCHED = {
    "00080005": "the characters of a query are UTF-8",
    "00080054": "it is not kept",
    "00081190": "it depends on the request",
}
_MOST_NOTES = 8


def parse_query(
    level: Level, place: Place, parameters: Parameters, *, default_limit: int, max_limit: int
) -> Query:
    """Read decoded (name, value) pairs; raise InvalidRequest whose `where` is the parameter at fault.

    `limit=0` asks for the number of matches alone. A limit above `max_limit` is lowered, with a note. Without
    one, `default_limit` cuts a search of the archive; what the path narrows to a study is listed up to
    `max_limit`, for whoever lists the images of a series expects all of them.
    """
    notes: list[str] = []
    options = Options(
        fuzzy=_flag(parameters, "fuzzymatching"),
        empty=_flag(parameters, "emptyvaluematching"),
        multiple=_flag(parameters, "multiplevaluematching"),
    )
    keys, universal = _keys(parameters, options, notes)
    include, include_all = _include(parameters, notes)
    unsaid = default_limit if place.study_uid is None else max_limit
    limit = _number(parameters, "limit", unsaid)
    if limit > max_limit:
        notes.append(
            f"The limit is above the maximum of this service; at most {max_limit} results are returned"
        )
    cursor = _single(parameters, "cursor") or None
    offset = _number(parameters, "offset", 0)
    if cursor and offset:
        raise InvalidRequest("offset and cursor are not given together", where="offset")
    return Query(
        level=level,
        place=place,
        keys=_combined(keys),
        include=tuple(dict.fromkeys([*universal, *include])),
        include_all=include_all,
        order=_order(parameters, level),
        limit=min(limit, max_limit),
        offset=offset,
        cursor=cursor,
        notes=tuple(notes),
    )


def _keys(
    parameters: Parameters, options: Options, notes: list[str]
) -> tuple[dict[Path, tuple[Key, str]], list[Path]]:
    """Return the keys by path, each with its text, and the paths of universal matches."""
    given: dict[Path, tuple[str, list[str]]] = {}
    for name, value in parameters:
        if name in _CONTROLS or name in _ELSEWHERE:
            continue
        path = path_of(name)
        if path is None or int(path[0], 16) < 0x00080000:
            _note(notes, f"{_shown(name)} is no attribute that can be matched, and was ignored")
        else:
            given.setdefault(path, (name, []))[1].append(value)
    keys: dict[Path, tuple[Key, str]] = {}
    universal: list[Path] = []
    for path, (name, texts) in given.items():
        vr = vr_of(path[-1])
        match = match_of(name, path[-1], vr, texts, options)
        if match is None:
            universal.append(path)
        elif path[-1] in _NEVER_MATCHED:
            _note(notes, f"{_shown(name)} was ignored: {_NEVER_MATCHED[path[-1]]}")
        else:
            keys[path] = Key(path, vr, match), "".join(texts)
    return keys, universal


def _combined(keys: dict[Path, tuple[Key, str]]) -> tuple[Key, ...]:
    """Join the range of a date and the range of its time into one range (PS3.4 C.2.2.2.5.4)."""
    left = dict(keys)
    for path, (key, text) in keys.items():
        time_path = _time_of(path)
        if time_path is None or time_path not in left:
            continue
        time, time_text = left[time_path]
        match, time_match = key.match, time.match
        if isinstance(match, Range) and isinstance(time_match, Range) and "-" in text and "-" in time_text:
            left[path] = replace(key, match=_both(match, time_match, time_path)), text
            del left[time_path]
    return tuple(key for key, _ in left.values())


def _both(date: Range, time: Range, time_path: Path) -> DateTimeRange:
    """Join two ranges; a time at an end where the date is open says nothing."""
    return DateTimeRange(
        low=date.low + (time.low or "000000.000000") if date.low else None,
        high=date.high + (time.high or "235960.999999") if date.high else None,
        time_path=time_path,
    )


def _time_of(path: Path) -> Path | None:
    """Return the path of the time that belongs to a date: StudyTime to StudyDate."""
    if vr_of(path[-1]) != "DA":
        return None
    found = path_of(re.sub("Date", "Time", keyword_of(path[-1])))
    return (*path[:-1], *found) if found and found[-1] != path[-1] and vr_of(found[-1]) == "TM" else None


def _include(parameters: Parameters, notes: list[str]) -> tuple[list[Path], bool]:
    names = [
        part.strip() for name, value in parameters if name == "includefield" for part in value.split(",")
    ]
    paths = []
    for name in names:
        path = path_of(name) if name else None
        if path is not None:
            paths.append(path)
        elif name and name != "all":
            _note(notes, f"includefield {_shown(name)} is no attribute, and was ignored")
    return paths, "all" in names


def _order(parameters: Parameters, level: Level) -> Order:
    text = _single(parameters, "orderby")
    if not text:
        return NEWEST_FIRST
    path = path_of(text.removeprefix("-"))
    if level is not Level.STUDY:
        raise InvalidRequest("orderby is for searches of studies", where="orderby")
    if path is None or path[0] not in ORDERABLE or len(path) > 1:
        known = ", ".join(keyword_of(tag) for tag in ORDERABLE)
        raise InvalidRequest(
            f"orderby is one of {known}, with - before it for the opposite order", where="orderby"
        )
    return Order(path[0], descending=text.startswith("-"))


def _single(parameters: Parameters, name: str) -> str:
    values = {value.strip() for given, value in parameters if given == name}
    if len(values) > 1:
        raise InvalidRequest(f"{name} is given twice with different values", where=name)
    return next(iter(values), "")


def _flag(parameters: Parameters, name: str) -> bool:
    value = _single(parameters, name).lower()
    if value not in {"", "true", "false"}:
        raise InvalidRequest(f"{name} is true or false", where=name)
    return value == "true"


def _number(parameters: Parameters, name: str, default: int) -> int:
    value = _single(parameters, name)
    if not value and not any(given == name for given, _ in parameters):
        return default
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise InvalidRequest(f"{name} is a whole number, 0 or more", where=name)
    return int(value)


def _note(notes: list[str], text: str) -> None:
    if len(notes) < _MOST_NOTES and text not in notes:
        notes.append(text)


def _shown(name: str) -> str:
    """Return a name from the request so that it may stand in a header."""
    return name if re.fullmatch(r"[A-Za-z0-9_.]{1,64}", name) else "A parameter"
