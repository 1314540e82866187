"""Dates, times and date-times as text that sorts and compares byte by byte.

Owns the reading of DA, TM and DT (PS3.5 6.2, and the dotted dates and coloned times of ACR-NEMA) for queries
and for the index. Every text has its full width; what was left out is filled up from below (`floor`) or from
above (`ceil`). Time zone offsets are read and set aside: values are compared as they were written.
"""

from __future__ import annotations

import re
from datetime import date

_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})|([0-9]{4})\.([0-9]{2})\.([0-9]{2})")
_TIME = re.compile(
    r"([01][0-9]|2[0-3])(?:([0-5][0-9])(?:([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?"
    r"|:([0-5][0-9])(?::([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?"
)
_OFFSET = re.compile(r"[+-](?:0[0-9]|1[0-4])[0-5][0-9]$")

_LEAST_TIME = "000000.000000"
_MOST_TIME = "235960.999999"


def date_of(text: str) -> str | None:
    """Return a DA as YYYYMMDD, None where it is no day of the calendar."""
    match = _DATE.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    digits = "".join(part for part in match.groups() if part)
    return digits if _is_day(digits) else None


def time_floor(text: str) -> str | None:
    """Return the first instant that a TM stands for, as HHMMSS.ffffff, None where it is no time."""
    return _time(text, "000000", "000000")


def time_ceil(text: str) -> str | None:
    """Return the last instant that a TM stands for, as HHMMSS.ffffff, None where it is no time."""
    return _time(text, "235959", "999999")


def moment_floor(text: str) -> str | None:
    """Return the first instant that a DT stands for, as YYYYMMDDHHMMSS.ffffff, None where it is none."""
    parts = _moment(text)
    if parts is None:
        return None
    day, time = parts
    day += "0101"[len(day) - 4 :]
    rest = _LEAST_TIME if not time else time_floor(time)
    return day + rest if rest and _is_day(day) else None


def moment_ceil(text: str) -> str | None:
    """Return the last instant that a DT stands for, as YYYYMMDDHHMMSS.ffffff, None where it is none."""
    parts = _moment(text)
    if parts is None:
        return None
    day, time = parts
    filled = day + "0101"[len(day) - 4 :]
    rest = _MOST_TIME if not time else time_ceil(time)
    if rest is None or not _is_day(filled):
        return None
    return day + "1231"[len(day) - 4 :] + rest  # the 31st of a shorter month sorts after its last day


def without_offset(text: str) -> str:
    """Return a DT without its offset from UTC."""
    return _OFFSET.sub("", text)


def _moment(text: str) -> tuple[str, str] | None:
    stripped = without_offset(text.strip(" \0"))
    head = re.match(r"[0-9]+", stripped)
    if head is None or len(head[0]) < 4 or len(head[0]) % 2:
        return None
    return stripped[: min(8, len(head[0]))], stripped[min(8, len(head[0])) :]


def _time(text: str, fill: str, fraction_fill: str) -> str | None:
    match = _TIME.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    hour, minute, second, fraction, minute2, second2, fraction2 = match.groups()
    digits = hour + (minute or minute2 or "") + (second or second2 or "")
    given = fraction or fraction2 or ""
    return f"{digits}{fill[len(digits) :]}.{given}{fraction_fill[len(given) :]}"


def _is_day(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True
