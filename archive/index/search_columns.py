"""Matching on columns: which attribute is in which column, and a match as a condition on it.

The columns hold folded values (folding.py). What has no column here is matched by search_values or by
reading the stored JSON (search_compile.py decides).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from archive.index import folding
from archive.index.patterns import Condition, like, prefix
from archive.index.schema import instances, series, series_state, studies, study_patients, study_state
from archive.model.level import Level
from archive.model.query import AnyOf, DateTimeRange, Empty, FuzzyName, Key, Match, Range, Wildcard

_BIGINT = 2**63


@dataclass(frozen=True, slots=True)
class Context:
    """What conditions need to know beside the key: the back end and whose studies."""

    sqlite: bool
    organisation: int


@dataclass(frozen=True, slots=True)
class Indexed:
    """An attribute that the tables can match. `selective`: few rows have a value, and an index finds them."""

    level: Level
    condition: Callable[[Context, Key], Condition]
    selective: bool = False


def text_condition(
    column: sa.ColumnElement[str], tag: str, vr: str, match: Match, *, sqlite: bool
) -> Condition:
    """Return the condition that a text column matches."""
    if isinstance(match, AnyOf):
        values = [folding.value_form(tag, vr, value)[: folding.LONGEST] for value in match.values]
        return column == values[0] if len(values) == 1 else column.in_(values)
    if isinstance(match, Wildcard):
        forms = [folding.text_form(tag, vr, pattern) for pattern in match.patterns]
        return sa.or_(*(like(column, form, sqlite=sqlite) for form in forms))
    if isinstance(match, Range):
        return sa.and_(
            column != "",
            *([column >= match.low] if match.low else []),
            *([column <= match.high] if match.high else []),
        )
    assert isinstance(match, Empty)  # noqa: S101 the other matches belong to names and pairs of columns
    return column == ""


def name_condition(columns: Sequence[sa.ColumnElement[str]], match: Match, *, sqlite: bool) -> Condition:
    """Return the condition that a name matches, by its columns (alphabetic, ideographic, phonetic, words)."""
    *groups, words = columns
    if isinstance(match, FuzzyName):
        wanted = folding.query_words(match.words)
        return sa.and_(sa.true(), *(like(words, f"* {word}*", sqlite=sqlite) for word in wanted))
    if isinstance(match, Empty):
        return sa.and_(*(group == "" for group in groups))
    return sa.or_(*(sa.or_(*_name_arms(groups, text, sqlite=sqlite)) for text in _texts(match)))


def _texts(match: Match) -> tuple[str, ...]:
    assert isinstance(match, AnyOf | Wildcard)  # noqa: S101 the parser gives a name no other match
    return match.values if isinstance(match, AnyOf) else match.patterns


def _name_arms(groups: Sequence[sa.ColumnElement[str]], text: str, *, sqlite: bool) -> list[Condition]:
    """Return conditions of which one must hold."""

    def any_of(column: sa.ColumnElement[str], patterns: Iterable[str]) -> Condition:
        return sa.or_(*(like(column, pattern, sqlite=sqlite) for pattern in patterns))

    wanted = folding.name_patterns(text)
    if len(wanted) > 1:
        pairs = zip(groups, wanted, strict=False)
        named = [any_of(column, patterns) for column, patterns in pairs if patterns]
        return [sa.and_(*named)] if named else [column != "" for column in groups]
    if not wanted[0]:
        return [column != "" for column in groups]
    first, *others = groups
    # `<> ''` lets the small partial indexes of these groups be used.
    return [any_of(first, wanted[0]), *(sa.and_(c != "", any_of(c, wanted[0])) for c in others)]


def _text(column: sa.Column[str]) -> Callable[[Context, Key], Condition]:
    return lambda context, key: text_condition(column, key.path[-1], key.vr, key.match, sqlite=context.sqlite)


def _moment(date: sa.Column[str], time: sa.Column[str]) -> Callable[[Context, Key], Condition]:
    def condition(context: Context, key: Key) -> Condition:
        match = key.match
        if not isinstance(match, DateTimeRange):
            return text_condition(date, key.path[-1], key.vr, match, sqlite=context.sqlite)
        pair = sa.tuple_(date, time)
        ends: list[Condition] = [date != ""]
        if match.low:
            ends += [date >= match.low[:8], pair >= sa.tuple_(match.low[:8], match.low[8:])]
        if match.high:
            ends += [date <= match.high[:8], pair <= sa.tuple_(match.high[:8], match.high[8:])]
        return sa.and_(*ends)

    return condition


def _name(column: str) -> Callable[[Context, Key], Condition]:
    names = [column + end for end in ("", "_ideographic", "_phonetic", "_words")]
    columns = [studies.c[name] for name in names]

    def condition(context: Context, key: Key) -> Condition:
        if column == "patient_name" and context.sqlite and begins(key.match):
            other = studies.alias("named")
            groups = [other.c[name] for name in names[:3]]
            arms = [_name_arms(groups, text, sqlite=True) for text in _texts(key.match)]
            return _union(context, other, [arm for each in arms for arm in each])
        return name_condition(columns, key.match, sqlite=context.sqlite)

    return condition


def begins(match: Match) -> bool:
    """Tell whether a B-tree helps: every value of the match has a beginning."""
    if not isinstance(match, AnyOf | Wildcard):
        return False
    return all("=" not in text and prefix(folding.name_group(text)) for text in _texts(match))


def _accession(context: Context, key: Key) -> Condition:
    def on(table: sa.FromClause) -> Condition:
        column = table.c.accession_number
        return text_condition(column, key.path[-1], key.vr, key.match, sqlite=context.sqlite)

    if context.sqlite and begins(key.match):
        other = studies.alias("same_accession")
        return _union(context, other, [on(other)])
    return on(studies)


def _union(context: Context, table: sa.FromClause, arms: list[Condition]) -> Condition:
    """Return a condition that makes SQLite look into an index for each arm, not read all through."""
    parts = [
        sa.select(table.c.id).where(table.c.organisation_id == context.organisation, arm) for arm in arms
    ]
    return studies.c.id.in_(sa.union_all(*parts))


def _patient(column: str) -> Callable[[Context, Key], Condition]:
    """Match an identity of the study's patient, or one that an instance of the study gave beside it."""

    def condition(context: Context, key: Key) -> Condition:
        def on(table: sa.FromClause) -> Condition:
            return text_condition(table.c[column], key.path[-1], key.vr, key.match, sqlite=context.sqlite)

        if isinstance(key.match, Empty):
            return on(studies)
        others = sa.select(study_patients.c.study_id).where(
            study_patients.c[column] != "", on(study_patients)
        )
        if not context.sqlite:
            # As an array, so that PostgreSQL can join it to an index on the column itself.
            return sa.or_(on(studies), studies.c.id == sa.func.any(sa.func.array(others.scalar_subquery())))
        if begins(key.match):
            same = studies.alias("same_patient")
            mine = sa.select(same.c.id).where(same.c.organisation_id == context.organisation, on(same))
            return studies.c.id.in_(sa.union_all(mine, others))
        return sa.or_(on(studies), studies.c.id.in_(others))

    return condition


def _number(column: sa.ColumnElement[int]) -> Callable[[Context, Key], Condition]:
    def condition(_context: Context, key: Key) -> Condition:
        if isinstance(key.match, Empty):
            return column.is_(None)
        assert isinstance(key.match, AnyOf)  # noqa: S101 the parser gives a number no other match
        forms = [folding.number_form(value) or "" for value in key.match.values]
        whole = [int(form) for form in forms if form.removeprefix("-").isdigit()]
        return column.in_([number for number in whole if -_BIGINT <= number < _BIGINT])

    return condition


def _modalities(context: Context, key: Key) -> Condition:
    """Match when any series of the study has the modality (PS3.4 C.2.2.3)."""
    other = series.alias("series_of_study")
    mine = sa.select(sa.literal(1)).where(other.c.study_id == studies.c.id)
    if isinstance(key.match, Empty):
        return ~mine.where(other.c.modality != "").exists()
    on = text_condition(other.c.modality, "00080060", "CS", key.match, sqlite=context.sqlite)
    return mine.where(on).exists()


def _classes(context: Context, key: Key) -> Condition:
    other = instances.alias("instances_of_study")
    mine = sa.select(sa.literal(1)).where(other.c.study_id == studies.c.id)
    if isinstance(key.match, Empty):
        return sa.false()
    on = text_condition(other.c.sop_class_uid, "00080016", "UI", key.match, sqlite=context.sqlite)
    return mine.where(on).exists()


def _count(table: sa.Table, parent: sa.Table, column: str) -> Callable[[Context, Key], Condition]:
    key_column = next(iter(table.primary_key))

    def condition(context: Context, key: Key) -> Condition:
        count = sa.select(table.c[column]).where(key_column == parent.c.id).scalar_subquery()
        return _number(sa.func.coalesce(count, 0))(context, key)

    return condition


def _availability(context: Context, key: Key) -> Condition:
    return text_condition(sa.literal("ONLINE"), key.path[-1], "CS", key.match, sqlite=context.sqlite)


COLUMNS: dict[str, Indexed] = {
    "0020000D": Indexed(Level.STUDY, _text(studies.c.study_uid)),
    "00080020": Indexed(Level.STUDY, _moment(studies.c.study_date, studies.c.study_time)),
    "00080030": Indexed(Level.STUDY, _text(studies.c.study_time)),
    "00080050": Indexed(Level.STUDY, _accession, selective=True),
    "00200010": Indexed(Level.STUDY, _text(studies.c.study_id)),
    "00100010": Indexed(Level.STUDY, _name("patient_name"), selective=True),
    "00100020": Indexed(Level.STUDY, _patient("patient_id"), selective=True),
    "00100021": Indexed(Level.STUDY, _patient("issuer_of_patient_id")),
    "00100030": Indexed(Level.STUDY, _text(studies.c.patient_birth_date)),
    "00100040": Indexed(Level.STUDY, _text(studies.c.patient_sex)),
    "00080090": Indexed(Level.STUDY, _name("referring_physician_name")),
    "00081030": Indexed(Level.STUDY, _text(studies.c.study_description)),
    "00080056": Indexed(Level.STUDY, _availability),
    "00080061": Indexed(Level.STUDY, _modalities),
    "00080062": Indexed(Level.STUDY, _classes),
    "00201206": Indexed(Level.STUDY, _count(study_state, studies, "series")),
    "00201208": Indexed(Level.STUDY, _count(study_state, studies, "instances")),
    "0020000E": Indexed(Level.SERIES, _text(series.c.series_uid), selective=True),
    "00200011": Indexed(Level.SERIES, _number(series.c.series_number)),
    "00080060": Indexed(Level.SERIES, _text(series.c.modality)),
    "00180015": Indexed(Level.SERIES, _text(series.c.body_part_examined)),
    "0008103E": Indexed(Level.SERIES, _text(series.c.series_description)),
    "00400244": Indexed(Level.SERIES, _moment(series.c.pps_start_date, series.c.pps_start_time)),
    "00400245": Indexed(Level.SERIES, _text(series.c.pps_start_time)),
    "00201209": Indexed(Level.SERIES, _count(series_state, series, "instances")),
    "00080018": Indexed(Level.INSTANCE, _text(instances.c.sop_uid), selective=True),
    "00080016": Indexed(Level.INSTANCE, _text(instances.c.sop_class_uid)),
    "00200013": Indexed(Level.INSTANCE, _number(instances.c.instance_number)),
    "00083002": Indexed(Level.INSTANCE, _text(instances.c.transfer_syntax_uid)),
}
"""Attributes that a column matches, by tag."""
