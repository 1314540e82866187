"""The addresses of resources (PS3.18 8.2, 10.4.1 and 10.6.1), and the paths of bulk values in them.

What the base is (a public address, or what a trusted proxy says) is decided by the web layer.
"""

from __future__ import annotations

import re

from archive.errors import InvalidRequest
from archive.model.level import Place

MAX_DEPTH = 256
"""Sequences within sequences that the path of a bulk value may pass."""
MAX_FRAMES = 10_000
"""Frames that one request may ask for."""

_BULK_PATH = re.compile(rf"(?:[0-9A-Fa-f]{{8}}/[1-9][0-9]{{0,8}}/){{0,{MAX_DEPTH}}}[0-9A-Fa-f]{{8}}")


def place_url(base: str, place: Place) -> str:
    """Return the address of a study, a series or an instance; `base` is that of the DICOMweb root.

    UIDs are checked before they reach a Place, and need no escapes.
    """
    steps = (("studies", place.study_uid), ("series", place.series_uid), ("instances", place.sop_uid))
    path = "".join(f"/{name}/{uid}" for name, uid in steps if uid is not None)
    return base.rstrip("/") + path


def frame_url(base: str, place: Place, number: int) -> str:
    """Return the address of a frame, counted from 1."""
    return f"{place_url(base, place)}/frames/{number}"


def bulkdata_url(base: str, place: Place, path: str) -> str:
    """Return the BulkDataURI of a value; `path` is as in archive.model.instance.BulkValue."""
    return f"{place_url(base, place)}/bulkdata/{path}"


def parse_bulk_path(text: str) -> str:
    """Return the path of a bulk value as the index keeps it: tags in upper-case hex, items counted from 1."""
    if not _BULK_PATH.fullmatch(text):
        raise InvalidRequest(
            "the path of a bulk value is a tag of 8 hex digits, after tag/item for each sequence it is in",
            where="bulkdata",
        )
    return text.upper()


def parse_frames(text: str) -> tuple[int, ...]:
    """Return the frame numbers of a list such as 1,3,2, in its order, MAX_FRAMES at most (10.4.1.1.6)."""
    numbers = text.replace("%2C", ",").replace("%2c", ",").split(",")
    if not all(re.fullmatch(r" *[0-9]{1,9} *", number) and int(number) > 0 for number in numbers):
        raise InvalidRequest("frames are whole numbers from 1, separated by commas", where="frames")
    if len(numbers) > MAX_FRAMES:
        raise InvalidRequest(f"more than {MAX_FRAMES} frames in one request", where="frames")
    return tuple(int(number) for number in numbers)
