"""The beginning of a JSON text, made whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.dicom.json_prefix import whole_prefix

_VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(max_examples=60)
@given(st.dictionaries(st.text(), _VALUES), st.floats(0, 1), st.booleans())
def test_any_beginning_is_whole_json_of_the_same_values(
    value: dict[str, Any], share: float, escape: bool
) -> None:
    text = json.dumps(value, ensure_ascii=escape, separators=(",", ":")).encode("utf-8", "surrogatepass")
    cut = text[: int(len(text) * share)]
    try:
        found = json.loads(whole_prefix(cut))
    except ValueError as error:
        assert "no value ends" in str(error)  # noqa: PT017 a beginning may be too short for anything
        return
    assert is_part(found, value)


def is_part(found: Any, whole: Any) -> bool:
    """Tell whether a value is another one or a beginning of it."""
    if isinstance(found, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(each, whole[key]) for key, each in found.items())
    if isinstance(found, list) and isinstance(whole, list):
        return len(found) <= len(whole) and all(map(is_part, found, whole))
    return bool(found == whole)


def test_braces_in_texts_do_not_count() -> None:
    assert whole_prefix(b'{"a":{"b":"}]\\"}"},"c":["{\\\\') == b'{"a":{"b":"}]\\"}"}}'
    with pytest.raises(ValueError, match="no value ends"):
        whole_prefix(b'{"a":"}')
