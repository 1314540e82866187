"""Two servers over one database and one bucket, stored into and read at once: nothing lost, nothing twice."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from archive.settings import Settings
from tests import builders
from tests.services.filmroom import Filmroom
from tests.services.s3 import S3, raw_client

_OWN, _SHARED, _DISPUTED = 28, 8, 4
_STUDIES = 2
_DICOM = {"Content-Type": "application/dicom"}
_STORED = {"Accept": "application/dicom; transfer-syntax=*"}

Pair = tuple[Filmroom, Filmroom]


@pytest.fixture(scope="module")
def pair(s3: S3, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Give two servers of one worker each, which share nothing but the database and the bucket."""
    database_url, storage_url = new_database(), s3.new_url()
    servers = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        settings = Settings(data=str(folder), database_url=database_url, storage_url=storage_url)
        servers.append(Filmroom(settings, folder, workers=1))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Filmroom.start, servers))
    yield servers[0], servers[1]
    for server in servers:
        server.process.stop()


def image(number: int, comment: str = "", *, study: int | None = None) -> tuple[str, bytes]:
    """Return the path of an instance and its bytes."""
    uids = {
        "StudyInstanceUID": builders.uid("two study", number % _STUDIES if study is None else study),
        "SeriesInstanceUID": builders.uid("two series", number % _STUDIES, number % 3),
        "SOPInstanceUID": builders.uid("two", number),
    }
    path = "/studies/{StudyInstanceUID}/series/{SeriesInstanceUID}/instances/{SOPInstanceUID}".format(**uids)
    return path, builders.instance(InstanceNumber=number, PatientComments=comment, **uids)


def ask(server: Filmroom, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
    """Send a request; return status and body."""
    request = urllib.request.Request(server.url + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def found(server: Filmroom, path: str) -> list[dict[str, dict[str, list[str | int]]]]:
    """Return the results of a search."""
    status, body = ask(server, path, {})
    assert status == 200, body
    return list(json.loads(body))


def test_what_both_were_sent_at_once_is_there_once_and_comes_from_either(pair: Pair, s3: S3) -> None:
    kept: dict[str, bytes] = {}

    with ThreadPoolExecutor(4) as clients, ThreadPoolExecutor(2 * 4) as senders:

        def own(number: int) -> None:
            """Store through one server; read through the other as soon as the answer is there."""
            path, body = image(number)
            here, there = pair[number % 2], pair[1 - number % 2]
            assert ask(here, "/studies", _DICOM, body)[0] == 200
            assert ask(there, path, _STORED) == (200, body)
            assert ask(there, f"{path}/metadata", {})[0] == 200
            kept[path] = body

        def shared(number: int) -> None:
            """Send the same bytes to both at once: both say yes."""
            path, body = image(number)
            answers = list(senders.map(lambda server: ask(server, "/studies", _DICOM, body), pair))
            assert [status for status, _ in answers] == [200, 200], answers
            kept[path] = body

        def disputed(number: int) -> None:
            """Send other bytes under one UID to each at once: one is taken, and is what stays."""
            bodies = [image(number, comment)[1] for comment in ("this", "that")]
            answers = list(
                senders.map(
                    lambda each: ask(each[0], "/studies", _DICOM, each[1]), zip(pair, bodies, strict=True)
                )
            )
            statuses = [status for status, _ in answers]
            assert sorted(statuses) == [200, 409], answers
            kept[image(number)[0]] = bodies[statuses.index(200)]

        work = [own] * _OWN + [shared] * _SHARED + [disputed] * _DISPUTED
        mixed = sorted(enumerate(work), key=lambda each: each[0] * 17 % len(work))
        for done in [clients.submit(each, number) for number, each in mixed]:
            done.result()

    assert len(kept) == len(work)
    for server in pair:
        assert all(ask(server, path, _STORED) == (200, body) for path, body in kept.items())
        for study in range(_STUDIES):
            uid = builders.uid("two study", study)
            mine = Counter(
                each["00080018"]["Value"][0] for each in found(server, f"/studies/{uid}/instances")
            )
            assert mine == Counter(path.rpartition("/")[2] for path in kept if uid in path)
            (row,) = found(server, f"/studies?StudyInstanceUID={uid}")
            counted = [row[tag]["Value"][0] for tag in ("00201206", "00201208")]
            assert counted == [3, len(mine)]
    assert objects(pair[0].settings.storage_url) == len(kept)


def test_a_delete_through_one_server_is_one_of_the_other_at_once(pair: Pair) -> None:
    path, body = image(1_000, study=_STUDIES)
    assert ask(pair[0], "/studies", _DICOM, body)[0] == 200
    assert ask(pair[1], f"{path}/metadata", {})[0] == 200
    request = urllib.request.Request(pair[1].url + path[: path.index("/series")], method="DELETE")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 204
    for server in pair:
        for ending in ("", "/metadata"):
            assert ask(server, path + ending, {})[0] == 410
        assert found(server, f"/studies?StudyInstanceUID={builders.uid('two study', _STUDIES)}") == []


def objects(url: str) -> int:
    """Return how many instances the bucket holds."""
    client, parts = raw_client(url), urlsplit(url)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=parts.netloc, Prefix=parts.path.lstrip("/")
    )
    count = sum(each["Key"].endswith(".dcm") for page in pages for each in page.get("Contents", ()))
    client.close()
    return count
