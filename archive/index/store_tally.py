"""The counts and revisions of studies and series: what one store request adds to them.

Written once at the end of its transaction, so that the narrow rows are locked for as short as can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from archive.index.dialect import insert_row
from archive.index.prepared import Prepared
from archive.index.schema import series_state, study_state


class Tally:
    """What a request adds to the narrow tables, written once at its end."""

    def __init__(self) -> None:
        self._studies: dict[int, list[int]] = {}  # study id: series, instances, bytes
        self._series: dict[int, int] = {}

    def new_series(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Count series that were made: (study id, series id)."""
        for study_id, series_id in pairs:
            self._studies.setdefault(study_id, [0, 0, 0])[0] += 1
            self._series.setdefault(series_id, 0)

    def stored(self, study_id: int, series_id: int, instances_added: int, bytes_added: int) -> None:
        """Count what was added; by one that was replaced, no instance and the difference in bytes."""
        study = self._studies.setdefault(study_id, [0, 0, 0])
        study[1] += instances_added
        study[2] += bytes_added
        self._series[series_id] = self._series.get(series_id, 0) + instances_added

    def rows(self) -> dict[sa.Table, list[dict[str, int]]]:
        """Return what is added, as rows of the tables in the order of their keys."""
        studies = [
            {"study_id": i, "series": s, "instances": n, "bytes": size, "revision": 1}
            for i, (s, n, size) in sorted(self._studies.items())
        ]
        many = [{"series_id": i, "instances": n, "revision": 1} for i, n in sorted(self._series.items())]
        return {study_state: studies, series_state: many}

    def inserts(self) -> list[tuple[Prepared, list[dict[str, int]]]]:
        """Return what adds all of it to the tables."""
        return [(_ADD[table], rows) for table, rows in self.rows().items() if rows]


def _add(table: sa.Table) -> Prepared:
    (key,) = table.primary_key

    def build(dialect: str) -> Any:
        statement = insert_row(table, dialect)
        added = {
            column.name: column + statement.excluded[column.name]
            for column in table.columns
            if column is not key
        }
        return statement.on_conflict_do_update(index_elements=[key], set_=added)

    return Prepared(build)


_ADD = {table: _add(table) for table in (study_state, series_state)}
