"""The levels of the DICOM information model (PS3.4 C.6.2) and a place in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """Study above series above instance."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A resource path: a study, a series of it, or an instance of that. All None is the whole archive."""

    study_uid: str | None = None
    series_uid: str | None = None
    sop_uid: str | None = None

    @property
    def level(self) -> Level:
        """The level of the resource that the path names; the root counts as study."""
        if self.sop_uid is not None:
            return Level.INSTANCE
        return Level.SERIES if self.series_uid is not None else Level.STUDY

    def __str__(self) -> str:
        names = (("study", self.study_uid), ("series", self.series_uid), ("instance", self.sop_uid))
        return " ".join(f"{name} {uid}" for name, uid in names if uid is not None) or "the archive"
