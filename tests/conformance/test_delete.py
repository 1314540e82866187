"""DELETE of studies, series and instances. PS3.18 leaves it out, so what it does is ours to say: 204, gone
everywhere at once, 410 from then on, the bytes later, and never anything that the request did not mean.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from archive.index.schema import study_patients, tombstones
from tests import builders
from tests.conformance.archive import Archive, instance_path
from tests.conformance.deletes import (
    OTHER,
    S1,
    S2,
    STUDY,
    A,
    B,
    C,
    delete,
    fill,
    image,
    keys,
    markers,
    path,
    resources,
    value,
)

LEVELS = [
    (path(), {A, B, C}, None),
    (path(S1), {A, B}, {"00201206": [1], "00201208": [1], "00080061": ["SR"]}),
    (path(S1, A), {A}, {"00201206": [2], "00201208": [2], "00080061": ["CT", "SR"]}),
    (path(S2, C), {C}, {"00201206": [1], "00201208": [2], "00080061": ["CT"]}),
]


@pytest.mark.parametrize(("where", "gone", "counts"), LEVELS, ids=["study", "series", "instance", "last"])
def test_gone_from_every_search_at_once_and_from_every_address(
    archive: Archive, where: str, gone: set[str], counts: dict[str, Any] | None
) -> None:
    fill(archive)
    assert delete(archive, where) == 204
    places = {A: S1, B: S1, C: S2}
    left = set(places) - gone
    for search in ("/instances", f"/studies/{STUDY}/instances"):
        found = {value(each, "00080018")[0] for each in archive.json(f"{search}?StudyInstanceUID={STUDY}")}
        assert found == left
    series = {value(each, "0020000E")[0]: each for each in archive.json(f"/studies/{STUDY}/series")}
    assert set(series) == {places[sop] for sop in left}
    for uid, found_series in series.items():
        assert value(found_series, "00201209") == [sum(places[sop] == uid for sop in left)]
    studies = archive.json(f"/studies?StudyInstanceUID={STUDY}")
    told = [{tag: value(each, tag) for tag in counts or {}} for each in studies]
    assert told == ([counts] if counts else [])
    for sop, own in places.items():
        for address in resources(own, sop):
            answer = archive.get(address)
            assert answer.status_code == (410 if sop in gone else 200), (address, answer.data[:200])
            assert archive.request("HEAD", address).status_code == answer.status_code
    for end in ("", "/metadata"):
        answer = archive.get(where + end)
        assert answer.status_code == 410
        assert "deleted" in answer.get_json()["error"]
    assert delete(archive, where) == 410
    assert len(archive.json("/studies")) == 1 + bool(left)
    assert archive.get(f"/studies/{OTHER}").status_code == 200


@pytest.mark.parametrize(
    ("where", "status"),
    [
        (f"/studies/{builders.uid('none')}", 404),
        (path(builders.uid("none")), 404),
        (path(S1, C), 404),  # in another series
        (path(S1, builders.uid("none")), 404),
        ("/studies/1..2", 400),
        (path("x"), 400),
        (path(S1, "1" * 65), 400),
        ("/studies", 405),
        (path() + "/series", 405),
        (path(S1, A) + "/frames/1", 405),
    ],
)
def test_what_cannot_be_deleted_is_said_and_nothing_goes(archive: Archive, where: str, status: int) -> None:
    fill(archive)
    answer = archive.request("DELETE", where)
    assert answer.status_code == status
    assert answer.get_json()["error"]
    assert ("Allow" in answer.headers) is (status == 405)
    assert len(archive.json("/instances")) == 4
    assert not markers(archive)


@pytest.mark.parametrize("where", [path(), path(S1), path(S1, A)])
def test_stored_again_it_is_new_and_no_old_tombstone_answers_for_it(archive: Archive, where: str) -> None:
    fill(archive)
    before = archive.get(f"{path()}/metadata")
    for _ in range(2):
        assert delete(archive, where) == 204
        archive.stored(image(A, Modality="CT"))
        assert archive.instance(STUDY, S1, A) == image(A, Modality="CT")
        assert all(archive.get(address).status_code == 200 for address in resources(S1, A))
    again = archive.get(f"{path()}/metadata", If_None_Match=before.headers["ETag"])
    assert again.status_code == 200
    assert again.headers["ETag"] != before.headers["ETag"]
    assert delete(archive, path()) == 204
    assert archive.get(instance_path(STUDY, S1, A)).status_code == 410


def test_what_was_deleted_and_resent_whole_counts_once(archive: Archive) -> None:
    """Counts that are kept beside the rows went wrong in the field when the same study came again."""
    fill(archive)
    first = archive.get(f"/studies?StudyInstanceUID={STUDY}")
    tags = [archive.get(path(*each)).headers["ETag"] for each in ((), (S1,))]
    assert delete(archive, path()) == 204
    assert archive.json(f"/studies?StudyInstanceUID={STUDY}") == []
    fill(archive)
    second = archive.get(f"/studies?StudyInstanceUID={STUDY}")
    assert second.get_data() == first.get_data()
    assert [archive.get(path(*each)).headers["ETag"] for each in ((), (S1,))] != tags
    assert len(markers(archive)) == 1


def test_every_etag_above_changes_and_those_beside_stay(archive: Archive) -> None:
    fill(archive)
    addresses = [*(path(*each) + end for each in ((), (S1,), (S2,)) for end in ("", "/metadata")), "/studies"]
    before = {each: archive.get(each).headers["ETag"] for each in addresses}
    assert delete(archive, path(S1, A)) == 204
    for address, tag in before.items():
        answer = archive.get(address, If_None_Match=tag)
        assert answer.status_code == (304 if S2 in address else 200), address


REMAINING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"PatientName": "First^One"}, {"PatientName": "Second^Two"}),
    ({"PatientName": None, "StudyDate": "20200101"}, {"StudyDate": "20210101"}),
    ({"AccessionNumber": "A1"}, {"AccessionNumber": None}),
    ({"StudyDescription": "Kopf"}, {"StudyDescription": ""}),
    ({"SeriesDescription": "x", "Modality": "CT"}, {"SeriesDescription": "y", "Modality": "MR"}),
    ({"PatientID": "P1"}, {"PatientID": "P2"}),
]


@pytest.mark.parametrize(("first", "second"), REMAINING)
def test_values_become_those_of_the_instances_that_stay(
    archive: Archive, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """What only the deleted instance said is no longer said, whatever was said first."""
    stay = (image(B, **second), image(C, S2, StudyID="third"))

    def told() -> Any:
        return [archive.json(f"{search}?includefield=all") for search in ("/studies", "/series")]

    archive.stow(image(A, **first), stay[0], stay[1])
    with_all = told()
    assert delete(archive, path(S1, A)) == 204
    after = told()
    assert delete(archive, path()) == 204
    archive.stow(*stay)
    assert after == told() != with_all


def test_a_study_of_two_patients_becomes_one_of_one_when_the_other_goes(archive: Archive) -> None:
    archive.stored(image(A, PatientID="P1"))
    assert archive.stow(image(B, PatientID="P2")).status_code == 202  # B007
    assert len(archive.json("/studies?PatientID=P1")) == len(archive.json("/studies?PatientID=P2")) == 1
    assert delete(archive, path(S1, A)) == 204
    assert archive.json("/studies?PatientID=P1") == []
    assert len(archive.json("/studies?PatientID=P2")) == 1
    assert archive.stow(image(C, S2, PatientID="P2")).status_code == 200
    with archive.services.database.read() as connection:
        assert connection.execute(sa.select(study_patients)).all() == []


def test_pages_stay_full_and_end_when_most_studies_are_deleted(archive: Archive) -> None:
    studies = [builders.uid("paged", number) for number in range(30)]
    archive.stored(*(image(builders.uid(s, "i"), builders.uid(s, "s"), s) for s in studies))
    for study in studies[::3] + studies[1::3]:
        assert delete(archive, f"/studies/{study}") == 204
    sizes, address = [], "/studies?limit=5"
    while address:
        answer = archive.get(address)
        assert answer.headers["X-Total-Count"] == "10"
        sizes.append(len(answer.get_json(force=True)))
        link = answer.headers.get("Link", "")
        address = link[1:].split(">")[0].removeprefix("http://localhost")
    assert sizes == [5, 5]
    assert [len(archive.json(f"/studies?limit=5&offset={n}")) for n in (0, 5, 10)] == [5, 5, 0]


def test_the_marker_stands_in_the_bucket_and_names_the_objects(archive: Archive) -> None:
    fill(archive)
    doomed = {key for key in keys(archive, ".dcm") if f"/{S1}/" in key}
    assert delete(archive, path(S1)) == 204
    (marker,) = markers(archive)
    assert sorted(marker["keys"]) == sorted(doomed)
    assert marker["kind"] == "deleted"
    assert datetime.fromisoformat(marker["when"]) <= datetime.now(UTC)
    assert keys(archive, ".deleted") == {next(iter(keys(archive, ".deleted")))}
    assert next(iter(keys(archive, ".deleted"))).startswith(f"default/{STUDY}/{S1}/")
    assert doomed <= keys(archive, ".dcm"), "the bytes stay until their time has come"


def test_a_study_with_very_many_tombstones_answers_from_those_that_count(archive: Archive) -> None:
    fill(archive)
    rows = [
        {
            "organisation_id": 1,
            "study_uid": STUDY,
            "series_uid": S1,
            "sop_uid": f"1.2.{number}",
            "deleted_at": datetime.now(UTC),
        }
        for number in range(20_000)
    ]
    archive.services.database.write(lambda connection: connection.execute(sa.insert(tombstones), rows))
    wanted = {path(S1, "1.2.19999"): 410, path(S1, "1.2.20000"): 404, path(S2, "1.2.5"): 404, path(): 200}
    assert {each: archive.get(each).status_code for each in wanted} == wanted
