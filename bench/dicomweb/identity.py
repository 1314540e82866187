"""UIDs of the synthetic objects: all of one length, so that objects become others by a swap of bytes.

    2.25.9 <salt, 6 digits> <kind, 1> <study, 6> <series, 2> <instance, 5>

The first six digits are the salt. An object made with salt 0 is made once; `salted` gives the same object as
another study, patient and all, without reading or writing a data set.
"""

from __future__ import annotations

from enum import IntEnum

_STEM = "2.25.9"


class Kind(IntEnum):
    """What an object is for."""

    SLICE = 1
    MULTI_FRAME = 2
    PERSON = 3


def uid(kind: Kind, study: int, series: int = 0, instance: int = 0, *, salt: int = 0) -> str:
    """Return the UID of a study, of a series where that is given, or of an instance."""
    return f"{_STEM}{salt:06}{kind}{study:06}{series:02}{instance:05}"


def salted(file: bytes, salt: int) -> bytes:
    """Return an object made with salt 0 as that of another salt."""
    return file.replace(f"{_STEM}{0:06}".encode(), f"{_STEM}{salt:06}".encode())


def study_path(kind: Kind, study: int, *, salt: int = 0) -> str:
    """Return the path of a study below the root."""
    return f"/studies/{uid(kind, study, salt=salt)}"


def series_path(kind: Kind, study: int, series: int, *, salt: int = 0) -> str:
    """Return the path of a series."""
    return f"{study_path(kind, study, salt=salt)}/series/{uid(kind, study, series, salt=salt)}"


def instance_path(kind: Kind, study: int, series: int, instance: int, *, salt: int = 0) -> str:
    """Return the path of an instance."""
    sop = uid(kind, study, series, instance, salt=salt)
    return f"{series_path(kind, study, series, salt=salt)}/instances/{sop}"
