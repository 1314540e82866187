"""A query becomes conditions at the three levels, and the keys that SQL cannot decide.

Owns where each key is matched: on a column (search_columns.py), on the values of an attribute that the site
indexed, or, for the rest, by reading the stored JSON (search_scan.py). A key that SQL decides only in part is
both: its condition narrows the candidates. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import sqlalchemy as sa

from archive.index import folding
from archive.index.patterns import Condition, like
from archive.index.schema import instances, search_values, series, studies
from archive.index.search_attributes import NAME_ROWS, NAME_WORDS, SearchAttribute
from archive.index.search_columns import COLUMNS, Context, begins, text_condition
from archive.index.search_order import OrderValues, Segment, Term, segments, terms, whole
from archive.model.attributes import BY_TAG
from archive.model.level import Level, Place
from archive.model.query import AnyOf, DateTimeRange, Empty, FuzzyName, Key, Path, Query, Range, Wildcard

_STUDY_UID = "0020000D"
_REQUESTS = "00400275"
_STEP_ID, _PROCEDURE_ID = "00400009", "00401001"


@dataclass(slots=True)
class Plan:
    """Conditions by level, and `residual` keys to match on JSON.

    Few rows of a `selective` level match, and an index finds them.
    """

    level: Level
    organisation: int
    terms: tuple[Term, ...]
    conditions: dict[Level, list[Condition]] = field(default_factory=lambda: {each: [] for each in Level})
    selective: set[Level] = field(default_factory=set)
    residual: list[Key] = field(default_factory=list)
    sqlite: bool = False
    one_study: bool = False
    parts_of_text: bool = False  # what is looked for may be anywhere in a text of the study

    def segments(self, ordered: tuple[Term, ...], beside: OrderValues | None) -> list[Segment]:
        """Return the results after `beside`, or all of them, as segments that follow each other.

        One alone where SQLite had better find all matches and sort them: reading in the order of an index
        other than that of parts of text, it would fetch the row of every study.
        """
        if self.sqlite and ordered[0].numeric and (self.parts_of_text or self._finds_few()):
            return [whole(ordered, beside)]
        return segments(ordered, beside)

    def order_by(self, ordered: Iterable[Term]) -> list[sa.ColumnElement[Any]]:
        """Return the order by some of the terms over the joined tables."""
        first, *others = ordered
        if not self._finds_few() or first.numeric:
            return [term.order(term.column) for term in (first, *others)]
        return [first.order(first.column.concat("")), *(term.order(term.column) for term in others)]

    def _finds_few(self) -> bool:
        """Tell whether SQLite must be kept from reading all studies in order instead of finding the few.

        It takes every index of studies for as good as the others, so what they begin with is hidden from it.
        """
        return self.sqlite and bool(self.selective) and not self.one_study

    def source(self, depth: Level) -> tuple[sa.FromClause, list[Condition]]:
        """Return the joined tables down to `depth`, and the conditions on a row of them.

        What must hold deeper is a condition that some series or instance below the row meets all of.
        """
        owner = studies.c.organisation_id + 0 if self._finds_few() else studies.c.organisation_id
        conditions: list[Condition] = [owner == self.organisation]
        conditions += [c for each in Level if each <= depth for c in self.conditions[each]]
        deepest = max((each for each in Level if self.conditions[each]), default=Level.STUDY)
        if deepest > depth:
            conditions.append(self._below(depth, deepest))
        return joined(depth), conditions

    def _below(self, depth: Level, deepest: Level) -> Condition:
        own = [c for each in Level if each > depth for c in self.conditions[each]]
        above = studies if depth is Level.STUDY else series
        key = "study_id" if depth is Level.STUDY else "series_id"
        needs_series = depth is Level.STUDY and bool(self.conditions[Level.SERIES])
        table = series if deepest is Level.SERIES else instances
        tables: sa.FromClause = table
        if deepest is Level.INSTANCE and needs_series:
            tables = instances.join(series, series.c.id == instances.c.series_id)
        below = sa.select(table.c[key]).select_from(tables).where(*own)
        # SQLite does not choose between the two ways: few matches are found first, many are looked for.
        if self.sqlite and not self.selective & {each for each in Level if each > depth}:
            return below.where(table.c[key] == above.c.id).correlate(above).exists()
        return above.c.id.in_(below.correlate(None))


def compile_query(query: Query, context: Context, chosen: Iterable[SearchAttribute]) -> Plan:
    """Return the plan of a query over the studies of one organisation."""
    plan = Plan(query.level, context.organisation, terms(query), sqlite=context.sqlite)
    plan.one_study = query.place.study_uid is not None or any(k.path == (_STUDY_UID,) for k in query.keys)
    _place(plan, query.place, context)
    ready = {each.path: each for each in chosen if each.ready}
    for root, keys in _by_root(query.keys).items():
        if len(keys) == 1 and len(keys[0].path) == 1:
            _plain(plan, context, keys[0], ready)
        elif root == _REQUESTS:
            _requests(plan, context, keys)
        else:
            _nested(plan, context, keys, ready)
    for group in query.either:
        _either(plan, context, group)
    return plan


def joined(depth: Level) -> sa.FromClause:
    """Return the joined tables of studies down to a level."""
    tables: sa.FromClause = studies
    if depth >= Level.SERIES:
        tables = tables.join(series, series.c.study_id == studies.c.id)
    if depth >= Level.INSTANCE:
        tables = tables.join(instances, instances.c.series_id == series.c.id)
    return tables


def level_of(path: Path) -> Level:
    """Return the level of an attribute; what the index does not know belongs to the instance."""
    tag = path[0]
    if tag in COLUMNS:
        return COLUMNS[tag].level
    return BY_TAG[tag].level if tag in BY_TAG else Level.INSTANCE


def _by_root(keys: Iterable[Key]) -> Mapping[str, list[Key]]:
    roots: dict[str, list[Key]] = {}
    for key in keys:
        roots.setdefault(key.path[0], []).append(key)
    return roots


def _place(plan: Plan, place: Place, context: Context) -> None:
    if place.study_uid is not None:
        plan.conditions[Level.STUDY].append(studies.c.study_uid == place.study_uid)
    if place.series_uid is not None:
        plan.conditions[Level.SERIES].append(series.c.series_uid == place.series_uid)
    if place.sop_uid is not None:
        plan.conditions[Level.INSTANCE] += _instance_uid(context, instances.c.sop_uid == place.sop_uid)


def _instance_uid(context: Context, condition: Condition) -> list[Condition]:
    """Return a condition on the SOP Instance UID with what its index begins with."""
    return [instances.c.organisation_id == context.organisation, condition]


def _plain(plan: Plan, context: Context, key: Key, ready: Mapping[Path, SearchAttribute]) -> None:
    tag = key.path[0]
    indexed = COLUMNS.get(tag)
    if indexed is None or (isinstance(key.match, DateTimeRange) and not _has_time_column(key)):
        _chosen(plan, context, key, ready)
        return
    condition = indexed.condition(context, key)
    both = _instance_uid(context, condition) if tag == "00080018" else [condition]
    plan.conditions[indexed.level] += both
    if indexed.selective and begins(key.match):
        plan.selective.add(indexed.level)
    elif indexed.level is Level.STUDY and isinstance(key.match, FuzzyName | Wildcard):
        plan.parts_of_text = True


def _either(plan: Plan, context: Context, group: Iterable[Key]) -> None:
    """Match one of several keys, each on a column of the study."""
    arms = []
    for key in group:
        indexed = COLUMNS[key.path[0]]
        if indexed.level is not Level.STUDY or len(key.path) > 1:
            raise ValueError("only attributes of the study can be alternatives")
        arms.append(indexed.condition(context, key))
    plan.conditions[Level.STUDY].append(sa.or_(*arms))
    plan.parts_of_text = True


def _has_time_column(key: Key) -> bool:
    return isinstance(key.match, DateTimeRange) and key.match.time_path[0] in COLUMNS


def _nested(plan: Plan, context: Context, keys: list[Key], ready: Mapping[Path, SearchAttribute]) -> None:
    if len(keys) == 1:
        _chosen(plan, context, keys[0], ready)
        return
    for key in keys:
        _narrow(plan, context, key, ready)
    plan.residual += keys


def _chosen(plan: Plan, context: Context, key: Key, ready: Mapping[Path, SearchAttribute]) -> None:
    """Match a key on the values of a site's own attribute, and on JSON where those do not decide."""
    if not _narrow(plan, context, key, ready):
        plan.residual.append(key)


def _narrow(plan: Plan, context: Context, key: Key, ready: Mapping[Path, SearchAttribute]) -> bool:
    """Add the condition that the indexed values give; return whether it decides the key."""
    attribute = ready.get(key.path)
    if attribute is None:
        return False
    values = search_values.alias()
    mine = sa.select(sa.literal(1)).where(
        values.c.attribute_id == attribute.id, values.c.instance_id == instances.c.id
    )
    if isinstance(key.match, Empty):
        # An item without the attribute is empty too, and so is a value that is binary or cannot be read.
        return False
    condition, decides = _value_condition(values.c.value, attribute, key, sqlite=context.sqlite)
    chosen = sa.select(values.c.instance_id).where(values.c.attribute_id == attribute.id, condition)
    plan.conditions[Level.INSTANCE].append(
        instances.c.id.in_(chosen) if not _is_wide(key) else mine.where(condition).exists()
    )
    if not _is_wide(key):
        plan.selective.add(Level.INSTANCE)
    return decides


def _is_wide(key: Key) -> bool:
    return not isinstance(key.match, AnyOf)


def _value_condition(
    value: sa.ColumnElement[str], attribute: SearchAttribute, key: Key, *, sqlite: bool
) -> tuple[Condition, bool]:
    tag, match = key.path[-1], key.match
    if attribute.vr == "PN":
        return _name_value(value, key, sqlite=sqlite)
    if isinstance(match, DateTimeRange):
        low, high = (end[:8] if end else None for end in (match.low, match.high))
        return text_condition(value, tag, "DA", Range(low, high), sqlite=sqlite), False
    if attribute.vr == "UN" and isinstance(match, AnyOf):
        # The VR is that of each instance: the text may be a number written in another way.
        forms = {form for v in match.values for form in (folding.clean(v), folding.number_form(v)) if form}
        return value.in_(sorted(form[: folding.LONGEST] for form in forms)), len(forms) == len(match.values)
    return text_condition(value, tag, attribute.vr, match, sqlite=sqlite), True


def _name_value(value: sa.ColumnElement[str], key: Key, *, sqlite: bool) -> tuple[Condition, bool]:
    match = key.match
    if isinstance(match, FuzzyName):
        words = folding.query_words(match.words)
        parts = [like(value, f"{NAME_WORDS}* {word}*", sqlite=sqlite) for word in words]
        return sa.and_(value >= NAME_WORDS, *parts), True
    assert isinstance(match, AnyOf | Wildcard)  # noqa: S101 a name has no other match
    arms: list[Condition] = []
    decides = True
    for text in match.values if isinstance(match, AnyOf) else match.patterns:
        wanted = folding.name_patterns(text)
        if len(wanted) > 1 or not wanted[0]:
            return sa.true(), False
        arms += [
            like(value, letter + pattern, sqlite=sqlite) for letter in NAME_ROWS for pattern in wanted[0]
        ]
    return sa.or_(*arms), decides


def _requests(plan: Plan, context: Context, keys: list[Key]) -> None:
    """Match keys of RequestAttributesSequence, whose two IDs are in one column, item after item."""
    column = series.c.request_ids
    ids = {key.path[1:]: key for key in keys if key.path[1:] in {(_STEP_ID,), (_PROCEDURE_ID,)}}
    texts = [_texts(ids.get((tag,))) for tag in (_STEP_ID, _PROCEDURE_ID)]
    if any(each is not None for each in texts):
        items = product(*(each if each is not None else ["*"] for each in texts))
        patterns = [f"*\n{step}\t{procedure}\n*" for step, procedure in items]
        plan.conditions[Level.SERIES].append(
            sa.and_(column != "", sa.or_(*(like(column, each, sqlite=context.sqlite) for each in patterns)))
        )
        plan.selective.add(Level.SERIES)
    exact = all(isinstance(key.match, AnyOf) for key in ids.values())
    if len(ids) < len(keys) or not exact:
        plan.residual += keys


def _texts(key: Key | None) -> list[str] | None:
    """Return the values or patterns of an ID, None where it is not matched or is to be empty."""
    if key is None or not isinstance(key.match, AnyOf | Wildcard):
        return None
    texts = key.match.values if isinstance(key.match, AnyOf) else key.match.patterns
    return [folding.request_id(text) for text in texts]
