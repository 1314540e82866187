"""The form of values in which the index compares them.

Owns what is equal to what: text in Unicode's composed form and without outer blanks, names and descriptions
without case, dates and times at full width, numbers as numbers. The columns, the search and the matcher over
DICOM JSON all fold here, so that they agree. Values as they were sent stay in the `attributes` of each row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from archive.dicomweb import moments
from archive.dicomweb.attribute_names import keyword_of
from archive.dicomweb.search_values import NUMBERS
from archive.model.instance import Element

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_CONTROL = re.compile(r"[\n\t]")
_COMBINING = re.compile("[\u0300-\u036f]")
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL takes no NUL, and UTF-8 no lone surrogate
_BETWEEN_WORDS = re.compile(r"[\s^=,.\-]+")
_NO_DECOMPOSITION = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe"})
_BIGINT = 2**63
_BEFORE_BLANKS = "\x01"
_SORTED = 64  # characters of a name that it is sorted by
LONGEST = 512
"""Characters of a value that the index compares: a B-tree of PostgreSQL takes 2,700 bytes."""


def study_columns(attributes: Mapping[str, Element]) -> dict[str, Any]:
    """Return the matching columns of `studies` for the attributes of a study."""
    return {
        "study_date": _first(attributes, "00080020", "DA"),
        "study_time": _first(attributes, "00080030", "TM"),
        "accession_number": _first(attributes, "00080050", "SH"),
        "study_id": _first(attributes, "00200010", "SH"),
        "patient_id": _first(attributes, "00100020", "LO"),
        "issuer_of_patient_id": _first(attributes, "00100021", "LO"),
        "patient_birth_date": _first(attributes, "00100030", "DA"),
        "patient_sex": _first(attributes, "00100040", "CS"),
        **_name_columns("patient_name", attributes.get("00100010")),
        "patient_name_order": name_order(next(iter(_values(attributes.get("00100010"))), None)),
        **_name_columns("referring_physician_name", attributes.get("00080090")),
        "study_description": _first(attributes, "00081030", "LO"),
    }


def series_columns(attributes: Mapping[str, Element]) -> dict[str, Any]:
    """Return the matching columns of `series` for the attributes of a series."""
    return {
        "series_number": _whole(attributes, "00200011"),
        "modality": _first(attributes, "00080060", "CS"),
        "body_part_examined": _first(attributes, "00180015", "CS"),
        "series_description": _first(attributes, "0008103E", "LO"),
        "pps_start_date": _first(attributes, "00400244", "DA"),
        "pps_start_time": _first(attributes, "00400245", "TM"),
        "request_ids": "".join(map(request_ids, _values(attributes.get("00400275")))),
    }


def instance_columns(attributes: Mapping[str, Element]) -> dict[str, Any]:
    """Return the matching columns of `instances` for the attributes of an instance, its UIDs left out."""
    return {"instance_number": _whole(attributes, "00200013")}


def request_ids(item: Any) -> str:
    """Return what `series.request_ids` holds of one item of RequestAttributesSequence.

    A line break, ScheduledProcedureStepID, a tab, RequestedProcedureID, a line break: neither is in an SH.
    """
    if not isinstance(item, Mapping):
        return ""
    step, procedure = (request_id(_first(item, tag, "SH")) for tag in ("00400009", "00401001"))
    return f"\n{step}\t{procedure}\n"


def request_id(text: str) -> str:
    """Return an ID, or a pattern for one, as it stands in `series.request_ids`."""
    return _CONTROL.sub("", clean(text))


def clean(text: str) -> str:
    """Return text composed (NFC), without outer blanks and what a database cannot hold."""
    return unicodedata.normalize("NFC", _UNSENDABLE.sub("", text)).strip()


def without_case(text: str) -> str:
    """Return clean text folded by Unicode's canonical caseless matching."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", clean(text)).casefold())


@lru_cache(maxsize=4096)
def ignores_case(tag: str, vr: str) -> bool:
    """Tell whether matching ignores case: in names and descriptions, nowhere else."""
    return vr == "PN" or (
        vr in {"LO", "LT", "SH", "ST", "UC", "UT"} and keyword_of(tag).endswith("Description")
    )


def text_form(tag: str, vr: str, text: str) -> str:
    """Return the form in which the text of an attribute is compared, in data and queries alike."""
    return without_case(text) if ignores_case(tag, vr) else clean(text)


def value_form(tag: str, vr: str, value: Any) -> str:
    """Return the form in which one value of the DICOM JSON model is compared; empty where it has none.

    Not for PN and SQ. Dates, times and numbers that cannot be read are empty: they match nothing.
    """
    if value is None or isinstance(value, Mapping):
        return ""
    text = str(value)
    if vr == "DA":
        return moments.date_of(text) or ""
    if vr == "TM":
        return moments.time_floor(text) or ""
    if vr == "DT":
        return moments.moment_floor(text) or ""
    if vr in NUMBERS:
        return number_form(text) or ""
    return text_form(tag, vr, text)


def number_form(text: str) -> str | None:
    """Return a number in one way of writing, so that equal numbers are equal text; None where it is none."""
    try:
        number = Decimal(text.strip(" \0"))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 400:
        return None
    return format(number.normalize() + 0, "f")


def name_forms(value: Any) -> tuple[str, str, str]:
    """Return the three folded component groups of a name, as DICOM JSON or as DICOM text."""
    if isinstance(value, Mapping):
        groups = [str(value.get(group) or "") for group in GROUPS]
    else:
        groups = ("" if value is None else str(value)).split("=")[:3]
    first, second, third = ([name_group(group) for group in groups] + ["", "", ""])[:3]
    return first, second, third


def name_group(text: str) -> str:
    """Return one folded component group: blanks around components and carets at the end do not count."""
    return "^".join(part.strip() for part in without_case(text).split("^")).rstrip("^")


def name_patterns(text: str) -> list[tuple[str, ...]]:
    """Return what each component group of a name must be like, for the text of a query.

    One list of patterns, of which one must match, for each group that the query names; none where the group
    may be anything. A query without `=` names no group: its one list is for any group (PS3.4 C.2.2.2.1.1).
    """
    return [_group_patterns(group) for group in text.split("=")[:3]]


def _group_patterns(text: str) -> tuple[str, ...]:
    pattern = name_group(text)
    if not pattern.strip("*"):
        return ()
    # Carets at the end do not count, so "doe^*" also finds the name that is "doe" alone.
    bare = pattern.removesuffix("*").rstrip("^")
    return (pattern, bare) if pattern.endswith("^*") and bare else (pattern,)


def query_words(words: Iterable[str]) -> list[str]:
    """Return the words of a fuzzy query in the form of `name_words`; they may hold wildcards."""
    parts = (part for word in words for part in _BETWEEN_WORDS.split(_without_accents(word)))
    return [part for part in parts if part.strip("*")]


def name_words(*groups: str) -> str:
    """Return the words of folded groups without accents, each with a blank before it."""
    words = [word for group in groups for word in _BETWEEN_WORDS.split(_without_accents(group)) if word]
    return "".join(f" {word}" for word in words)


def name_order(value: Any) -> str:
    """Return the text by which a name is sorted: without accents, the shorter of two family names first.

    That of its first group which says anything, and no more of it than tells most names apart.
    """
    group = next((group for group in name_forms(value) if group), "")
    return _without_accents(group).replace("^", _BEFORE_BLANKS)[:_SORTED]


def _without_accents(text: str) -> str:
    bare = _COMBINING.sub("", unicodedata.normalize("NFD", without_case(text)))
    return unicodedata.normalize("NFC", bare).translate(_NO_DECOMPOSITION)


def _name_columns(column: str, element: Element | None) -> dict[str, str]:
    first, second, third = (group[:LONGEST] for group in name_forms(next(iter(_values(element)), None)))
    groups = first, second, third
    return {
        column: groups[0],
        f"{column}_ideographic": groups[1],
        f"{column}_phonetic": groups[2],
        f"{column}_words": name_words(*groups),
    }


def _values(element: Element | None) -> list[Any]:
    value = (element or {}).get("Value")
    return list(value) if isinstance(value, list | tuple) else []


def _first(attributes: Mapping[str, Element], tag: str, vr: str) -> str:
    return next((value_form(tag, vr, value)[:LONGEST] for value in _values(attributes.get(tag))), "")


def _whole(attributes: Mapping[str, Element], tag: str) -> int | None:
    text = _first(attributes, tag, "IS")
    number = int(text) if re.fullmatch(r"-?[0-9]+", text) else None
    return number if number is not None and -_BIGINT <= number < _BIGINT else None
