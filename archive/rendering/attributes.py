"""Attributes that pictures are made of: numbers, texts, items and tables, whatever is wrong with them.

Owns the one way in which rendering reads a head: a value that is missing, empty, not a number or cannot be
read at all is None or an empty tuple, so that each transformation decides what it does without it.
Leaves reading the head to header.py and what the attributes mean to the modules that ask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.rendering.header import Head, Tag


def texts(ds: Head, tag: Tag) -> tuple[str, ...]:
    """Return the values as texts without outer blanks, empty ones left out."""
    found = ds.value(tag)
    if isinstance(found, bytes):
        found = found.decode("ascii", "replace").split("\\")
    return tuple(text for one in _many(found) if one is not None and (text := str(one).strip(" \x00\t\r\n")))


def text(ds: Head, tag: Tag) -> str:
    """Return the first value as text, "" where there is none."""
    return next(iter(texts(ds, tag)), "")


def numbers(ds: Head, tag: Tag) -> tuple[float | None, ...]:
    """Return the values as numbers, None for each that is not finite or no number."""
    found = ds.value(tag)
    if isinstance(found, bytes):
        found = _from_bytes(found)
    return () if found is None else tuple(_number(one) for one in _many(found))


def number(ds: Head, tag: Tag) -> float | None:
    """Return the first value as a finite number, None where it is none."""
    return next(iter(numbers(ds, tag)), None)


def integer(ds: Head, tag: Tag, default: int) -> int:
    """Return the first value as a whole number, `default` where it is none."""
    found = number(ds, tag)
    return default if found is None else int(found)


def items(ds: Head, tag: Tag) -> tuple[Head, ...]:
    """Return the items of a sequence, none where it is missing or no sequence."""
    return ds.items(tag)


def item(ds: Head, tag: Tag) -> Head | None:
    """Return the first item of a sequence."""
    return next(iter(items(ds, tag)), None)


def octets(ds: Head, tag: Tag) -> bytes:
    """Return a binary value as little-endian bytes, b"" where there is none."""
    found = ds.value(tag)
    if isinstance(found, bytes):
        return found
    try:
        return (np.array(list(_many(found)), dtype=np.int64) & 0xFFFF).astype("<u2").tobytes()
    except (ValueError, TypeError, OverflowError):
        return b""


def words(ds: Head, tag: Tag) -> NDArray[np.uint16]:
    """Return a binary value as 16-bit words, without an odd byte at its end."""
    found = octets(ds, tag)
    return np.frombuffer(found[: len(found) // 2 * 2], dtype="<u2")


def _many(found: Any) -> Iterable[Any]:
    return found if isinstance(found, list) else (found,)


def _number(one: Any) -> float | None:
    try:
        number_ = float(one)
    except (ValueError, OverflowError):
        return None
    return number_ if math.isfinite(number_) else None


def _from_bytes(found: bytes) -> list[Any]:
    """Read a value whose VR is unknown: digits are a decimal or integer string, others 16-bit words."""
    stripped = found.strip(b" \x00")
    if stripped and not stripped.strip(b"0123456789+-.eE\\ "):
        return stripped.decode("ascii").split("\\")
    return list(np.frombuffer(found[: len(found) // 2 * 2], dtype="<u2").tolist())
