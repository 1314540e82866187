"""Values of a pydicom Dataset for those who show them: what is missing, empty or of a wrong kind is nothing.

Owns the safe look at a data set: no function raises, and every text is free of characters that neither HTML
nor XML may hold. How dates, names and codes are worded is left to archive/rendering/wording.py.
"""

from __future__ import annotations

import math
import re
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x80-\x84\x86-\x9f]")
_EMPTY = Dataset()


def clean(text: str) -> str:
    """Replace what XML 1.0 forbids (control characters, lone surrogates) by U+FFFD."""
    return _ILLEGAL.sub("\ufffd", text)


def element(ds: Dataset, keyword: str) -> DataElement | None:
    """Return an element by its keyword, None where there is none."""
    tag = tag_for_keyword(keyword)
    return ds[tag] if tag is not None and tag in ds else None


def listed(value: Any) -> list[Any]:
    """Return the values of an element as a list."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple | MultiValue) else [value]


def texts(ds: Dataset, keyword: str) -> list[str]:
    """Return the values as text, empty ones too; none for sequences and bytes."""
    found = element(ds, keyword)
    if found is None or isinstance(found.value, Sequence | bytes):
        return []
    return [clean(str(each)).strip(" \0") for each in listed(found.value)]


def text(ds: Dataset, keyword: str) -> str:
    """Return the first value that is not empty as text, "" where there is none."""
    return next((each for each in texts(ds, keyword) if each), "")


def numbers(ds: Dataset, keyword: str) -> list[float]:
    """Return the values that are finite numbers."""
    found = element(ds, keyword)
    if found is None or isinstance(found.value, Sequence | bytes):
        return []
    return [number for each in listed(found.value) if (number := _number(each)) is not None]


def number(ds: Dataset, keyword: str) -> float | None:
    """Return the first value that is a finite number."""
    return next(iter(numbers(ds, keyword)), None)


def integer(ds: Dataset, keyword: str) -> int | None:
    """Return the first value that is a finite number, without what follows its decimal point."""
    found = number(ds, keyword)
    return None if found is None else int(found)


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None  # no number is a value that bad data have
    return found if math.isfinite(found) else None


def items(ds: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is missing or no sequence."""
    found = element(ds, keyword)
    return list(found.value) if found is not None and isinstance(found.value, Sequence) else []


def first_item(ds: Dataset, keyword: str) -> Dataset:
    """Return the first item of a sequence, an empty data set where there is none."""
    return next(iter(items(ds, keyword)), _EMPTY)


def data(ds: Dataset, keyword: str) -> bytes:
    """Return the bytes of a binary value, b"" where there are none."""
    found = element(ds, keyword)
    return found.value if found is not None and isinstance(found.value, bytes) else b""
