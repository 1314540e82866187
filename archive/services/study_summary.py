"""What people see of a study: its sums, the documents in it, its series a page at a time.

Owns which objects are documents that a person reads rather than pictures, and what they are called.
"""

from __future__ import annotations

from dataclasses import dataclass

from archive.index.engine import Database
from archive.index.series_instances import (
    Listed,
    Neighbours,
    SeriesPage,
    instances_of_classes,
    neighbours,
    series_page,
)
from archive.index.study_summary import StudySummary, study_summary
from archive.model.level import Place
from archive.model.principal import Principal
from archive.rendering.document_types import Family, family_of

PAGE = 100
"""Instances of a series that are listed at once."""

MOST_DOCUMENTS = 50

_KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
_KINDS = {
    Family.REPORT: "Report",
    Family.PDF: "PDF",
    Family.CDA: "CDA document",
    Family.SOUND: "Waveform",
    Family.WAVEFORM: "Waveform",
}


def document_kind(sop_class_uid: str) -> str:
    """Return what a document of this SOP Class is called; empty for what is no document."""
    if sop_class_uid == _KEY_OBJECT_SELECTION:
        return "Key images"
    return _KINDS.get(family_of(sop_class_uid), "")


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study and its documents; `more_documents` tells that there are others beyond those."""

    summary: StudySummary
    documents: tuple[Listed, ...]
    more_documents: bool


class StudySummaryService:
    """Finds what the pages of a study show."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def study(self, principal: Principal, study_uid: str) -> StudyView:
        """Sum a study up; raise NotFound or Gone."""
        summary = study_summary(self.database, principal, study_uid)
        classes = {each.sop_class_uid for series in summary.series for each in series.classes}
        wanted = frozenset(uid for uid in classes if document_kind(uid))
        found: tuple[Listed, ...] = ()
        if wanted:
            found = instances_of_classes(self.database, principal, study_uid, wanted, MOST_DOCUMENTS + 1)
        return StudyView(summary, found[:MOST_DOCUMENTS], len(found) > MOST_DOCUMENTS)

    def series(self, principal: Principal, place: Place, page: int) -> SeriesPage:
        """List a page (counted from 1) of the instances of a series; raise NotFound or Gone."""
        return series_page(self.database, principal, place, first=(page - 1) * PAGE, limit=PAGE)

    def neighbours(self, principal: Principal, place: Place) -> Neighbours:
        """Return an instance and those before and after it in its series; raise NotFound or Gone."""
        return neighbours(self.database, principal, place)
