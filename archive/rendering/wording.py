"""How values read to a person: dates, times, names, sizes.

Text in, text out; what cannot be understood stays as it is written. Leaves escaping to the pages, and codes
and units, which are items of a data set, to codes.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from archive.dicom.dictionary import uid_name

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DATE = re.compile(r"(\d{4})[.:]?(\d{2})[.:]?(\d{2})")  # the old form has dots (PS3.5 6.2)
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(\.\d{1,6})?")
_MOMENT = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\.\d{1,6})?([+-]\d{4})?")
_AGE = re.compile(r"0*(\d+)([DWMY])")
_AGES = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}
_SEXES = {"M": "male", "F": "female", "O": "other"}


def joined(parts: Iterable[str], by: str) -> str:
    """Join the parts that are not empty."""
    return by.join(part for part in parts if part)


def date_words(value: str) -> str:
    """Return a DA as "31 Jan 2024"."""
    found = _DATE.fullmatch(value.strip())
    if found is None or not 1 <= int(found[2]) <= 12:
        return value
    return f"{int(found[3])} {_MONTHS[int(found[2]) - 1]} {found[1]}"


def time_words(value: str) -> str:
    """Return a TM as "10:15:30", to the second."""
    found = _TIME.fullmatch(value.strip())
    return joined(found.groups()[:3], ":") if found and found[2] else value


def moment_words(value: str) -> str:
    """Return a DT as "31 Jan 2024, 10:15:30 (+0100)", as far as it is told."""
    found = _MOMENT.fullmatch(value.strip())
    if found is None or (found[2] and not 1 <= int(found[2]) <= 12):
        return value
    year, month, day, hour, minute, second, _, zone = found.groups()
    month = _MONTHS[int(month) - 1] if month else ""
    words = joined((str(int(day)) if day else "", month, year), " ")
    words = joined((words, joined((hour, minute or "00", second), ":") if hour else ""), ", ")
    return f"{words} ({zone})" if zone else words


def age_words(value: str) -> str:
    """Return an AS as "54 years"."""
    found = _AGE.fullmatch(value)
    if found is None:
        return value
    words = _AGES[found[2]]
    return f"{found[1]} {words[:-1] if found[1] == '1' else words}"


def age_between(born: str, then: str) -> str:
    """Return the age on a day as AS words, "" where one of the dates is no date."""
    try:
        start, end = date.fromisoformat(born), date.fromisoformat(then)
    except ValueError:
        return ""  # a date that is none gives no age
    months = (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)
    if months < 0:
        return ""
    if months < 3:
        return age_words(f"{(end - start).days}D")
    return age_words(f"{months}M" if months < 24 else f"{months // 12}Y")


def sex_words(value: str) -> str:
    """Return a Patient's Sex as a word."""
    return _SEXES.get(value, value)


def person_words(value: str) -> str:
    """Return a PN as "Family, Given Middle", its other groups in brackets (PS3.5 6.2.1)."""
    groups = [_group(each, alphabetic=not at) for at, each in enumerate(value.split("=", 2))]
    alphabetic, others = groups[0], joined(groups[1:], " / ")
    return f"{alphabetic} ({others})" if alphabetic and others else alphabetic or others


def _group(value: str, *, alphabetic: bool) -> str:
    parts = [part.strip() for part in value.split("^")]
    family, given, middle, prefix, suffix = (*parts, "", "", "", "", "")[:5]
    if not alphabetic:
        return joined((family, given, middle, prefix, suffix), " ")
    return joined((family, joined((prefix, given, middle), " "), suffix), ", ")


def number_words(value: float, digits: int = 6) -> str:
    """Return a number to so many digits, without needless zeros."""
    return f"{value:.{digits}g}"


def uid_words(uid: str) -> str:
    """Return the name of a registered UID, else the UID."""
    return uid_name(uid) or uid


def class_words(uid: str) -> str:
    """Return what instances of a SOP class are called, such as "CT Image"."""
    name = uid_name(uid).replace(" Storage", "") or "Instance"
    return name.replace("Positron Emission Tomography", "PET")


def size_words(length: int) -> str:
    """Return a number of bytes for people."""
    if length < 1024:
        return f"{length} byte{'' if length == 1 else 's'}"
    size, unit = length / 1024, "KiB"
    if size >= 1024:
        size, unit = size / 1024, "MiB"
    return f"{size:.1f} {unit}"


def duration_words(seconds: float) -> str:
    """Return a length of time: "10 s", "2:05 min", "23:10:05 h"."""
    if seconds < 60 or seconds > 1e9:  # decades are no length that anybody reads as hours
        return f"{number_words(seconds, 4)} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def count_words(count: int, thing: str) -> str:
    """Return "1 point", "2,000 points"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
