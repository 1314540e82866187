"""STOW-RS by many senders at once, and past the limits: no failure of chance, nothing left half done."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from archive.settings import Settings
from tests import builders
from tests.builders import uid
from tests.conformance.archive import STOW, Archive, instance_path, multipart_body
from tests.conformance.stores import DUPLICATE, failures, nothing_is_left, objects

STUDY, SERIES, SOP = uid("study", 1), uid("series", 1), uid("instance", 1)
SENDERS = 8


def together(archive: Archive, requests: list[list[bytes]], threads: int) -> list[Any]:
    """Send all requests, as many at once as there are threads, which start together."""
    barrier = threading.Barrier(threads)

    def send(parts: list[bytes]) -> Any:
        if any(parts is each for each in requests[:threads]):
            barrier.wait(30)
        return archive.stow(*parts)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(send, requests))


def counts(archive: Archive) -> tuple[int, int]:
    """Return the series and instances that the one study tells of."""
    (study,) = archive.json("/studies")
    return study["00201206"]["Value"][0], study["00201208"]["Value"][0]


def test_many_senders_into_one_new_study(archive: Archive) -> None:
    """Every sender finds the study missing; unique keys and locks must not reach any of them."""
    requests = [
        [
            builders.instance(SeriesInstanceUID=uid("s", number % 8), SOPInstanceUID=uid("i", sender, number))
            for number in (sender + request, sender + request + 11)
        ]
        for request in range(0, 90, 30)
        for sender in range(32)
    ]
    answers = together(archive, requests, 32)
    assert [answer.status_code for answer in answers] == [200] * 96
    assert counts(archive) == (8, 192)
    series = archive.json(f"/studies/{STUDY}/series")
    assert sum(each["00201209"]["Value"][0] for each in series) == 192
    assert len(archive.json("/instances?limit=1000")) == len(objects(archive)) == 192


@pytest.mark.parametrize("policy", ["reject", "replace"])
def test_senders_of_the_same_instance_at_once(backend: Settings, policy: str) -> None:
    """One of them writes it; the others are told the truth, and their objects do not stay."""
    archive = Archive(replace(backend, on_duplicate=policy))
    for round_ in range(3):
        data = builders.instance(SOPInstanceUID=uid("same", round_))
        answers = together(archive, [[data] for _ in range(SENDERS)], SENDERS)
        assert [answer.status_code for answer in answers] == [200] * SENDERS
        assert counts(archive) == (1, round_ + 1)
        assert [key for key in objects(archive) if uid("same", round_) in key][1:] == []
    archive.close()


def test_senders_of_other_contents_at_once(archive: Archive) -> None:
    """Whoever is first is stored; the others get 0111, and their objects do not stay."""
    versions = [builders.instance(PatientComments=f"version {n}") for n in range(SENDERS)]
    answers = together(archive, [[data] for data in versions], SENDERS)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (SENDERS - 1)
    for answer, data in zip(answers, versions, strict=True):
        if answer.status_code == 200:
            assert archive.instance(STUDY, SERIES, SOP) == data
        else:
            assert failures(answer) == [(DUPLICATE, SOP)]
    assert len(objects(archive)) == 1
    assert counts(archive) == (1, 1)


def test_senders_of_one_uid_in_other_studies_at_once(archive: Archive) -> None:
    """Those who lose leave no study or series without instances behind."""
    requests = [
        [builders.instance(StudyInstanceUID=uid("study", n), SeriesInstanceUID=uid("series", n))]
        for n in range(SENDERS)
    ]
    answers = together(archive, requests, SENDERS)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (SENDERS - 1)
    assert len(objects(archive)) == 1
    assert counts(archive) == (1, 1)
    assert len(archive.json("/series")) == 1


def test_versions_that_replace_each_other_beside_a_reader(backend: Settings) -> None:
    """Sending again as DELETE and POST has a moment without the instance; replacing has none."""
    archive = Archive(replace(backend, on_duplicate="replace"))
    versions = [builders.instance(PatientComments="v" * 2 * n + "!") for n in range(30)]
    archive.stored(versions[0])
    done, seen = threading.Event(), []

    def poll() -> None:
        while not done.is_set():
            answer = archive.get(instance_path(STUDY, SERIES, SOP), "application/dicom; transfer-syntax=*")
            seen.append((answer.status_code, answer.data in versions))

    reader = threading.Thread(target=poll)
    reader.start()
    answers = together(archive, [[data] for data in versions], SENDERS)
    done.set()
    reader.join()
    assert [answer.status_code for answer in answers] == [200] * 30
    assert set(seen) == {(200, True)}
    live = archive.instance(STUDY, SERIES, SOP)
    assert live in versions
    keys = set(objects(archive))
    markers = [each.key for each in archive.services.objects.list() if each.key.endswith(".replaced")]
    retired = [key for each in markers for key in json.loads(archive.services.objects.read(each))["keys"]]
    assert len(retired) == len(set(retired)) == len(keys) - 1
    (key,) = keys - set(retired)
    assert archive.services.objects.read(key) == live
    assert counts(archive) == (1, 1)
    archive.close()


def test_first_versions_at_once_all_come_in_where_they_may_replace(backend: Settings) -> None:
    """One that did not see the other is no duplicate to refuse under this policy."""
    archive = Archive(replace(backend, on_duplicate="replace"))
    versions = [builders.instance(PatientComments=f"version {n}") for n in range(SENDERS)]
    answers = together(archive, [[data] for data in versions], SENDERS)
    assert [answer.status_code for answer in answers] == [200] * SENDERS
    assert archive.instance(STUDY, SERIES, SOP) in versions
    assert counts(archive) == (1, 1)
    archive.close()


def test_first_objects_of_several_studies_of_a_new_patient(archive: Archive) -> None:
    """A patient is an identity, not a row that two senders make twice."""
    for round_ in range(3):
        requests = [
            [
                builders.instance(
                    PatientID=f"new {round_}",
                    StudyInstanceUID=uid("study", round_, n),
                    SeriesInstanceUID=uid("series", round_, n),
                    SOPInstanceUID=uid("instance", round_, n),
                )
            ]
            for n in range(8)
        ]
        answers = together(archive, requests, 8)
        assert [answer.status_code for answer in answers] == [200] * 8
        assert len(archive.json(f"/studies?PatientID=new {round_}")) == 8


@pytest.fixture(params=[{"max_body": 20_000}, {"max_parts": 20}, {"max_instance": 5000}])
def limited(backend: Settings, request: pytest.FixtureRequest) -> Iterator[Archive]:
    """Give an empty archive with one limit."""
    made = Archive(replace(backend, **request.param))
    yield made
    made.close()


def test_a_request_past_a_limit_leaves_nothing(limited: Archive) -> None:
    """413 that names the setting, though parts before were on their way into the store."""
    parts = [builders.instance(SOPInstanceUID=uid("i", n)) for n in range(20)]
    large = builders.instance(PixelData=bytes(10_000))
    answer = limited.stow(*parts, large)
    assert answer.status_code == 413
    assert "FILMROOM_MAX_" in answer.get_data(as_text=True)
    assert nothing_is_left(limited)
    limited.stored(*parts[:5])


@pytest.mark.parametrize("cut", [1, 4, 8, 200])
def test_a_body_without_its_end_leaves_nothing(archive: Archive, cut: int) -> None:
    """A connection that ends early may have cut any instance, the last whole one included."""
    parts = [builders.instance(SOPInstanceUID=uid("i", n)) for n in range(40)]
    body = multipart_body(parts).rstrip(b"\r\n")[:-cut]
    answer = archive.request("POST", "/studies", data=body, headers={"Content-Type": STOW.format("b")})
    assert answer.status_code == 400
    assert "cut off" in answer.get_data(as_text=True) or "boundary" in answer.get_data(as_text=True)
    assert nothing_is_left(archive)
