"""Wildcards as each back end and Python spell them: `*` any run of characters, `?` any one, nothing else.

LIKE on PostgreSQL, GLOB on SQLite (whose LIKE ignores case and so cannot use an index), a regular expression
for the matcher over DICOM JSON. The three agree on every text.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache

from archive.index.sql import Sql, all_of, compare

_WILD = re.compile(r"[*?]")
_LAST = chr(0x10FFFF)


def is_pattern(text: str) -> bool:
    """Tell whether the text holds a wildcard."""
    return _WILD.search(text) is not None


def prefix(pattern: str) -> str:
    """Return the characters before the first wildcard."""
    return _WILD.split(pattern, maxsplit=1)[0]


def like(column: Sql, pattern: str, *, sqlite: bool) -> Sql:
    """Return the condition that a column is like a pattern, or equal to it where it has no wildcard."""
    pattern = re.sub(r"\*+", "*", pattern)
    if not is_pattern(pattern):
        return compare(column, "=", pattern)
    if not sqlite:
        escaped = re.sub(r"([\\%_])", r"\\\1", pattern)  # LIKE takes the backslash of itself
        return Sql(f"{column.text} LIKE ?", (*column.values, escaped.replace("*", "%").replace("?", "_")))
    glob = Sql(f"{column.text} GLOB ?", (*column.values, pattern.replace("[", "[[]")))
    start = prefix(pattern)
    if not start:
        return glob
    # Said outright, for SQLite uses an index for GLOB only in some plans.
    return all_of((compare(column, ">=", start), compare(column, "<=", start + _LAST), glob))


def matches(pattern: str, text: str) -> bool:
    """Tell whether a text is like a pattern."""
    return _compiled(pattern).match(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
