"""Values of the DICOM JSON model in the words that people read: names, dates, ages, sizes.

Each function takes what the index gives and returns text, empty where nothing is known; templates show a dash
there (macro `shown`). All of them are Jinja filters of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from archive.dicomweb import moments
from archive.rendering.wording import date_words, person_words

_SEXES = {"F": "F", "M": "M", "O": "other"}
_AGE_UNITS = {"D": "d", "W": "wk", "M": "mo", "Y": "y"}
_SIZES = ("bytes", "KB", "MB", "GB", "TB", "PB")


def value(attributes: Mapping[str, Any], tag: str) -> Any:
    """Return the first value of an attribute, or None."""
    values = (attributes.get(tag) or {}).get("Value")
    return values[0] if isinstance(values, list) and values else None


def text(attributes: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an attribute as text."""
    found = value(attributes, tag)
    return "" if found is None or isinstance(found, Mapping) else str(found).strip()


def person(name: Any) -> str:
    """Return a name as people write it: family name, given names, title.

    `name` is a value of PN in DICOM JSON, or text, whose first group counts. Where there is an ideographic
    group beside the alphabetic one, or a phonetic one alone, it comes in brackets.
    """
    if not isinstance(name, Mapping):
        return person_words(str(name or "").split("=")[0])
    alphabetic, *others = (str(name.get(each) or "") for each in ("Alphabetic", "Ideographic", "Phonetic"))
    return person_words(f"{alphabetic}={next((each for each in others if each.strip(' ^')), '')}")


def day(dicom_date: Any) -> str:
    """Return a date (DA) as 25 Nov 2026; what is no date stays as it is."""
    raw = str(dicom_date or "").strip()
    folded = moments.date_of(raw)
    return date_words(folded) if folded else raw


def iso_day(dicom_date: Any) -> str:
    """Return a date (DA) as 2026-11-25, for <time datetime>; empty where it is none."""
    folded = moments.date_of(str(dicom_date or "").strip()) or ""
    return f"{folded[:4]}-{folded[4:6]}-{folded[6:8]}" if folded else ""


def clock(dicom_time: Any) -> str:
    """Return a time (TM) as 14:05; what is no time stays as it is."""
    raw = str(dicom_time or "").strip()
    folded = moments.time_floor(raw)
    return f"{folded[:2]}:{folded[2:4]}" if folded else raw


def sex(code: Any) -> str:
    """Return PatientSex in a word."""
    return _SEXES.get(str(code or "").strip(), str(code or "").strip())


def age(dicom_age: Any) -> str:
    """Return an age (AS) without zeros: 045Y becomes 45 y."""
    raw = str(dicom_age or "").strip()
    found = re.fullmatch(r"([0-9]{1,3})([DWMY])", raw)
    return f"{int(found[1])} {_AGE_UNITS[found[2]]}" if found else raw


def age_at(birth_date: Any, study_date: Any) -> str:
    """Return the age on the day of the study, from two dates (DA); empty where one is missing."""
    born, then = _date(birth_date), _date(study_date)
    if born is None or then is None or then < born:
        return ""
    years = then.year - born.year - ((then.month, then.day) < (born.month, born.day))
    if years >= 2:
        return f"{years} y"
    months = (then.year - born.year) * 12 + then.month - born.month - (then.day < born.day)
    return f"{months} mo" if months else f"{(then - born).days} d"


def _date(dicom_date: Any) -> date | None:
    try:
        return date.fromisoformat(iso_day(dicom_date))
    except ValueError:
        return None


def size(number: Any) -> str:
    """Return a number of bytes with a unit: 1.2 GB."""
    amount = float(number or 0)
    for unit in _SIZES:
        if amount < 1000 or unit == _SIZES[-1]:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def number(count: Any) -> str:
    """Return a whole number in groups of three: 1,234,567."""
    return f"{int(count or 0):,}"


def plural(count: Any, one: str, many: str = "") -> str:
    """Return a number with its noun: 1 study, 2 studies."""
    return f"{number(count)} {one if int(count or 0) == 1 else many or one + 's'}"


def moment(when: datetime) -> str:
    """Return a moment as 25 Nov 2026, 14:05 UTC."""
    utc = when.astimezone(UTC)
    return f"{date_words(f'{utc:%Y%m%d}')}, {utc:%H:%M} UTC"


FILTERS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (value, text, person, day, iso_day, clock, sex, age, age_at, size, number, plural, moment)
}
