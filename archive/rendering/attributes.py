"""Attributes that pictures are made of: numbers, texts, items and tables, whatever is wrong with them.

Owns the one way in which rendering reads a data set: a value that is missing, empty, not a number or cannot
be read at all is None or an empty tuple, so that each transformation decides what it does without it.
Leaves reading the data set to header.py and what the attributes mean to the modules that ask.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.tag import Tag as make_tag  # noqa: N813  it is a function

# What pydicom raises for values that it cannot convert; it converts each when it is first asked for.
_UNREADABLE = (
    ValueError,  # and UnicodeError
    BytesLengthException,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    OverflowError,
    NotImplementedError,
    RecursionError,
    OSError,
    struct.error,
)

Tag = str | int
"""A keyword, or a tag where there is no keyword: overlays repeat in groups."""


def value(ds: Dataset, tag: Tag) -> Any:
    """Return what pydicom makes of a value; None where it is missing, empty or unreadable."""
    try:
        key = _tag(tag)
        found = ds[key].value if key in ds else None
    except _UNREADABLE:
        return None
    return None if isinstance(found, (str, bytes)) and not found else found


def texts(ds: Dataset, tag: Tag) -> tuple[str, ...]:
    """Return the values as texts without outer blanks, empty ones left out."""
    found = value(ds, tag)
    if isinstance(found, bytes):
        found = found.decode("ascii", "replace").split("\\")
    return tuple(text for one in _many(found) if one is not None and (text := str(one).strip(" \x00\t\r\n")))


def text(ds: Dataset, tag: Tag) -> str:
    """Return the first value as text, "" where there is none."""
    return next(iter(texts(ds, tag)), "")


def numbers(ds: Dataset, tag: Tag) -> tuple[float | None, ...]:
    """Return the values as numbers, None for each that is not finite or no number."""
    found = value(ds, tag)
    if isinstance(found, bytes):
        found = _from_bytes(found)
    return () if found is None else tuple(_number(one) for one in _many(found))


def number(ds: Dataset, tag: Tag) -> float | None:
    """Return the first value as a finite number, None where it is none."""
    return next(iter(numbers(ds, tag)), None)


def integer(ds: Dataset, tag: Tag, default: int) -> int:
    """Return the first value as a whole number, `default` where it is none."""
    found = number(ds, tag)
    return default if found is None else int(found)


def items(ds: Dataset, tag: Tag) -> Sequence | tuple[Dataset, ...]:
    """Return the items of a sequence, none where it is missing or no sequence."""
    found = value(ds, tag)
    return found if isinstance(found, Sequence) else ()


def item(ds: Dataset, tag: Tag) -> Dataset | None:
    """Return the first item of a sequence."""
    return next(iter(items(ds, tag)), None)


def octets(ds: Dataset, tag: Tag) -> bytes:
    """Return a binary value as little-endian bytes, b"" where there is none."""
    found = value(ds, tag)
    if isinstance(found, (bytes, bytearray)):
        return bytes(found)
    try:
        return (np.array(list(_many(found)), dtype=np.int64) & 0xFFFF).astype("<u2").tobytes()
    except (ValueError, TypeError, OverflowError):
        return b""


def words(ds: Dataset, tag: Tag) -> NDArray[np.uint16]:
    """Return a binary value as 16-bit words, without an odd byte at its end."""
    found = octets(ds, tag)
    return np.frombuffer(found[: len(found) // 2 * 2], dtype="<u2")


@lru_cache(maxsize=512)
def _tag(tag: Tag) -> BaseTag:
    """Return a tag as pydicom looks it up: parsing a keyword takes longer than finding its value."""
    return make_tag(tag)


def _many(found: Any) -> Iterable[Any]:
    return found if isinstance(found, (MultiValue, list, tuple)) else (found,)


def _number(one: Any) -> float | None:
    try:
        number_ = float(one)
    except _UNREADABLE:
        return None
    return number_ if math.isfinite(number_) else None


def _from_bytes(found: bytes) -> list[Any]:
    """Read a value whose VR is unknown: digits are a decimal or integer string, others 16-bit words."""
    stripped = found.strip(b" \x00")
    if stripped and not stripped.strip(b"0123456789+-.eE\\ "):
        return stripped.decode("ascii").split("\\")
    return list(np.frombuffer(found[: len(found) // 2 * 2], dtype="<u2").tolist())
