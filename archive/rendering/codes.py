"""Codes, and numbers with their units, as a person reads them: items of code sequences (PS3.3 8.8), UCUM.

Leaves plain values to wording.py.
"""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from archive.rendering.values import first_item, items, number, text
from archive.rendering.wording import joined, number_words

_PLAIN_UNIT = re.compile(r"[A-Za-z%/.0-9-]+")
_ANNOTATION = re.compile(r"\{[^}]*\}")
_UNITS = {
    "um": "µm",
    "uV": "µV",
    "ug": "µg",
    "uL": "µL",
    "Cel": "°C",
    "deg": "°",
    "cm2": "cm²",
    "cm3": "cm³",
    "m2": "m²",
    "mm2": "mm²",
    "mm3": "mm³",
    "kg/m2": "kg/m²",
    "mm[Hg]": "mmHg",
    "Gy.m2": "Gy·m²",
    "Gym2": "Gy·m²",
    "mGy.cm": "mGy·cm",
    "uGy.m2": "µGy·m²",
    "dGy.cm2": "dGy·cm²",
}
"""UCUM codes that people write otherwise."""


def code_words(item: Dataset) -> str:
    """Return the meaning of a code sequence item, its value and scheme where it has no meaning."""
    meaning = text(item, "CodeMeaning")
    if meaning:
        return meaning
    value = text(item, "CodeValue") or text(item, "LongCodeValue") or text(item, "URNCodeValue")
    scheme = text(item, "CodingSchemeDesignator")
    return f"{value} ({scheme})" if value and scheme else value


def code_of(ds: Dataset, keyword: str) -> str:
    """Return the words of all codes of a sequence."""
    return joined((code_words(item) for item in items(ds, keyword)), ", ")


def unit_words(ds: Dataset, keyword: str) -> str:
    """Return the unit that a code sequence names: UCUM as people write it, "" for a plain number."""
    item = first_item(ds, keyword)
    value = text(item, "CodeValue")
    if value == "1":
        return ""
    if value in _UNITS:
        return _UNITS[value]
    plain = _ANNOTATION.sub("", value)  # "{SUVbw}g/ml" is g/ml
    if text(item, "CodingSchemeDesignator") == "UCUM" and _PLAIN_UNIT.fullmatch(plain):
        return plain
    return text(item, "CodeMeaning") or value.strip("{}")


def number_of(ds: Dataset, keyword: str, unit: str = "", digits: int = 6) -> str:
    """Return the first number of an element with its unit, "" where there is none."""
    found = number(ds, keyword)
    return "" if found is None else joined((number_words(found, digits), unit), " ")
