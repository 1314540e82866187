"""What a search asks of the tables: conditions at the three levels, joined tables, and the order of rows.

Owns how conditions below a row are put (one series or instance below it meets them all), and what keeps
SQLite from a bad way. Which conditions a query has is decided in search_compile.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from archive.index.schema import instances, series, studies
from archive.index.search_order import OrderValues, Segment, Term, segments, whole
from archive.index.sql import Sql, column, compare, joined, sql
from archive.model.level import Level
from archive.model.query import Key

_OWNER = column(studies.c.organisation_id)
TABLES = {
    Level.STUDY: Sql("studies"),
    Level.SERIES: Sql("studies JOIN series ON series.study_id = studies.id"),
    Level.INSTANCE: Sql(
        "studies JOIN series ON series.study_id = studies.id"
        " JOIN instances ON instances.series_id = series.id"
    ),
}
"""The joined tables of studies down to a level."""
IDS = {
    Level.STUDY: column(studies.c.id),
    Level.SERIES: column(series.c.id),
    Level.INSTANCE: column(instances.c.id),
}


@dataclass(slots=True)
class Plan:
    """Conditions by level, and `residual` keys to match on JSON.

    Few rows of a `selective` level match, and an index finds them.
    """

    level: Level
    organisation: int
    terms: tuple[Term, ...]
    conditions: dict[Level, list[Sql]] = field(default_factory=lambda: {each: [] for each in Level})
    selective: set[Level] = field(default_factory=set)
    residual: list[Key] = field(default_factory=list)
    sqlite: bool = False
    one_study: bool = False
    fixed: frozenset[str] = frozenset()  # terms of the order that are the same in all results
    arms: tuple[Sql, ...] = ()  # the first condition of the study is that one of these holds
    parts_of_text: bool = False  # what is looked for may be anywhere in a text of the study

    def segments(self, ordered: tuple[Term, ...], beside: OrderValues | None) -> list[Segment]:
        """Return the results after `beside`, or all of them, as segments that follow each other.

        One alone where SQLite had better find all matches and sort them: reading in the order of an index
        other than that of parts of text, it would fetch the row of every study.
        """
        if self.sqlite and ordered[0].numeric and (self.parts_of_text or self._finds_few()):
            return [whole(ordered, beside)]
        return segments(ordered, beside)

    def order_by(self, ordered: Iterable[Term]) -> Sql:
        """Return the order by some of the terms over the joined tables."""
        first, *others = self.telling(ordered)
        start = first.column
        if self._finds_few() and not first.numeric:
            start = sql("{} || ''", start)
        return joined(", ", [first.order(start), *(term.order(term.column) for term in others)])

    def telling(self, ordered: Iterable[Term]) -> list[Term]:
        """Return the terms by which results differ: of a series, not those of its study."""
        return [term for term in ordered if term.name not in self.fixed]

    def _finds_few(self) -> bool:
        """Tell whether SQLite must be kept from reading all studies in order instead of finding the few.

        It takes every index of studies for as good as the others, so what they begin with is hidden from it.
        """
        return self.sqlite and bool(self.selective) and not self.one_study

    def source(self, depth: Level) -> Sql:
        """Return the tables joined down to `depth` and the conditions on a row of them, from FROM on.

        What must hold deeper is a condition that some series or instance below the row meets all of.
        """
        return self._source(depth, self.conditions[Level.STUDY])

    def sources(self, depth: Level) -> list[Sql]:
        """Return sources that have each row of `source` once between them, where counting them is faster.

        The alphabetic names of one beginning stand together in an index, and few names have other groups; but
        for "one of the three" PostgreSQL goes through all studies.
        """
        if len(self.arms) < 2:
            return [self.source(depth)]
        others = self.conditions[Level.STUDY][1:]
        return [
            self._source(depth, [arm, *(sql("NOT ({})", before) for before in self.arms[:number]), *others])
            for number, arm in enumerate(self.arms)
        ]

    def _source(self, depth: Level, of_study: list[Sql]) -> Sql:
        owner = sql("{} + 0", _OWNER) if self._finds_few() else _OWNER
        conditions = [compare(owner, "=", self.organisation)]
        conditions += of_study
        conditions += [c for each in Level if Level.STUDY < each <= depth for c in self.conditions[each]]
        deepest = max((each for each in Level if self.conditions[each]), default=Level.STUDY)
        if deepest > depth:
            conditions.append(self._below(depth, deepest))
        return sql("FROM {} WHERE {}", TABLES[depth], joined(" AND ", conditions))

    def _below(self, depth: Level, deepest: Level) -> Sql:
        own = [c for each in Level if each > depth for c in self.conditions[each]]
        needs_series = depth is Level.STUDY and bool(self.conditions[Level.SERIES])
        tables = Sql("series") if deepest is Level.SERIES else Sql("instances")
        key = sql("{}.study_id" if depth is Level.STUDY else "{}.series_id", tables)
        if deepest is Level.INSTANCE and needs_series:
            tables = Sql("instances JOIN series ON series.id = instances.series_id")
        below = sql("SELECT {} FROM {} WHERE {}", key, tables, joined(" AND ", own))
        # SQLite does not choose between the two ways: few matches are found first, many are looked for.
        if self.sqlite and not self.selective & {each for each in Level if each > depth}:
            return sql("EXISTS ({} AND {} = {})", below, key, IDS[depth])
        return sql("{} IN ({})", IDS[depth], below)
