"""A search without HTTP or SQL: archive/dicomweb/search.py parses it, archive/index/search.py runs it."""

from __future__ import annotations

from dataclasses import dataclass

from archive.model.level import Level, Place

Path = tuple[str, ...]
"""An attribute: ("00100010",), or inside sequences ("00400275", "00400007"); upper-case hex tags."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Single value matching, or a list of values of which one must match (PS3.4 C.2.2.2.1, C.2.2.2.2)."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*` any run of characters, `?` any one; nothing else is special (PS3.4 C.2.2.2.4). One must match."""

    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive range of DA, TM or DT text; None is open (PS3.4 C.2.2.2.5)."""

    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class DateTimeRange:
    """A date key and its time key, given together, are one range (PS3.4 C.2.2.2.5.4).

    `low` and `high` are date text followed by time text, each date 8 digits; None is open. The key's path is
    that of the date; `time_path` is that of the time.
    """

    low: str | None
    high: str | None
    time_path: Path


@dataclass(frozen=True, slots=True)
class FuzzyName:
    """Each word begins some word of the name, case and accents ignored; words may hold wildcards."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """The attribute is absent or has no value (emptyvaluematching, PS3.18 8.3.4.5)."""


Match = AnyOf | Wildcard | Range | DateTimeRange | FuzzyName | Empty


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute that must match. Universal matches are no keys, but their path is in `Query.include`."""

    path: Path
    vr: str
    match: Match


@dataclass(frozen=True, slots=True)
class Order:
    """The attribute of the study that results are ordered by, one of ORDERABLE.

    Studies without a value come last either way, and equal ones by StudyDate and StudyTime, newest first;
    descending is the reverse of both.
    """

    tag: str
    descending: bool = False


ORDERABLE = ("00080020", "00100010", "00100020", "00080050", "00081030")
"""StudyDate, PatientName, PatientID, AccessionNumber, StudyDescription."""

NEWEST_FIRST = Order("00080020", descending=True)

_EVERYWHERE = Place()


@dataclass(frozen=True, slots=True)
class Query:
    """What to find at `level` under `place`, and how much of it to return."""

    level: Level
    place: Place = _EVERYWHERE
    keys: tuple[Key, ...] = ()
    either: tuple[tuple[Key, ...], ...] = ()  # of each group one must match; attributes of the study only
    include: tuple[Path, ...] = ()
    include_all: bool = False
    order: Order = NEWEST_FIRST
    limit: int = 100
    offset: int = 0
    cursor: str | None = None
    notes: tuple[str, ...] = ()  # sentences for the Warning header: unknown keys, clamped limits

    @property
    def levels(self) -> frozenset[Level]:
        """The levels whose required attributes an answer has: its own, and those above not in the path.

        PS3.18 Tables 10.6.3-3 to 10.6.3-5.
        """
        return _LEVELS[self.level, self.place.study_uid is not None, self.place.series_uid is not None]

    @property
    def asked(self) -> frozenset[str]:
        """The tags that are matched on or to be included; of a path into a sequence, the sequence."""
        return frozenset(path[0] for path in (*self.include, *(key.path for key in self.keys)))


_LEVELS = {
    (level, in_study, in_series): frozenset(
        each
        for each, named in zip(Level, (in_study, in_series, False), strict=True)
        if each is level or (each < level and not named)
    )
    for level in Level
    for in_study in (False, True)
    for in_series in (False, True)
}
