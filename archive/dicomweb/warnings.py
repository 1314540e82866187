"""The Warning header (RFC 7234 5.5): what a person should know of a request that was answered anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from archive.dicomweb.headers import quote

AGENT = "filmroom"
MAX_WARNING = 1024
"""Bytes of all Warning headers of an answer; proxies refuse answers with long headers."""


def _value(text: str) -> str:
    return f"299 {AGENT}: {quote(text)}"


def warning_header(sentences: Iterable[str], *, more: str | None = None) -> str:
    """Return one Warning value that holds the sentences, equal ones once with their number.

    At most MAX_WARNING bytes, ASCII, no line breaks. What finds no room is counted, and `more` says where to
    read it.
    """
    counts = Counter(sentences)
    texts = [f"{text} ({count} times)" if count > 1 else text for text, count in counts.items()]
    for kept in range(len(texts), 0, -1) if len(texts) < 50 else range(50, 0, -1):
        value = _value(_joined(texts, kept, more))
        if len(value) <= MAX_WARNING:
            return value
    text = texts[0] if texts else ""
    for length in range(MAX_WARNING, 0, -64):
        value = _value(_joined([text[:length] + "...", *texts[1:]], 1, more))
        if len(value) <= MAX_WARNING:
            return value
    return _value(f"{len(texts)} warnings")


def _joined(texts: list[str], kept: int, more: str | None) -> str:
    left = len(texts) - kept
    ends = [f"and {left} more"] if left else []
    if more is not None and (left or texts[0].endswith("...")):
        ends.append(f"see {more}")
    return "; ".join([*texts[:kept], *ends])


def warning_headers(sentences: Iterable[str]) -> list[str]:
    """Return one Warning value for each sentence, as many as there is room for."""
    values: list[str] = []
    room = MAX_WARNING
    for text in dict.fromkeys(sentences):
        value = _value(text)
        room -= len(value)
        if room < 0:
            break
        values.append(value)
    return values
