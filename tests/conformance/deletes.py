"""What the tests of DELETE share: a study in two series, another beside it, and a look into the bucket."""

from __future__ import annotations

import json
from typing import Any

from tests import builders
from tests.conformance.archive import Archive

STUDY = builders.uid("study", 1)
S1, S2 = builders.uid("series", 1), builders.uid("series", 2)
A, B, C = (builders.uid("instance", letter) for letter in "ABC")
OTHER = builders.uid("study", 2)


def image(sop: str, series: str = S1, study: str = STUDY, **more: Any) -> bytes:
    """Return an image with a bulk value beside its pixels."""
    return builders.instance(
        StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID=sop, ICCProfile=bytes(3000), **more
    )


def fill(archive: Archive) -> None:
    """Store A and B in one series, C in another, and a study that nothing may touch."""
    archive.stored(
        image(A, Modality="CT"),
        image(B, Modality="CT"),
        image(C, S2, Modality="SR"),
        image(builders.uid("elsewhere"), builders.uid("s"), OTHER),
    )


def path(series: str | None = None, sop: str | None = None) -> str:
    """Return the path of the study, of one of its series, or of an instance."""
    below = (f"/series/{series}" if series else "") + (f"/instances/{sop}" if sop else "")
    return f"/studies/{STUDY}{below}"


def delete(archive: Archive, where: str) -> int:
    return archive.request("DELETE", where).status_code


def value(dataset: dict[str, Any], tag: str) -> Any:
    return dataset[tag].get("Value")


def keys(archive: Archive, ending: str) -> set[str]:
    return {each.key for each in archive.services.objects.list("") if each.key.endswith(ending)}


def markers(archive: Archive) -> list[dict[str, Any]]:
    return [json.loads(archive.services.objects.read(key)) for key in sorted(keys(archive, ".deleted"))]


def resources(series: str, sop: str) -> list[str]:
    """Return every address at and below an instance."""
    at = path(series, sop)
    ends = ("", "/metadata", "/frames/1", "/pixeldata", "/bulkdata", "/bulkdata/00282000")
    return [at + end for end in ends]
