"""One value of a search parameter becomes a match (PS3.4 C.2.2.2, PS3.18 8.3.4.1).

Owns which VRs take lists, wildcards and ranges, and the checking of dates, times, numbers and UIDs. Text is
passed on as it was sent: folding is the business of whoever compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from archive.dicomweb import moments
from archive.errors import InvalidRequest
from archive.model.query import AnyOf, Empty, FuzzyName, Match, Range, Wildcard
from archive.model.uid import is_uid, trim_uid

LONGEST_VALUE = 1024  # characters
NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_MODALITY, _MODALITIES = "00080060", "00080061"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_MOMENT = r"[0-9]{4,14}(?:\.[0-9]{1,6})?(?:[+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
_MOMENT_RANGE = re.compile(rf"({_MOMENT})?-({_MOMENT})?")
_NOT_IN_WORDS = re.compile(r"[\s^=,.\-*]+")


@dataclass(frozen=True, slots=True)
class Options:
    """What the parameters of a search say about all of its values."""

    fuzzy: bool = False
    empty: bool = False
    multiple: bool = False


def takes_list(tag: str, vr: str, options: Options) -> bool:
    """Tell whether commas and backslashes separate values, and repeats add some."""
    return options.multiple or vr == "UI" or tag in {_MODALITY, _MODALITIES}


def match_of(name: str, tag: str, vr: str, texts: list[str], options: Options) -> Match | None:
    """Return the match that the values of a parameter ask for, None for universal matching.

    `texts` are the values of all repeats of the parameter. Raise InvalidRequest naming the parameter.
    """
    wanted = [text for text in texts if not _is_universal(text, vr, options)]
    if not wanted:
        return None
    for text in wanted:
        _check_text(name, text)
    if vr in _BINARY:
        raise InvalidRequest(f"{name} has binary values, which cannot be matched", where=name)
    if vr == "SQ":
        raise InvalidRequest(f"{name} is a sequence: match an attribute of it, {name}.…", where=name)
    if options.empty and '""' in (text.strip() for text in wanted):
        if len(wanted) > 1:
            raise InvalidRequest(f'{name} is matched with "" or with values, not both', where=name)
        return Empty()
    if takes_list(tag, vr, options):
        values = [part.strip() for text in wanted for part in re.split(r"[,\\]", text) if part.strip()]
    else:
        values = list(dict.fromkeys(wanted))
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given twice with different values", where=name)
    return _match(name, vr, values, options)


def _is_universal(text: str, vr: str, options: Options) -> bool:
    bare = text.strip()
    # A name of nothing but wildcards and delimiters says nothing about any component.
    return not bare.strip("*=^ " if vr == "PN" else "*") or (bare == '""' and not options.empty)


def _check_text(name: str, text: str) -> None:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"the value of {name} is not UTF-8", where=name) from None
    if b"\0" in encoded:
        raise InvalidRequest(f"the value of {name} holds a NUL", where=name)


def _match(name: str, vr: str, values: list[str], options: Options) -> Match:
    if not values:
        raise InvalidRequest(f"the list of {name} is empty", where=name)
    if any(len(value) > LONGEST_VALUE for value in values):
        raise InvalidRequest(f"a value of {name} is longer than {LONGEST_VALUE} characters", where=name)
    if vr in {"DA", "TM", "DT"}:
        return _moments(name, vr, values)
    if vr in _SCALARS:
        return AnyOf(tuple(_SCALARS[vr](name, value) for value in values))
    if vr == "PN" and options.fuzzy and len(values) > 1:
        raise InvalidRequest(f"{name} takes one name where fuzzymatching is true", where=name)
    if vr == "PN" and options.fuzzy and _NOT_IN_WORDS.sub("", values[0]):
        return FuzzyName(tuple(values[0].split()))
    if vr != "AS" and any("*" in value or "?" in value for value in values):
        return Wildcard(tuple(values))
    return AnyOf(tuple(values))


def _uid(name: str, value: str) -> str:
    uid = trim_uid(value)
    if not is_uid(uid):
        hint = "; UIDs take no wildcards" if "*" in uid or "?" in uid else ""
        raise InvalidRequest(f"a value of {name} is not a UID{hint}", where=name)
    return uid


def _number(name: str, value: str) -> str:
    if not _NUMBER.fullmatch(value.strip()):
        raise InvalidRequest(f"a value of {name} is not a number", where=name)
    return value.strip()


def _tag(name: str, value: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{8}", value.strip()):
        raise InvalidRequest(f"a value of {name} is not a tag of 8 hex digits", where=name)
    return value.strip().upper()


_SCALARS = {"UI": _uid, "AT": _tag, **dict.fromkeys(NUMBERS, _number)}

Reader = Callable[[str], str | None]
_READERS: dict[str, tuple[Reader, Reader, str]] = {
    "DA": (moments.date_of, moments.date_of, "a date, YYYYMMDD"),
    "TM": (moments.time_floor, moments.time_ceil, "a time, HHMMSS.FFFFFF or a beginning of it"),
    "DT": (
        moments.moment_floor,
        moments.moment_ceil,
        "a date-time, YYYYMMDDHHMMSS.FFFFFF or a beginning of it",
    ),
}


def _moments(name: str, vr: str, values: list[str]) -> Match:
    floor, ceil, form = _READERS[vr]

    def read(reader: Reader, text: str) -> str:
        value = reader(text)
        if value is None:
            raise InvalidRequest(f"a value of {name} is not {form}, nor a range of two", where=name)
        return value

    ends = [_range(vr, value) for value in values]
    if len(values) > 1:
        if vr != "DA" or any(each is not None for each in ends):
            raise InvalidRequest(f"{name} takes one range, or a list of dates", where=name)
        return AnyOf(tuple(read(floor, value) for value in values))
    if ends[0] is None:
        if vr == "DA":
            return AnyOf((read(floor, values[0]),))
        # A time stands for all instants that begin as it does: 12 is the hour, 1230 the minute.
        return Range(read(floor, values[0]), read(ceil, values[0]))
    low, high = ends[0]
    if not low and not high:
        raise InvalidRequest(f"the range of {name} has neither beginning nor end", where=name)
    return Range(read(floor, low) if low else None, read(ceil, high) if high else None)


def _range(vr: str, value: str) -> tuple[str, str] | None:
    """Return the two ends of a range as text, empty where open; None where the value is no range."""
    text = value.strip()
    if vr != "DT":
        low, hyphen, high = text.partition("-")
        return (low.strip(), high.strip()) if hyphen else None
    if re.fullmatch(_MOMENT, text):  # -0500 at the end is an offset from UTC (PS3.4 C.2.2.2.5)
        return None
    match = _MOMENT_RANGE.fullmatch(text)
    return (match[1] or "", match[2] or "") if match else None
