"""Conditions and ranges of a request (RFC 9110 13 and 14), against a known ETag and size."""

from __future__ import annotations

import re

from archive.errors import RangeNotSatisfiable

_ETAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_LONGEST = 18  # digits of a number of bytes


def matches(header: str | None, etag: str) -> bool:
    """Tell whether If-None-Match names the ETag, or anything; the comparison is weak (RFC 9110 8.8.3.2)."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    opaque = etag.removeprefix("W/")
    return any(found[2] == opaque for found in _ETAG.finditer(header))


def _same(header: str, etag: str) -> bool:
    """Compare strongly, as ranges demand: neither may be weak. A date never matches, for we send none."""
    return not etag.startswith("W/") and header.strip() == etag


def parse_range(
    header: str | None, size: int, if_range: str | None = None, etag: str = ""
) -> tuple[int, int] | None:
    """Return the first byte and the length that Range asks for, or None for the whole.

    The whole too if the header cannot be read, names several ranges, or If-Range names another ETag. Raise
    RangeNotSatisfiable if it starts beyond the end.
    """
    if header is None or (if_range is not None and not _same(if_range, etag)):
        return None
    found = _RANGE.fullmatch(header)
    if found is None or found[1] == found[2] == "":
        return None
    if max(len(found[1]), len(found[2])) > _LONGEST:
        first, last = (2**63, 2**63) if len(found[1]) > _LONGEST else (int(found[1] or 0), 2**63)
    elif found[1] == "":
        first, last = max(0, size - int(found[2])), size - 1
        first = first if int(found[2]) else size
    else:
        first, last = int(found[1]), int(found[2] or 2**63)
        if last < first:
            return None
    if first >= size:
        raise RangeNotSatisfiable("the range starts beyond the end", size=size)
    return first, min(last, size - 1) - first + 1
