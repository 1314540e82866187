"""STOW-RS of what is stored already (10.5.1 leaves it to the server): the same, changed, lost, repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydicom.uid import generate_uid

from archive.settings import Settings
from storage.errors import StoreUnavailable
from tests import builders
from tests.builders import uid
from tests.conformance.archive import Archive, instance_path
from tests.conformance.faults import Faulty
from tests.conformance.stores import DUPLICATE, NO_ROOM, failures, objects, stored, warning

STUDY, SERIES, SOP = uid("study", 1), uid("series", 1), uid("instance", 1)
AT = instance_path(STUDY, SERIES, SOP)
PIXELS = bytes(range(64))
OLD = builders.instance(PatientComments="old")
NEW = builders.instance(PatientComments="new and longer", PixelData=bytes(reversed(PIXELS)))


def other_meta(data: bytes) -> bytes:
    """Return a file with another preamble and group 0002, and the same data set."""
    length = int.from_bytes(data[140:144], "little")
    added = builders.element(0x00020013, "SH", b"ANOTHER SENDER  ")
    group = (length + len(added)).to_bytes(4, "little")
    return b"\1" * 128 + data[128:140] + group + data[144 : 144 + length] + added + data[144 + length :]


RENAMED = other_meta(OLD)


@pytest.fixture
def replacing(backend: Settings) -> Iterator[Archive]:
    """Give an empty archive under the other policy."""
    made = Archive(replace(backend, on_duplicate="replace"))
    yield made
    made.close()


@pytest.fixture(params=["reject", "replace"])
def either(backend: Settings, request: pytest.FixtureRequest) -> Iterator[Archive]:
    """Give an empty archive under each policy."""
    made = Archive(replace(backend, on_duplicate=request.param))
    yield made
    made.close()


def everything(archive: Archive) -> list[str]:
    """Return every key of the object store."""
    return [each.key for each in archive.services.objects.list()]


def counts(archive: Archive) -> tuple[int, int]:
    """Return the series and instances that the one study tells of."""
    (study,) = archive.json("/studies")
    series, instances = (study[tag]["Value"][0] for tag in ("00201206", "00201208"))
    assert len(archive.json("/series")) == series
    assert len(archive.json("/instances")) == instances
    return series, instances


@pytest.mark.parametrize("again", [OLD, RENAMED], ids=["identical", "other group 0002"])
def test_the_same_instance_again_is_a_success_that_writes_nothing(either: Archive, again: bytes) -> None:
    """Senders resend after a lost answer and write their own name in group 0002: a 409 blocks their queue."""
    either.stored(OLD)
    before, etag = everything(either), either.get(f"{AT}/metadata").headers["ETag"]
    for _ in range(2):
        answer = either.stow(again)
        assert answer.status_code == 200
        assert stored(answer) == [SOP]
        assert "Warning" not in answer.headers
    assert everything(either) == before
    assert either.instance(STUDY, SERIES, SOP) == OLD
    assert either.get(f"{AT}/metadata").headers["ETag"] == etag
    assert counts(either) == (1, 1)


@pytest.mark.parametrize(
    "changed",
    [
        builders.instance(PatientComments="odd"),  # as long as the old one
        builders.instance(PatientComments="old", syntax=builders.IMPLICIT),
        OLD[:-1] + b"\7",
        NEW,
    ],
    ids=["a value", "the syntax", "the last byte", "much"],
)
def test_other_content_under_a_uid_is_refused_and_the_old_is_not_touched(
    archive: Archive, changed: bytes
) -> None:
    """Failure 0111 names the policy; a refused duplicate must not delete the stored object."""
    archive.stored(OLD)
    before = everything(archive)
    for _ in range(3):
        answer = archive.stow(changed)
        assert answer.status_code == 409
        assert failures(answer) == [(DUPLICATE, SOP)]
        assert "FILMROOM_ON_DUPLICATE" in warning(answer)
    assert everything(archive) == before
    assert archive.instance(STUDY, SERIES, SOP) == OLD
    assert counts(archive) == (1, 1)


def test_a_refused_duplicate_does_not_harm_its_neighbours(archive: Archive) -> None:
    archive.stored(OLD)
    answer = archive.stow(NEW, builders.instance(SOPInstanceUID=uid("instance", 2)))
    assert answer.status_code == 202
    assert failures(answer) == [(DUPLICATE, SOP)]
    assert stored(answer) == [uid("instance", 2)]
    assert counts(archive) == (1, 2)


def test_other_content_takes_the_place_of_the_old_where_that_is_the_policy(replacing: Archive) -> None:
    """All that is served is of the new version; the old bytes stay, marked, so that nothing is lost."""
    replacing.stored(OLD, builders.instance(SOPInstanceUID=uid("instance", 2)))
    (old_key,) = [key for key in objects(replacing) if SOP in key]
    etags = [replacing.get(f"{at}/metadata").headers["ETag"] for at in (AT, f"/studies/{STUDY}")]
    replacing.stored(NEW)
    assert replacing.instance(STUDY, SERIES, SOP) == NEW
    (metadata,) = replacing.json(f"{AT}/metadata")
    assert metadata["00104000"]["Value"] == ["new and longer"]
    frame = replacing.get(f"{AT}/frames/1", "application/octet-stream")
    assert frame.data == bytes(reversed(PIXELS))
    after = [replacing.get(f"{at}/metadata").headers["ETag"] for at in (AT, f"/studies/{STUDY}")]
    assert not set(etags) & set(after)
    assert counts(replacing) == (1, 2)
    (marker,) = [key for key in everything(replacing) if key.endswith(".replaced")]
    (new_key,) = [key for key in objects(replacing) if SOP in key and key != old_key]
    said = json.loads(replacing.services.objects.read(marker))
    assert (said["keys"], said["by"]) == ([old_key], new_key)
    assert replacing.services.objects.read(old_key) == OLD
    (found,) = replacing.json(f"/instances?SOPInstanceUID={SOP}&includefield=PatientComments")
    assert found["00104000"]["Value"] == ["new and longer"]


def test_a_version_may_come_back(replacing: Archive) -> None:
    """Keys are never used twice: the third version has the bytes of the first and another object."""
    for version in (OLD, NEW, OLD):
        replacing.stored(version)
        assert replacing.instance(STUDY, SERIES, SOP) == version
    assert len(objects(replacing)) == 3
    assert counts(replacing) == (1, 1)


@pytest.mark.parametrize(
    "place", [{"StudyInstanceUID": uid("study", 2)}, {"SeriesInstanceUID": uid("series", 2)}]
)
def test_a_uid_of_another_study_or_series_is_refused_by_every_policy(
    either: Archive, place: dict[str, str]
) -> None:
    """A SOP Instance UID is one instance in the world; moving it would change what was reported on."""
    either.stored(OLD)
    before = everything(either)
    answer = either.stow(builders.instance(PatientComments="old", **place))
    assert answer.status_code == 409
    assert failures(answer) == [(DUPLICATE, SOP)]
    assert "another study or series" in warning(answer)
    assert everything(either) == before
    assert either.instance(STUDY, SERIES, SOP) == OLD
    assert counts(either) == (1, 1)


@pytest.mark.parametrize("again", [OLD, RENAMED], ids=["identical", "other group 0002"])
@pytest.mark.parametrize("known", [False, True], ids=["new", "stored before"])
def test_the_same_instance_twice_in_one_request_is_listed_once(
    either: Archive, again: bytes, known: bool
) -> None:
    if known:
        either.stored(OLD)
    answer = either.stow(OLD, again, OLD)
    assert answer.status_code == 200, answer.data
    assert stored(answer) == [SOP]
    assert len(objects(either)) == 1
    assert either.instance(STUDY, SERIES, SOP) == OLD


@pytest.mark.parametrize(
    "second",
    [NEW, builders.instance(SeriesInstanceUID=uid("series", 2)), OLD[:-1] + b"\7"],
    ids=["other content", "other series", "as long"],
)
@pytest.mark.parametrize("known", [False, True], ids=["new", "stored before"])
def test_of_two_contents_in_one_request_the_first_is_taken(
    either: Archive, second: bytes, known: bool
) -> None:
    """Both cannot be right, and the sender hears of it; no policy makes the answer depend on chance."""
    if known:
        either.stored(OLD)
    answer = either.stow(OLD, second, OLD)
    assert answer.status_code == 202
    assert stored(answer) == [SOP]
    assert failures(answer) == [(DUPLICATE, SOP)]
    assert len(objects(either)) == 1
    assert either.instance(STUDY, SERIES, SOP) == OLD
    assert counts(either) == (1, 1)


@pytest.mark.parametrize("between", [0, 3, 20])
def test_a_repeat_is_not_judged_by_one_that_was_refused(archive: Archive, between: int) -> None:
    """The stored instance, sent after a changed one in one request, is still the stored instance."""
    archive.stored(OLD)
    more = [builders.instance(SOPInstanceUID=uid("more", n)) for n in range(between)]
    answer = archive.stow(NEW, *more, OLD, NEW)
    assert answer.status_code == 202
    assert stored(answer).count(SOP) == 1
    assert failures(answer) == [(DUPLICATE, SOP)] * 2
    assert archive.instance(STUDY, SERIES, SOP) == OLD
    assert len(objects(archive)) == between + 1


def test_a_repeat_of_one_in_another_series_is_stored_in_its_own(either: Archive) -> None:
    either.stored(OLD)
    moved = builders.instance(SeriesInstanceUID=uid("series", 2))
    answer = either.stow(moved, OLD)
    assert answer.status_code == 202
    assert stored(answer) == [SOP]
    assert failures(answer) == [(DUPLICATE, SOP)]
    assert counts(either) == (1, 1)


@pytest.mark.parametrize("second", [OLD, NEW], ids=["the same", "another"])
def test_a_repeat_is_written_where_the_first_could_not_be(archive: Archive, second: bytes) -> None:
    """A store that failed once fails that part, not the UID."""
    put, calls = archive.services.objects.put, iter(range(100))

    def once(key: str, *more: Any) -> None:
        if next(calls) == 0:
            raise StoreUnavailable("refused")
        put(key, *more)

    store = archive.services.store
    store.objects = Faulty(store.objects, put=once)
    answer = archive.stow(OLD, second)
    assert answer.status_code == 202
    assert stored(answer) == [SOP]
    assert failures(answer) == [(NO_ROOM, SOP)]
    assert archive.instance(STUDY, SERIES, SOP) == second
    assert counts(archive) == (1, 1)


def test_an_object_that_was_lost_comes_back_by_sending_it_again(either: Archive) -> None:
    """Else the digest in the index makes the loss permanent: 'already stored', and nothing to read."""
    either.stored(OLD)
    (lost,) = objects(either)
    either.services.objects.delete(lost)
    assert either.get(AT, "application/dicom; transfer-syntax=*").status_code >= 400
    assert either.stow(NEW).status_code == (409 if either.services.settings.on_duplicate == "reject" else 200)
    if either.services.settings.on_duplicate == "reject":
        either.stored(OLD)
        assert either.instance(STUDY, SERIES, SOP) == OLD
    assert len(objects(either)) == 1
    assert counts(either) == (1, 1)


@pytest.mark.parametrize("kind", ["inflated", "metadata"])
def test_a_derived_object_that_was_lost_comes_back_too(archive: Archive, kind: str) -> None:
    """Frames of a Deflated instance and metadata of a large one have objects of their own."""
    noise = hashlib.shake_128(b"noise").hexdigest(2**20)  # more than a packed mebibyte of metadata
    chunks = [noise[n : n + 10_000] for n in range(0, 2 * 2**20, 10_000)]
    data = (
        builders.instance(syntax=builders.DEFLATED)
        if kind == "inflated"
        else builders.raw_instance(
            b"".join(builders.element(0x00091001 + n, "UT", c.encode()) for n, c in enumerate(chunks))
        )
    )
    archive.stored(data)
    (lost,) = [key for key in everything(archive) if key.endswith(kind)]
    archive.services.objects.delete(lost)
    archive.stored(data)
    assert [key.rpartition(".")[2] for key in everything(archive) if key.endswith(kind)] == [kind]
    assert archive.json(f"{AT}/metadata")[0]["00080018"]["Value"] == [SOP]
    if kind == "inflated":
        assert archive.get(f"{AT}/frames/1", "application/octet-stream").data == PIXELS
    assert counts(archive) == (1, 1)


@pytest.mark.parametrize(
    ("keyword", "first", "second"), [("PatientID", "P1", "P2"), ("IssuerOfPatientID", "A", "B")]
)
def test_another_patient_is_told_with_every_instance_that_names_one(
    archive: Archive, keyword: str, first: str, second: str
) -> None:
    """B007 (45063): stored, because an image must not be lost; flagged; found under either."""
    archive.stored(builders.instance(**{keyword: first}))
    others = [builders.instance(SOPInstanceUID=uid("n", n), **{keyword: second}) for n in range(2)]
    answer = archive.stow(*others, builders.instance(SOPInstanceUID=generate_uid(), **{keyword: first}))
    assert answer.status_code == 202
    items = json.loads(answer.data)["00081199"]["Value"]
    reasons = {item["00081155"]["Value"][0]: item.get("00081196", {}).get("Value") for item in items}
    assert [reasons[uid("n", n)] for n in range(2)] == [[45063]] * 2
    assert list(reasons.values()).count(None) == 1
    assert second not in warning(answer).split()
    for value in (first, second):
        (found,) = archive.json(f"/studies?{keyword}={value}")
        assert found["00201208"]["Value"] == [4]
    assert archive.stow(others[0]).status_code in (200, 202)


@pytest.mark.parametrize("others", [0, 1])
def test_the_study_and_series_follow_a_version_that_corrects_them(replacing: Archive, others: int) -> None:
    """The usual reason to replace is a wrong name: a list that still shows it has not been corrected."""
    wrong = {"PatientName": "Wrong^Name", "PatientID": "W1", "StudyDescription": "Wrong", "Modality": "CT"}
    right = {"PatientName": "Right^Name", "PatientID": "R1", "StudyDescription": None, "Modality": "MR"}
    more = [builders.instance(SOPInstanceUID=uid("instance", 2), **right)] * others
    replacing.stow(builders.instance(**wrong), *more)
    assert replacing.stow(builders.instance(**right)).status_code in (200, 202)
    assert replacing.json("/studies?PatientID=W1") == []
    (found,) = replacing.json("/studies?PatientID=R1&includefield=StudyDescription")
    assert found["00100010"]["Value"] == [{"Alphabetic": "Right^Name"}]
    assert found.get("00081030", {}).get("Value") is None
    assert [each["00080060"]["Value"] for each in replacing.json("/series")] == [["MR"]]
    assert counts(replacing) == (1, 1 + others)
    again = replacing.stow(builders.instance(SOPInstanceUID=uid("instance", 3), **right))
    assert again.status_code == 200, "nobody contradicts the study any more"
