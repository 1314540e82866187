"""Addresses of other instances that a document names.

A reference in a document holds only a SOP Instance UID; study and series stand in its lists of evidence
(PS3.3 C.17.2.3, C.17.6.2.1) or of referenced series (PS3.3 C.11.11). Nothing is looked up in the archive.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from archive.dicomweb.uris import frame_url, place_url
from archive.model.level import Place
from archive.model.uid import is_uid
from archive.rendering.values import items, text

_EVIDENCE = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
    "StudiesContainingOtherReferencedInstancesSequence",
    "IdenticalDocumentsSequence",
    "PredecessorDocumentsSequence",
)
_INSTANCES = ("ReferencedSOPSequence", "ReferencedInstanceSequence", "ReferencedImageSequence")


class Links:
    """Where the instances are that a data set refers to; `base` is the address of the DICOMweb root.

    Without a base, or for an instance that no list of the data set places, there is no address.
    """

    def __init__(self, ds: Dataset, base: str) -> None:
        self._base = base
        self._places = dict(_places(ds))

    def __call__(self, instance: str, frame: int | None = None) -> str | None:
        """Return the address of the rendered instance, or of one of its frames."""
        uids = (*self._places.get(instance, ("", "")), instance)
        if not self._base or not all(map(is_uid, uids)):
            return None
        place = Place(*uids)
        address = frame_url(self._base, place, frame) if frame else place_url(self._base, place)
        return f"{address}/rendered"


def _places(ds: Dataset) -> Iterator[tuple[str, tuple[str, str]]]:
    """Give each instance of the lists of a data set with its study and series."""
    own = text(ds, "StudyInstanceUID")
    if own and text(ds, "SeriesInstanceUID"):
        yield text(ds, "SOPInstanceUID"), (own, text(ds, "SeriesInstanceUID"))
    for series in items(ds, "ReferencedSeriesSequence"):
        yield from _of_series(series, own)
    for keyword in _EVIDENCE:
        for study in items(ds, keyword):
            for series in items(study, "ReferencedSeriesSequence"):
                yield from _of_series(series, text(study, "StudyInstanceUID"))


def _of_series(series: Dataset, study: str) -> Iterator[tuple[str, tuple[str, str]]]:
    for keyword in _INSTANCES:
        for item in items(series, keyword):
            yield text(item, "ReferencedSOPInstanceUID"), (study, text(series, "SeriesInstanceUID"))
