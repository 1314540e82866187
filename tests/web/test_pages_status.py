"""The page of the archive's status, and the sums that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from archive.errors import Unavailable
from archive.index import schema, search_attributes
from archive.index.status import Counts, counts
from archive.model.principal import ANYONE, Principal
from archive.services.status import Room, StatusService
from archive.settings import Settings
from archive.viewer.folder import Installed, declare
from archive.web.context import CHECKS
from archive.web.health import Checks
from tests import builders
from tests.builders import uid
from tests.conformance.archive import Archive
from tests.web.html import Element, parse


@pytest.fixture
def archive(backend: Settings) -> Iterator[Archive]:
    """Give an empty archive."""
    archive = Archive(backend)
    yield archive
    archive.close()


def page(archive: Archive) -> Element:
    """Return the page, sums counted anew."""
    archive.services.status._sums.clear()  # they are kept for some seconds
    answer = archive.client.get("/status", headers={"Accept": "text/html"}, buffered=True)
    assert answer.status_code == 200
    return parse(answer.text)


def facts(page: Element) -> dict[str, str]:
    """Return what the page says, by its words."""
    names = [each.text for each in page.all("dt")]
    return dict(zip(names, [each.text for each in page.all("dd")], strict=True))


def image(number: int, study: int = 1, **attributes: object) -> bytes:
    """Return an image of a study."""
    return builders.instance(
        StudyInstanceUID=uid("study", study),
        SeriesInstanceUID=uid("series", study),
        SOPInstanceUID=uid("instance", study, number),
        **attributes,
    )


def test_an_empty_archive(archive: Archive) -> None:
    said = facts(page(archive))
    assert (said["Studies"], said["Series"], said["Images and documents"], said["Stored"]) == (
        "0",
        "0",
        "0",
        "0 bytes",
    )
    assert (said["Today"], said["Last 7 days"]) == ("0 studies", "0 studies")
    assert said["Newest"].startswith("\N{EN DASH}")
    assert said["Database"] in {"SQLite, answers", "PostgreSQL, answers"}
    assert said["Object store"] in {"A folder, answers", "S3, answers"}
    assert ("Disk space" in said) == said["Object store"].startswith("A folder")


def test_sums_follow_what_is_stored_replaced_and_deleted(backend: Settings) -> None:
    archive = Archive(
        Settings(
            data=backend.data,
            database_url=backend.database_url,
            storage_url=backend.storage_url,
            on_duplicate="replace",
        )
    )
    database = archive.services.database

    def have() -> Counts:
        with database.read() as connection:
            size = connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(schema.instances.c.size), 0)))
        found = counts(database, ANYONE)
        assert found.bytes == size
        return found

    files = [image(1), image(2), image(1, study=2)]
    archive.stored(*files)
    assert have() == Counts(2, 2, 3, sum(map(len, files)))
    archive.stored(files[0])  # again
    assert have() == Counts(2, 2, 3, sum(map(len, files)))
    longer = image(1, ImageComments="longer than it was before")
    assert archive.stow(longer).status_code == 200
    assert have() == Counts(2, 2, 3, len(longer) + len(files[1]) + len(files[2]))
    said = facts(page(archive))
    assert (said["Studies"], said["Images and documents"]) == ("2", "3")
    assert said["Today"].startswith("2 studies 3 images")
    path = f"/studies/{uid('study', 1)}/series/{uid('series', 1)}/instances/{uid('instance', 1, 1)}"
    assert archive.request("DELETE", path).status_code == 204
    assert have() == Counts(2, 2, 2, len(files[1]) + len(files[2]))
    assert archive.request("DELETE", f"/studies/{uid('study', 2)}").status_code == 204
    assert have() == Counts(1, 1, 1, len(files[1]))
    assert counts(database, Principal("x", "elsewhere")) == Counts()
    archive.close()


def test_days_are_those_of_the_first_instance(archive: Archive) -> None:
    archive.stored(image(1), image(1, study=2), image(1, study=3))
    now = datetime.now(UTC)
    with archive.services.database.engine.begin() as connection:
        for study, days in ((2, 3), (3, 8)):
            table = schema.studies
            where = table.c.study_uid == uid("study", study)
            connection.execute(sa.update(table).where(where).values(created_at=now - timedelta(days=days)))
    said = facts(page(archive))
    assert said["Today"].startswith("1 study 1 image")
    assert said["Last 7 days"].startswith("2 studies 2 images")
    (newest,) = [each for each in page(archive).all("time") if "data-local" in each.attributes]
    shown = datetime.fromisoformat(newest.attributes["datetime"])
    assert abs((now - shown).total_seconds()) < 60


def test_work_that_waits_is_shown_and_work_that_waits_long_is_warned_of(archive: Archive) -> None:
    archive.stored(image(1), image(2), image(3))
    path = f"/studies/{uid('study', 1)}/series/{uid('series', 1)}/instances"
    for number in (1, 2):
        assert archive.request("DELETE", f"{path}/{uid('instance', 1, number)}").status_code == 204
    database = archive.services.database
    search_attributes.add(database, ("00080070",), "LO")
    said = facts(page(archive))
    assert (said["Deleted images to remove"], said["Attributes to index"]) == ("none", "1")

    def since(hours: float) -> Element:
        with database.engine.begin() as connection:
            then = datetime.now(UTC) - timedelta(hours=hours)
            connection.execute(sa.update(schema.retired_objects).values(remove_after=then))
        return page(archive)

    assert facts(since(0.5))["Deleted images to remove"] == "2"
    assert "filmroom worker" not in since(0.5).text
    assert "Work waits since" in since(2).one("section", aria_labelledby="work").text


def test_no_value_of_a_patient_is_shown(archive: Archive) -> None:
    archive.stored(
        image(1, PatientName="Secret^Name", PatientID="SECRET-ID", StudyDescription="secret study")
    )
    assert "secret" not in page(archive).text.lower().replace("no user name", "")


def test_addresses_are_those_that_clients_use(archive: Archive) -> None:
    rows = [
        [cell.text for cell in row.all("th") + row.all("td")][:2]
        for row in page(archive).one("tbody").all("tr")
    ]
    base = "http://localhost/dicom-web"
    assert rows == [
        ["DICOMweb", base],
        ["STOW-RS", f"{base}/studies"],
        ["QIDO-RS", base],
        ["WADO-RS", base],
        ["WADO-URI", "http://localhost/wado"],
    ]


def test_what_does_not_answer_is_named_and_the_page_comes(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable("the index cannot be asked now")

    monkeypatch.setattr(StatusService, "holdings", away)
    assert "Studies" not in facts(page(archive))
    monkeypatch.setitem(archive.app.extensions, CHECKS, Checks({"index": away, "store": lambda: None}))
    said = page(archive)
    assert "Not in service" in said.text
    assert "the index cannot be asked now" in facts(said)["Database"]


def test_room_is_scarce_below_a_twentieth() -> None:
    assert Room(1000, 49).scarce
    assert not Room(1000, 50).scarce


def test_the_viewer_is_told_of(backend: Settings, tmp_path: Path) -> None:
    archive = Archive(replace(backend, viewer_folder=str(tmp_path)))
    try:
        assert "filmroom viewer" in facts(page(archive))["Viewer"]
        (tmp_path / "3.13.2-1").mkdir()
        declare(tmp_path, Installed("3.13.2", "3.13.2-1", "app.js"))
        assert facts(page(archive))["Viewer"] == "OHIF 3.13.2"
    finally:
        archive.close()
