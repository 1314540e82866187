"""SQL put together as text with its values beside it, for the statements of searches.

Every search is a statement of its own, so none can be compiled ahead (prepared.py), and SQLAlchemy takes
longer to build one than the database takes to answer it. Text comes from this program alone: words of SQL and
names of the schema's columns. Whatever a request holds is a value, which the driver binds: no function here
takes text into a statement that is not a piece of one already.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

Comparison = Literal["=", "<>", "<", "<=", ">", ">="]


class Sql(NamedTuple):
    """A piece of SQL: text with a `?` for each of its values."""

    text: str
    values: tuple[Any, ...] = ()


TRUE, FALSE = Sql("1 = 1"), Sql("1 = 0")


def column(of: sa.Column[Any], alias: str | None = None) -> Sql:
    """Return a column of the schema, of its table or of another name for it."""
    return Sql(f"{alias or of.table.name}.{of.name}")


def value(bound: Any) -> Sql:
    """Return a value, to be bound by the driver."""
    return Sql("?", (bound,))


def sql(template: str, *pieces: Sql) -> Sql:
    """Return a template of this program with pieces at its `{}`."""
    values: tuple[Any, ...] = ()
    for piece in pieces:
        values += piece.values
    return Sql(template.format(*[piece.text for piece in pieces]), values)


def compare(left: Sql, operator: Comparison, bound: Any) -> Sql:
    """Return a comparison with a value."""
    return Sql(f"{left.text} {operator} ?", (*left.values, bound))


def among(left: Sql, bound: Sequence[Any]) -> Sql:
    """Return the condition that something is one of some values."""
    if not bound:
        return FALSE
    if len(bound) == 1:
        return compare(left, "=", bound[0])
    return Sql(f"{left.text} IN ({', '.join('?' * len(bound))})", (*left.values, *bound))


def all_of(conditions: Iterable[Sql]) -> Sql:
    """Return the condition that all of some hold."""
    pieces = list(conditions)
    return _between(" AND ", pieces) if pieces else TRUE


def any_of(conditions: Iterable[Sql]) -> Sql:
    """Return the condition that one of some holds."""
    pieces = list(conditions)
    return _between(" OR ", pieces) if pieces else FALSE


def _between(word: str, pieces: list[Sql]) -> Sql:
    return pieces[0] if len(pieces) == 1 else sql("({})", joined(word, pieces))


def joined(word: str, pieces: Iterable[Sql]) -> Sql:
    """Return pieces with a word or comma between them."""
    given = list(pieces)
    return Sql(word.join([piece.text for piece in given]), tuple(v for piece in given for v in piece.values))


class Composed:
    """A whole statement, for `Database.rows`. Its rows are named tuples with `names`."""

    def __init__(self, statement: Sql, names: Sequence[str]) -> None:
        self.statement = statement
        self._names = tuple(names)

    def text(self, dialect: Dialect) -> Composed:
        """Return the statement as the driver of a kind of database takes it."""
        if dialect.name == "sqlite":
            return self
        words = self.statement.text.replace("%", "%%").replace("?", "%s")
        return Composed(Sql(words, self.statement.values), self._names)

    def run(self, driver: Any, _values: Any = None) -> list[Any]:
        """Execute on a connection of the driver and fetch everything."""
        row = _row_class(self._names)
        cursor = driver.cursor()
        try:
            cursor.execute(*self.statement)
            return [row(*each) for each in cursor.fetchall()]
        finally:
            cursor.close()


@lru_cache(maxsize=256)
def _row_class(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names)
