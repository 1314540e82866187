"""The bench of any DICOMweb server: the same data each time, answers that are checked, no other machine."""

from __future__ import annotations

import hashlib
import io
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from archive.settings import Settings
from bench.dicomweb import __main__ as command
from bench.dicomweb import checks, load, objects, report
from bench.dicomweb.client import Address, Answer, NotLoopback, Request
from bench.dicomweb.identity import Kind, instance_path, salted, uid
from bench.dicomweb.people import person
from bench.dicomweb.pixels import CODINGS, NATIVE, SIDE
from bench.dicomweb.plan import JSON, Plan, store_request
from bench.dicomweb.runner import Case, Row, Server, one_round, run, same
from bench.dicomweb.suite import SUITES, cases
from tests.services.filmroom import Filmroom
from tests.services.process import LOOPBACK, Process, free_port

PLAN = Plan(rounds=1, population=101, slices=3, native_frames=4, compressed_frames=2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a Filmroom that has what the cases of PLAN ask for."""
    folder = tmp_path_factory.mktemp("bench")
    settings = Settings(data=str(folder / "data"), embedded_worker="no")
    with Filmroom(settings, folder, workers=1) as filmroom:
        pids = [filmroom.process.pid or 0]
        server = Server("Filmroom", Address.parse(filmroom.url), lambda: pids)
        load.load(PLAN, server)
        yield server


def once(server: Server, *requests: Request, clients: int = 1) -> Row:
    """Send each request one time."""
    case = Case("a case", same(requests), clients, whole=True)
    return one_round(case, server, requests, 1)


# ------------------------------------------------------------------------------ what is sent


def test_objects_are_the_same_each_time() -> None:
    def made() -> list[str]:
        files = [objects.ct_slice(3), objects.tiny(person(7), 2)]
        files += [objects.multi_frame(coding, 2).file for coding in CODINGS]
        return [hashlib.sha256(file).hexdigest() for file in files]

    first = made()
    for cached in (objects.ct_slice, objects.multi_frame):
        cached.cache_clear()
    assert made() == first
    assert len(set(first)) == len(first)


def test_a_salt_makes_another_study_of_an_object() -> None:
    file = objects.ct_slice(1)
    other = salted(file, 42)
    ours, theirs = (pydicom.dcmread(io.BytesIO(each)) for each in (file, other))
    assert len(other) == len(file)
    assert theirs.StudyInstanceUID == uid(Kind.SLICE, 1, salt=42) != ours.StudyInstanceUID
    assert theirs.SOPInstanceUID == theirs.file_meta.MediaStorageSOPInstanceUID != ours.SOPInstanceUID
    assert theirs.PixelData == ours.PixelData


def test_a_tiny_instance_is_of_its_person() -> None:
    someone = person(11)
    ds = pydicom.dcmread(io.BytesIO(objects.tiny(someone, 2)))
    assert ds.PatientID == someone.patient_id
    assert ds.PatientName == someone.name
    assert ds.AccessionNumber == someone.accession
    assert ds.StudyDate == someone.date
    assert ds.StudyInstanceUID == uid(Kind.PERSON, 11)
    assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID == uid(Kind.PERSON, 11, 1, 2)


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.name)
def test_the_frames_of_a_multi_frame_are_those_of_its_file(coding: object) -> None:
    made = next(objects.multi_frame(each, 2) for each in CODINGS if each is coding)
    ds = pydicom.dcmread(io.BytesIO(made.file))
    assert (ds.file_meta.TransferSyntaxUID, ds.NumberOfFrames, ds.Rows) == (made.coding.syntax, 2, SIDE)
    if made.coding is NATIVE:
        assert ds.PixelData == b"".join(made.frames)
    else:
        fragments = pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=2)
        assert [each.rstrip(b"\0") for each in fragments] == [each.rstrip(b"\0") for each in made.frames]


# ---------------------------------------------------------------------- where it may be sent


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/dicom-web",
        "http://[2001:db8::1]:8042/dicom-web",
        "http://0.0.0.0:8042/dicom-web",
        "https://127.0.0.1/dicom-web",
        "127.0.0.1:8042",
    ],
)
def test_no_other_machine_is_measured(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotLoopback):
        Address.parse(url)
    monkeypatch.setattr(sys, "argv", ["bench", "--url", url])
    with pytest.raises(SystemExit, match=r"loopback|http://"):
        command.main()


def test_the_loopback_is_measured() -> None:
    assert Address.parse("http://127.0.0.1:8042/dicom-web/") == Address("127.0.0.1", 8042, "/dicom-web")
    assert Address.parse("http://[::1]/x").host == "::1"


# --------------------------------------------------------------------------- what comes back


def test_every_answer_of_filmroom_is_right(server: Server) -> None:
    load.warm(PLAN, server)
    chosen = list(cases(PLAN, set(SUITES) - {"store"}))
    rows = [row for _, (row,) in run(chosen, [server], rounds=1, seconds=0.01)]
    assert {row.name: dict(row.wrong) for row in rows if row.wrong} == {}
    assert len(rows) == len(chosen) > 40
    assert all(row.requests and 0 < row.median <= row.late and row.rate for row in rows)
    assert all(row.peak > row.shared_peak > 10_000_000 for row in rows)
    assert sum(row.cpu * row.requests for row in rows) > 0.1


def test_stores_are_stores_and_refused_ones_are_bad(server: Server) -> None:
    files = [salted(objects.ct_slice(number), 999) for number in (1, 2)]
    good = once(server, *(store_request([file]) for file in files), clients=2)
    assert (good.requests, good.bad) == (2, 0)
    assert once(server, store_request([files[0], b"no DICOM at all"])).wrong == {"HTTP 202": 1}
    with pytest.raises(load.NotEmpty):
        load.load(PLAN, server)


@pytest.mark.parametrize(
    ("path", "accept", "check", "wrong"),
    [
        (f"/studies?PatientID={person(1).patient_id}", JSON, checks.page(2), "1 matches, not 2"),
        (f"/studies?PatientID={person(1).patient_id}", JSON, checks.studies(["1.2"], 9), "other matches"),
        ("/studies/1.2.3/metadata", JSON, checks.instances(["1.2.3"]), "HTTP 404"),
        ("{}/metadata", JSON, checks.instances(["1.2.3"]), "other matches"),
        ("{}", "*/*", checks.files(lambda: [objects.ct_slice(2)]), "other bytes than were stored"),
        ("{}/frames/1", "*/*", checks.frames([b"pixels"]), "other bytes than were stored"),
        ("{}/rendered", "image/jpeg", checks.picture("JPEG", (8, 8)), f"JPEG of {SIDE} x {SIDE}"),
        ("{}/metadata", JSON, checks.picture("JPEG", (8, 8)), "not an image"),
        ("{}/metadata", JSON, checks.frames([b""]), "unreadable: ValueError"),
    ],
)
def test_a_wrong_answer_is_counted_as_bad(
    server: Server, path: str, accept: str, check: Callable[[Answer], str], wrong: str
) -> None:
    place = instance_path(Kind.SLICE, 1, 1, 1, salt=PLAN.series_salt(0))
    row = once(server, *[Request(path.format(place), check, headers={"Accept": accept})] * 2)
    assert row.wrong == {wrong: 2}
    assert (row.bad, row.rate, row.speed) == (2, 0, 0)
    assert report.cell(row) == f"no right answer, 2 bad ({wrong})"


def test_half_an_answer_is_not_one() -> None:
    headers = {"Content-Type": "multipart/related; boundary=b"}
    whole = b"--b\r\nContent-Type: x/y\r\n\r\npixels\r\n--b--"
    request = Request("/", checks.frames([b"pixels"]))
    assert request.wrong(Answer(1, 200, headers, whole)) == ""
    assert request.wrong(Answer(1, 200, headers, whole[:-2])) == "unreadable: ValueError"
    assert request.wrong(Answer(1, 200, headers, b"")) == "unreadable: ValueError"
    assert request.wrong(Answer(1, 200, {}, whole)) == "unreadable: KeyError"
    assert checks.length(10)(Answer(1, 200, headers, whole[-64:], 9)) == "9 bytes, not 10"
    assert checks.length(1)(Answer(1, 200, headers, whole[:-2], 9)) == "no closing delimiter"


def test_an_answer_is_right_by_another_only_where_they_are_the_same() -> None:
    headers = {"Content-Type": JSON}
    answer = Answer(1, 200, headers, b"[]", 2)
    assert answer.same(replace(answer, seconds=2))
    for other in (
        replace(answer, body=b"{}"),
        replace(answer, status=206),
        replace(answer, headers=headers | {"Content-Encoding": "gzip"}),
        replace(answer, failure="TimeoutError"),
    ):
        assert not answer.same(other)


def test_where_nothing_listens_all_is_bad() -> None:
    nobody = Server("nobody", Address(LOOPBACK, free_port(), ""))
    row = once(nobody, Request("/studies", checks.page(0)))
    assert row.wrong == {"NewConnectionError": 1}
    with pytest.raises(load.NotLoaded, match="NewConnectionError"):
        load.load(PLAN, nobody)


# ------------------------------------------------------------------------------ side by side

_MORTAL = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(1)
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_server_that_dies_is_started_again(tmp_path: Path) -> None:
    port = free_port()
    process = Process([sys.executable, "-c", _MORTAL, str(port)], log=tmp_path / "log")

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/", timeout=5):
                return True
        except urllib.error.URLError:
            return False

    def again() -> None:
        process.kill()
        process.start(ready)

    process.start(ready)
    mortal = Server("mortal", Address(LOOPBACK, port, ""), lambda: [process.pid or 0], again)

    def right(_answer: Answer) -> str:
        return ""

    names: Sequence[str] = ("live", "die", "live")
    chosen = [Case(name, same([Request(f"/{name}", right)]), whole=True) for name in names]
    try:
        rows = [row for _, (row,) in run(chosen, [mortal], rounds=2, seconds=1)]
    finally:
        process.kill()
    assert [row.died for row in rows] == [False, True, False]
    assert [row.bad for row in rows] == [0, 1, 0]
    assert "died" in report.cell(rows[1])


def _row(name: str, median: float, **values: object) -> Row:
    return replace(Row(name, 1, False, 3, median, median, 1 / median), **values)  # type: ignore[arg-type]


def test_goals_are_of_the_better_of_the_others_and_of_right_answers() -> None:
    name = "search by PatientID"  # twice as fast on a small archive, 15 times on a large one
    for population, ours, said in (
        (500, _row(name, 0.002), ("2", "2", "met")),
        (500, _row(name, 0.003), ("1.33", "2", "missed")),
        (500, _row(name, 0.001, bad=1), ("4", "2", "missed")),
        (20_000, _row(name, 0.001), ("4", "15", "missed")),
        (500, _row("series of a study", 0.001), ("4", "", "")),
    ):
        rows = [ours, _row(name, 0.004), _row(name, 0.1)]
        assert report.Comparison(("a", "b", "c"), [rows], population).verdict(rows) == said
    failed = [_row(name, 0.5), _row(name, 0.001, bad=3), _row(name, 0.001, bad=3, died=True)]
    assert report.Comparison(("a", "b", "c"), [failed], 500).verdict(failed) == ("", "2", "met")


def test_tables_go_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    report.write("one", page)
    page.write_text(f"before\n\n{page.read_text()}\nafter\n")
    report.write("two", page)
    text = page.read_text()
    assert text.startswith("before\n\n<!--")
    assert "\n\ntwo\n\n" in text
    assert text.endswith("after\n")
    assert "one" not in text
