"""The Warning header: bounded, ASCII, one line."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from archive.dicomweb.headers import unquote
from archive.dicomweb.warnings import MAX_WARNING, warning_header, warning_headers

_FORM = re.compile(r'299 filmroom: "(?:[^"\\]|\\.)*"')


def said(value: str) -> str:
    assert _FORM.fullmatch(value)
    return unquote(value.removeprefix("299 filmroom: "))


def test_equal_sentences_are_said_once() -> None:
    assert said(warning_header(["a", "b", "a"])) == "a (2 times); b"


def test_what_finds_no_room_is_counted() -> None:
    text = said(warning_header([f"attribute {n} is wrong" for n in range(1000)], more="/api/requests/1"))
    assert text.startswith("attribute 0 is wrong; attribute 1 is wrong; ")
    assert re.search(r"; and 9\d\d more; see /api/requests/1$", text)
    text = said(warning_header(["x" * 5000, "y"], more="/api/requests/1"))
    assert re.search(r"^x+\.\.\.; and 1 more; see /api/requests/1$", text)


@given(st.lists(st.text(max_size=400), max_size=80), st.none() | st.just("/api/requests/1"))
def test_any_sentences_are_safe_in_a_header(texts: list[str], more: str | None) -> None:
    values = [warning_header(texts, more=more), *warning_headers(texts)]
    assert all(len(value) <= MAX_WARNING and value.isascii() and value.isprintable() for value in values)
    assert all(_FORM.fullmatch(value) for value in values)
    assert sum(map(len, warning_headers(texts))) <= MAX_WARNING


def test_one_header_for_each_note() -> None:
    assert [said(value) for value in warning_headers(["a", 'b "c" \\', "a"])] == ["a", 'b "c" \\']
    assert warning_headers([]) == []
