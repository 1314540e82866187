"""UIDs as they reach keys, rows and paths (PS3.5 9.1)."""

from __future__ import annotations

import re

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
MAX_LENGTH = 64


def trim_uid(value: str) -> str:
    """Remove the padding of a UID: trailing NUL by the standard, spaces by habit."""
    return value.strip(" \0")


def is_uid(value: str) -> bool:
    """Tell whether a trimmed value may stand in a key or a path.

    Digits and single dots, 1 to 64 characters. Components with leading zeros are against PS3.5 9.1 but
    real devices make them and they harm nothing, so they pass and are matched as text.
    """
    return len(value) <= MAX_LENGTH and _UID.fullmatch(value) is not None
