"""What a search that names no limit returns: of the archive a page, of a study or a series all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from archive.index.engine import Database
from archive.settings import Settings
from tests.conformance.archive import Archive
from tests.search.corpus import fill, instance


@pytest.fixture
def archive(backend: Settings) -> Iterator[Archive]:
    """Give a study of two series, three instances in each; a page of the archive is one, the most is four."""
    database = Database(backend.database_url, pool=1, timeout=10)
    fill(database, [instance(1, series, number) for series in (1, 2) for number in (1, 2, 3)])
    database.close()
    archive = Archive(replace(backend, default_limit=1, max_limit=4))
    yield archive
    archive.close()


@pytest.mark.parametrize(
    ("path", "results"),
    [
        ("/series", 1),
        ("/instances", 1),
        ("/studies/1.2.1/series", 2),
        ("/studies/1.2.1/series/1.2.1.1/instances", 3),
        ("/studies/1.2.1/series/1.2.1.1/instances?InstanceNumber=2", 1),
        ("/studies/1.2.1/series/1.2.1.1/instances?limit=2", 2),
        ("/studies/1.2.1/instances", 4),
        ("/studies/1.2.1/instances?limit=5", 4),
    ],
)
def test_what_is_in_a_study_is_not_cut_at_a_page(archive: Archive, path: str, results: int) -> None:
    """A viewer that lists a series without a limit would lose images, and not know it."""
    assert len(archive.json(path)) == results


def test_what_is_cut_all_the_same_is_told_and_leads_on(archive: Archive) -> None:
    answer = archive.get("/studies/1.2.1/instances")
    (told,) = answer.headers.getlist("Warning")
    assert told.startswith("299 filmroom")
    assert "There are 2 additional results" in told
    assert answer.headers["X-Total-Count"] == "6"
    after = answer.headers["Link"].split(">")[0].split("/dicom-web")[1]
    assert [each["00080018"]["Value"] for each in archive.json(after)] == [["1.2.1.2.2"], ["1.2.1.2.3"]]
    assert "Warning" not in archive.get(after).headers
