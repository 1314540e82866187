"""The beginning of a long JSON text made whole: cut after the last value that ends in it, and closed.

For texts that are too long to be read at once, where their first part is still worth showing.
"""

from __future__ import annotations

import re

# A string may be cut off by the end; nothing in it counts.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\]]', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}


def whole_prefix(text: bytes) -> bytes:
    """Return the longest beginning of a JSON object that can be closed after an object or array in it.

    `text` is UTF-8 that begins with an object and may end anywhere. Raise ValueError where nothing in it
    ends.
    """
    open_: list[bytes] = []
    end, depth = 0, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in _CLOSING:
            open_.append(_CLOSING[sign])
        elif len(sign) == 1 and sign != b'"':
            open_.pop()
            end, depth = token.end(), len(open_)
    if not end:
        raise ValueError("no value ends in this text")
    return text[:end] + b"".join(reversed(open_[:depth]))
