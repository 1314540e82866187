"""The grammar of keys, the same for every driver.

    key     = segment *( "/" segment )      at most 800 characters, so that a prefix fits before it
    segment = 1*255( letter / digit / "." / "_" / "-" ), neither "." nor ".."

Keys of the grammar are safe as paths and in URLs as they are. A driver may use any other character for
names of its own, which no key can then meet.
"""

from __future__ import annotations

import re

from storage.errors import BadKey

MAX_KEY = 800  # S3 allows 1024 bytes with the prefix

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]{1,255}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*\Z")
_BEGINNING = re.compile(rf"(?:{_SEGMENT}/)*[A-Za-z0-9._-]{{0,255}}\Z")


def is_key(text: str) -> bool:
    """Say whether `text` is a key."""
    return len(text) <= MAX_KEY and _KEY.match(text) is not None


def check_key(key: str) -> None:
    """Raise BadKey where `key` is not a key."""
    if not is_key(key):
        raise BadKey(f"not a key: {key[:MAX_KEY]!r}")


def check_beginning(text: str) -> None:
    """Raise BadKey where no key can begin with `text`; every key begins with ""."""
    if len(text) > MAX_KEY or not _BEGINNING.match(text):
        raise BadKey(f"not the beginning of a key: {text[:MAX_KEY]!r}")
