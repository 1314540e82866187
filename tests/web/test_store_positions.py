"""A store answer tells which part of its request was what: which were here already, which failed and why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archive.settings import Settings
from tests import builders
from tests.conformance.archive import Archive


@pytest.fixture
def archive(backend: Settings) -> Iterator[Archive]:
    archive = Archive(backend)
    yield archive
    archive.close()


def test_parts_that_were_here_already_are_named(archive: Archive) -> None:
    files = [builders.instance(SOPInstanceUID=builders.uid("part", n)) for n in range(8)]
    archive.stored(*files[:3], files[5])
    answer = archive.stow(*files)
    assert answer.status_code == 200
    assert answer.headers["X-Already-Stored"] == "1-3,6"
    assert "X-Already-Stored" not in archive.stow(builders.instance(SOPInstanceUID="9.9")).headers


def test_a_repeated_part_was_here_already(archive: Archive) -> None:
    assert archive.stow(builders.instance(), builders.instance()).headers["X-Already-Stored"] == "2"


def test_the_report_names_parts(archive: Archive) -> None:
    good = builders.instance()
    answer = archive.stow(good, b"no DICOM at all", builders.instance(SOPInstanceUID="9.9", PatientID="P2"))
    assert answer.status_code == 202
    messages = archive.json(f"/api/requests/{answer.headers['X-Request-ID']}")["messages"]
    assert [(each["part"], each["kind"]) for each in messages] == [(2, "failure"), (3, "warning")]
    assert [each.get("reason") for each in messages] == [0xC000, None]
