"""Matching on columns: which attribute is in which column, and a match as a condition on it.

The columns hold folded values (folding.py). What has no column here is matched by search_values or by
reading the stored JSON (search_compile.py decides).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from archive.index import folding
from archive.index.patterns import like, prefix
from archive.index.schema import instances, series, studies, study_patients, study_state
from archive.index.sql import FALSE, Sql, all_of, among, any_of, column, compare, joined, sql, value
from archive.model.level import Level
from archive.model.query import AnyOf, DateTimeRange, Empty, FuzzyName, Key, Match, Range, Wildcard

_BIGINT = 2**63
_MOST_ARMS = 6
_ID = column(studies.c.id)


@dataclass(frozen=True, slots=True)
class Context:
    """What conditions need to know beside the key: the back end and whose studies."""

    sqlite: bool
    organisation: int


@dataclass(frozen=True, slots=True)
class Indexed:
    """An attribute that the tables can match. `selective`: few rows have a value, and an index finds them."""

    level: Level
    condition: Callable[[Context, Key], Sql]
    selective: bool = False


def text_condition(text: Sql, tag: str, vr: str, match: Match, *, sqlite: bool) -> Sql:
    """Return the condition that a text column matches."""
    if isinstance(match, AnyOf):
        return among(text, [folding.value_form(tag, vr, each)[: folding.LONGEST] for each in match.values])
    if isinstance(match, Wildcard):
        forms = [folding.text_form(tag, vr, pattern) for pattern in match.patterns]
        return any_of(like(text, form, sqlite=sqlite) for form in forms)
    if isinstance(match, Range):
        ends = [compare(text, ">=", match.low)] if match.low else []
        ends += [compare(text, "<=", match.high)] if match.high else []
        return all_of((_filled(text), *ends))
    assert isinstance(match, Empty)  # noqa: S101 the other matches belong to names and pairs of columns
    return _empty(text)


def name_condition(columns: Sequence[Sql], match: Match, *, sqlite: bool) -> Sql:
    """Return the condition that a name matches, by its columns (alphabetic, ideographic, phonetic, words)."""
    *groups, words = columns
    if isinstance(match, FuzzyName):
        wanted = folding.query_words(match.words)
        return all_of(like(words, f"* {word}*", sqlite=sqlite) for word in wanted)
    if isinstance(match, Empty):
        return all_of(map(_empty, groups))
    return any_of(any_of(_name_arms(groups, text, sqlite=sqlite)) for text in _texts(match))


def patient_name_arms(match: Match) -> tuple[Sql, ...]:
    """Return conditions of which one must hold for a patient's name to match; none for other matches."""
    if not isinstance(match, AnyOf | Wildcard):
        return ()
    groups = [column(studies.c["patient_name" + end]) for end in ("", "_ideographic", "_phonetic")]
    arms = [arm for text in _texts(match) for arm in _name_arms(groups, text, sqlite=False)]
    return tuple(arms) if len(arms) <= _MOST_ARMS else ()


def _texts(match: Match) -> tuple[str, ...]:
    assert isinstance(match, AnyOf | Wildcard)  # noqa: S101 the parser gives a name no other match
    return match.values if isinstance(match, AnyOf) else match.patterns


def _name_arms(groups: Sequence[Sql], text: str, *, sqlite: bool) -> list[Sql]:
    """Return conditions of which one must hold."""

    def like_any(group: Sql, patterns: Iterable[str]) -> Sql:
        return any_of(like(group, pattern, sqlite=sqlite) for pattern in patterns)

    wanted = folding.name_patterns(text)
    if len(wanted) > 1:
        pairs = zip(groups, wanted, strict=False)
        named = [like_any(group, patterns) for group, patterns in pairs if patterns]
        return [all_of(named)] if named else [_filled(group) for group in groups]
    if not wanted[0]:
        return [_filled(group) for group in groups]
    first, *others = groups
    # `<> ''` lets the small partial indexes of these groups be used.
    return [like_any(first, wanted[0]), *(all_of((_filled(c), like_any(c, wanted[0]))) for c in others)]


def _filled(text: Sql) -> Sql:
    return sql("{} <> ''", text)


def _empty(text: Sql) -> Sql:
    return sql("{} = ''", text)


def _text(of: sa.Column[str]) -> Callable[[Context, Key], Sql]:
    text = column(of)
    return lambda context, key: text_condition(text, key.path[-1], key.vr, key.match, sqlite=context.sqlite)


def _moment(date_column: sa.Column[str], time_column: sa.Column[str]) -> Callable[[Context, Key], Sql]:
    date, time = column(date_column), column(time_column)

    def condition(context: Context, key: Key) -> Sql:
        match = key.match
        if not isinstance(match, DateTimeRange):
            return text_condition(date, key.path[-1], key.vr, match, sqlite=context.sqlite)
        ends = [_filled(date)]
        if match.low:
            day, moment = value(match.low[:8]), value(match.low[8:])
            ends.append(compare(date, ">=", match.low[:8]))
            ends.append(sql("({}, {}) >= ({}, {})", date, time, day, moment))
        if match.high:
            day, moment = value(match.high[:8]), value(match.high[8:])
            ends.append(compare(date, "<=", match.high[:8]))
            ends.append(sql("({}, {}) <= ({}, {})", date, time, day, moment))
        return all_of(ends)

    return condition


def _name(name: str) -> Callable[[Context, Key], Sql]:
    own = [studies.c[name + end] for end in ("", "_ideographic", "_phonetic", "_words")]
    columns = [column(each) for each in own]
    others = [column(each, "named") for each in own[:3]]

    def condition(context: Context, key: Key) -> Sql:
        if name == "patient_name" and context.sqlite and begins(key.match):
            arms = [_name_arms(others, text, sqlite=True) for text in _texts(key.match)]
            return _union(context, "named", [arm for each in arms for arm in each])
        return name_condition(columns, key.match, sqlite=context.sqlite)

    return condition


def begins(match: Match) -> bool:
    """Tell whether a B-tree helps: every value of the match has a beginning."""
    if not isinstance(match, AnyOf | Wildcard):
        return False
    return all("=" not in text and prefix(folding.name_group(text)) for text in _texts(match))


def _accession(context: Context, key: Key) -> Sql:
    def on(alias: str | None) -> Sql:
        text = column(studies.c.accession_number, alias)
        return text_condition(text, key.path[-1], key.vr, key.match, sqlite=context.sqlite)

    if context.sqlite and begins(key.match):
        return _union(context, "same_accession", [on("same_accession")])
    return on(None)


def _union(context: Context, alias: str, arms: Iterable[Sql], *others: Sql) -> Sql:
    """Return a condition that makes SQLite look into an index for each arm, not read all through."""
    head = "SELECT {0}.id FROM studies AS {0} WHERE {0}.organisation_id = {1} AND {2}"
    parts = [sql(head, Sql(alias), value(context.organisation), arm) for arm in arms]
    return sql("{} IN ({})", _ID, joined(" UNION ALL ", [*parts, *others]))


def _patient(name: str) -> Callable[[Context, Key], Sql]:
    """Match an identity of the study's patient, or one that an instance of the study gave beside it."""
    own, same = column(studies.c[name]), column(studies.c[name], "same_patient")
    given = column(study_patients.c[name])

    def condition(context: Context, key: Key) -> Sql:
        def on(text: Sql) -> Sql:
            return text_condition(text, key.path[-1], key.vr, key.match, sqlite=context.sqlite)

        if isinstance(key.match, Empty):
            return on(own)
        others = sql(
            "SELECT study_patients.study_id FROM study_patients WHERE {} AND {}", _filled(given), on(given)
        )
        if not context.sqlite:
            # As an array, so that PostgreSQL can join it to an index on the column itself.
            return any_of((on(own), sql("{} = ANY (ARRAY({}))", _ID, others)))
        if begins(key.match):
            return _union(context, "same_patient", [on(same)], others)
        return any_of((on(own), sql("{} IN ({})", _ID, others)))

    return condition


def _number(of: Sql) -> Callable[[Context, Key], Sql]:
    def condition(_context: Context, key: Key) -> Sql:
        if isinstance(key.match, Empty):
            return sql("{} IS NULL", of)
        assert isinstance(key.match, AnyOf)  # noqa: S101 the parser gives a number no other match
        forms = [folding.number_form(text) or "" for text in key.match.values]
        whole = [int(form) for form in forms if form.removeprefix("-").isdigit()]
        return among(of, [number for number in whole if -_BIGINT <= number < _BIGINT])

    return condition


_MODALITY = column(series.c.modality, "series_of_study")
_CLASS = column(instances.c.sop_class_uid, "instances_of_study")


def _modalities(context: Context, key: Key) -> Sql:
    """Match when any series of the study has the modality (PS3.4 C.2.2.3)."""
    others = "SELECT 1 FROM series AS series_of_study WHERE series_of_study.study_id = studies.id"
    mine = f"EXISTS ({others} AND {{}})"
    if isinstance(key.match, Empty):
        return sql("NOT {}", sql(mine, _filled(_MODALITY)))
    return sql(mine, text_condition(_MODALITY, "00080060", "CS", key.match, sqlite=context.sqlite))


def _classes(context: Context, key: Key) -> Sql:
    if isinstance(key.match, Empty):
        return FALSE
    return sql(
        "EXISTS (SELECT 1 FROM instances AS instances_of_study"
        " WHERE instances_of_study.study_id = studies.id AND {})",
        text_condition(_CLASS, "00080016", "UI", key.match, sqlite=context.sqlite),
    )


def _of_study(of: sa.Column[int]) -> Callable[[Context, Key], Sql]:
    count = "SELECT {} FROM study_state WHERE study_state.study_id = studies.id"
    return _number(sql(f"coalesce(({count}), 0)", column(of)))


def _of_series(context: Context, key: Key) -> Sql:
    count = "SELECT series_state.instances FROM series_state WHERE series_state.series_id = series.id"
    return _number(Sql(f"coalesce(({count}), 0)"))(context, key)


def _availability(context: Context, key: Key) -> Sql:
    return text_condition(Sql("'ONLINE'"), key.path[-1], "CS", key.match, sqlite=context.sqlite)


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
    "00201206": Indexed(Level.STUDY, _of_study(study_state.c.series)),
    "00201208": Indexed(Level.STUDY, _of_study(study_state.c.instances)),
    "0020000E": Indexed(Level.SERIES, _text(series.c.series_uid), selective=True),
    "00200011": Indexed(Level.SERIES, _number(column(series.c.series_number))),
    "00080060": Indexed(Level.SERIES, _text(series.c.modality)),
    "00180015": Indexed(Level.SERIES, _text(series.c.body_part_examined)),
    "0008103E": Indexed(Level.SERIES, _text(series.c.series_description)),
    "00400244": Indexed(Level.SERIES, _moment(series.c.pps_start_date, series.c.pps_start_time)),
    "00400245": Indexed(Level.SERIES, _text(series.c.pps_start_time)),
    "00201209": Indexed(Level.SERIES, _of_series),
    "00080018": Indexed(Level.INSTANCE, _text(instances.c.sop_uid), selective=True),
    "00080016": Indexed(Level.INSTANCE, _text(instances.c.sop_class_uid)),
    "00200013": Indexed(Level.INSTANCE, _number(column(instances.c.instance_number))),
    "00083002": Indexed(Level.INSTANCE, _text(instances.c.transfer_syntax_uid)),
}
"""Attributes that a column matches, by tag."""
