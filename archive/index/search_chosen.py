"""Matching on the values of attributes that a site indexed (search_attributes.py says how they are kept)."""

from __future__ import annotations

from archive.index import folding
from archive.index.patterns import like
from archive.index.schema import search_values
from archive.index.search_attributes import NAME_ROWS, NAME_WORDS, SearchAttribute
from archive.index.search_columns import text_condition
from archive.index.sql import TRUE, Sql, all_of, among, any_of, column, compare, sql, value
from archive.model.query import AnyOf, DateTimeRange, FuzzyName, Key, Range, Wildcard

_VALUE = column(search_values.c.value)
_WITH_VALUE = (
    "EXISTS (SELECT 1 FROM search_values WHERE search_values.attribute_id = {}"
    " AND search_values.instance_id = instances.id AND {})"
)
_OF_VALUE = (
    "instances.id IN (SELECT search_values.instance_id FROM search_values"
    " WHERE search_values.attribute_id = {} AND {})"
)


def instance_condition(attribute: SearchAttribute, key: Key, *, sqlite: bool) -> tuple[Sql, bool]:
    """Return the condition that an instance has a value which matches, and whether that decides the key.

    Few instances are found first where the value is known whole; for parts of one, each is looked at.
    """
    condition, decides = _value_condition(attribute, key, sqlite=sqlite)
    template = _OF_VALUE if isinstance(key.match, AnyOf) else _WITH_VALUE
    return sql(template, value(attribute.id), condition), decides


def _value_condition(attribute: SearchAttribute, key: Key, *, sqlite: bool) -> tuple[Sql, bool]:
    tag, match = key.path[-1], key.match
    if attribute.vr == "PN":
        return _name_value(key, sqlite=sqlite)
    if isinstance(match, DateTimeRange):
        low, high = (end[:8] if end else None for end in (match.low, match.high))
        return text_condition(_VALUE, tag, "DA", Range(low, high), sqlite=sqlite), False
    if attribute.vr == "UN" and isinstance(match, AnyOf):
        # The VR is that of each instance: the text may be a number written in another way.
        forms = {form for v in match.values for form in (folding.clean(v), folding.number_form(v)) if form}
        cut = sorted(form[: folding.LONGEST] for form in forms)
        return among(_VALUE, cut), len(forms) == len(match.values)
    return text_condition(_VALUE, tag, attribute.vr, match, sqlite=sqlite), True


def _name_value(key: Key, *, sqlite: bool) -> tuple[Sql, bool]:
    match = key.match
    if isinstance(match, FuzzyName):
        words = folding.query_words(match.words)
        parts = [like(_VALUE, f"{NAME_WORDS}* {word}*", sqlite=sqlite) for word in words]
        return all_of((compare(_VALUE, ">=", NAME_WORDS), *parts)), True
    assert isinstance(match, AnyOf | Wildcard)  # noqa: S101 a name has no other match
    arms: list[Sql] = []
    for name in match.values if isinstance(match, AnyOf) else match.patterns:
        wanted = folding.name_patterns(name)
        if len(wanted) > 1 or not wanted[0]:
            return TRUE, False
        arms += [
            like(_VALUE, letter + pattern, sqlite=sqlite) for letter in NAME_ROWS for pattern in wanted[0]
        ]
    return any_of(arms), True
