"""A query becomes conditions at the three levels, and the keys that SQL cannot decide.

Owns where each key is matched: on a column (search_columns.py), on the values of an attribute that the site
indexed, or, for the rest, by reading the stored JSON (search_scan.py). A key that SQL decides only in part is
both: its condition narrows the candidates. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import product

from archive.index import folding
from archive.index.patterns import like
from archive.index.schema import instances, series, studies
from archive.index.search_attributes import SearchAttribute
from archive.index.search_chosen import instance_condition
from archive.index.search_columns import COLUMNS, Context, begins, patient_name_arms
from archive.index.search_order import fixed, terms
from archive.index.search_plan import Plan
from archive.index.sql import Sql, any_of, column, compare, sql
from archive.model.attributes import BY_TAG
from archive.model.level import Level, Place
from archive.model.query import AnyOf, DateTimeRange, Empty, FuzzyName, Key, Path, Query, Wildcard

_PATIENT_NAME = "00100010"
_STUDY_UID = "0020000D"
_REQUESTS = "00400275"
_STEP_ID, _PROCEDURE_ID = "00400009", "00401001"
_INSTANCE_OWNER = column(instances.c.organisation_id)
_UID = {
    Level.STUDY: column(studies.c.study_uid),
    Level.SERIES: column(series.c.series_uid),
    Level.INSTANCE: column(instances.c.sop_uid),
}
_REQUEST_IDS = column(series.c.request_ids)
Chosen = Callable[[], Mapping[Path, SearchAttribute]]
"""Gives the attributes that a site indexed and that are ready; asked only where a key may need one."""


def compile_query(query: Query, context: Context, chosen: Callable[[], Iterable[SearchAttribute]]) -> Plan:
    """Return the plan of a query over the studies of one organisation.

    `chosen` gives the attributes that the site indexed and that are ready; it is asked once, and only where
    a key may need one.
    """
    plan = Plan(query.level, context.organisation, terms(query), sqlite=context.sqlite)
    plan.one_study = query.place.study_uid is not None or any(k.path == (_STUDY_UID,) for k in query.keys)
    plan.fixed = fixed(query)
    _place(plan, query.place, context)

    @cache
    def ready() -> Mapping[Path, SearchAttribute]:
        return {each.path: each for each in chosen()}

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
        plan.conditions[Level.STUDY].append(compare(_UID[Level.STUDY], "=", place.study_uid))
    if place.series_uid is not None:
        plan.conditions[Level.SERIES].append(compare(_UID[Level.SERIES], "=", place.series_uid))
    if place.sop_uid is not None:
        wanted = compare(_UID[Level.INSTANCE], "=", place.sop_uid)
        plan.conditions[Level.INSTANCE] += _instance_uid(context, wanted)


def _instance_uid(context: Context, condition: Sql) -> list[Sql]:
    """Return a condition on the SOP Instance UID with what its index begins with."""
    return [compare(_INSTANCE_OWNER, "=", context.organisation), condition]


def _plain(plan: Plan, context: Context, key: Key, ready: Chosen) -> None:
    tag = key.path[0]
    indexed = COLUMNS.get(tag)
    if indexed is None or (isinstance(key.match, DateTimeRange) and not _has_time_column(key)):
        _chosen(plan, context, key, ready)
        return
    condition = indexed.condition(context, key)
    if tag == _PATIENT_NAME and not context.sqlite and not plan.conditions[Level.STUDY]:
        plan.arms = patient_name_arms(key.match)
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
    plan.conditions[Level.STUDY].append(any_of(arms))
    plan.parts_of_text = True


def _has_time_column(key: Key) -> bool:
    return isinstance(key.match, DateTimeRange) and key.match.time_path[0] in COLUMNS


def _nested(plan: Plan, context: Context, keys: list[Key], ready: Chosen) -> None:
    if len(keys) == 1:
        _chosen(plan, context, keys[0], ready)
        return
    for key in keys:
        _narrow(plan, context, key, ready)
    plan.residual += keys


def _chosen(plan: Plan, context: Context, key: Key, ready: Chosen) -> None:
    """Match a key on the values of a site's own attribute, and on JSON where those do not decide."""
    if not _narrow(plan, context, key, ready):
        plan.residual.append(key)


def _narrow(plan: Plan, context: Context, key: Key, ready: Chosen) -> bool:
    """Add the condition that the indexed values give; return whether it decides the key."""
    if isinstance(key.match, Empty):
        # An item without the attribute is empty too, and so is a value that is binary or cannot be read.
        return False
    attribute = ready().get(key.path)
    if attribute is None:
        return False
    condition, decides = instance_condition(attribute, key, sqlite=context.sqlite)
    plan.conditions[Level.INSTANCE].append(condition)
    if isinstance(key.match, AnyOf):
        plan.selective.add(Level.INSTANCE)
    return decides


def _requests(plan: Plan, context: Context, keys: list[Key]) -> None:
    """Match keys of RequestAttributesSequence, whose two IDs are in one column, item after item."""
    ids = {key.path[1:]: key for key in keys if key.path[1:] in {(_STEP_ID,), (_PROCEDURE_ID,)}}
    texts = [_texts(ids.get((tag,))) for tag in (_STEP_ID, _PROCEDURE_ID)]
    if any(each is not None for each in texts):
        items = product(*(each if each is not None else ["*"] for each in texts))
        patterns = [f"*\n{step}\t{procedure}\n*" for step, procedure in items]
        arms = any_of(like(_REQUEST_IDS, each, sqlite=context.sqlite) for each in patterns)
        plan.conditions[Level.SERIES].append(sql("{} <> '' AND {}", _REQUEST_IDS, arms))
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
