"""STOW-RS request bodies (PS3.18 10.5.2, RFC 2046 5.1): as senders write them, cut off, too long."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from archive.settings import Settings
from tests import builders
from tests.builders import uid
from tests.conformance.archive import STOW, Archive, instance_path, multipart_body
from tests.conformance.stores import (
    NOT_UNDERSTOOD,
    failures,
    nothing_is_left,
    objects,
    stored,
    warning,
)

STUDY, SERIES, SOP = uid("study", 1), uid("series", 1), uid("instance", 1)
AT = instance_path(STUDY, SERIES, SOP)
GOOD = builders.instance()
PARTS = [builders.instance(SOPInstanceUID=uid("part", n), InstanceNumber=n) for n in range(3)]
PART = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + GOOD


def send(archive: Archive, data: bytes, content_type: str = STOW.format("b"), **options: Any) -> TestResponse:
    """Send a body as it is."""
    return archive.request("POST", "/studies", data=data, headers={"Content-Type": content_type}, **options)


def stream(archive: Archive, body: Any, length: int, kind: str = STOW.format("b")) -> TestResponse:
    """Send what a file gives, with a Content-Length that may lie."""
    environ = {"wsgi.input": body, "CONTENT_LENGTH": str(length)}
    return send(archive, b"", kind, environ_overrides=environ)


@pytest.fixture
def with_limits(backend: Settings) -> Iterator[Callable[..., Archive]]:
    """Give a function that makes an archive with some settings changed."""
    made: list[Archive] = []

    def make(**changes: Any) -> Archive:
        made.append(Archive(replace(backend, **changes)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/related; type="application/dicom"; boundary="b"',
        "multipart/related; type=application/dicom; boundary=b",
        'multipart/related; type="application/dicom"; boundary=b',
        'multipart/related; type=application/dicom; boundary="b"',
        'Multipart/Related; boundary=b; TYPE="Application/DICOM"',
        'multipart/related ;  boundary = "b" ;type="application/dicom";start=x',
        "multipart/related; boundary=b",
        'multipart/related; type="application/dicom"; boundary=b; transfer-syntax=*',
    ],
)
def test_parameters_may_be_quoted_or_bare_in_any_order_and_case(archive: Archive, content_type: str) -> None:
    """8.7.3.5 and RFC 2387 want quotes; half of the field sends none; quotes are no part of it."""
    answer = send(archive, multipart_body([GOOD]), content_type)
    assert answer.status_code == 200, answer.data
    assert stored(answer) == [SOP]
    assert archive.instance(STUDY, SERIES, SOP) == GOOD


@pytest.mark.parametrize(
    "body",
    [
        PART + b"\r\n--b--",
        PART + b"\r\n--b--\r\nan epilogue that nobody reads\r\n--b\r\n",
        b"a preamble\r\nof two lines\r\n" + PART + b"\r\n--b--\r\n",
        b"\r\n\r\n" + PART + b"\r\n--b--\r\n",
        PART.replace(b"--b\r\n", b"--b \t \r\n", 1) + b"\r\n--b--\t\r\n",
        PART.replace(
            b"--b\r\nContent-Type: application/dicom\r\n\r\n", b"--b\nContent-Type: application/dicom\n\n"
        )
        + b"\n--b--\n",
        PART.replace(b"Content-Type: ", b"content-type:\r\n\t", 1) + b"\r\n--b--\r\n",
        b"--b\r\n\r\n" + GOOD + b"\r\n--b--\r\n",
        PART.replace(b"\r\n\r\n", b"\r\nMIME-Version: 1.0\r\nContent-Length: 7\r\n\r\n", 1)
        + b"\r\n--b--\r\n",
    ],
    ids=("no end epilogue preamble blanks padding bare-lf folded no-type wrong-length")
    .replace("no ", "no-")
    .split(),
)
@pytest.mark.parametrize("piece", [None, 1, 7])
def test_bodies_made_by_hand_are_taken(archive: Archive, body: bytes, piece: int | None) -> None:
    """RFC 2046 5.1.1: preamble and epilogue are ignored, the line break belongs to the delimiter."""
    source = io.BytesIO(body) if piece is None else Slow(body, piece)
    answer = stream(archive, source, len(body))
    assert answer.status_code == 200, answer.data
    assert archive.instance(STUDY, SERIES, SOP) == GOOD


class Slow(io.RawIOBase):
    """Bytes that come a few at a time, as from a network."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data = io.BytesIO(data)
        self._piece = piece

    def readable(self) -> bool:
        """Say so."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give the next few bytes."""
        data = self._data.read(min(len(buffer), self._piece))
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
        "Application/DICOM",
        'application/dicom;charset="utf-8"',
        "application/octet-stream",
        "application/dicom\r\nContent-Location: x/y\r\nContent-ID: <1@x>\r\nContent-Transfer-Encoding: 8bit",
    ],
)
def test_headers_of_a_part_are_parsed_not_compared(archive: Archive, content_type: str) -> None:
    """8.7.3.5: other archives send the transfer syntax with each part; what counts is in the file."""
    answer = send(archive, multipart_body([GOOD], content_type=content_type))
    assert answer.status_code == 200, answer.data


@pytest.mark.parametrize("content_type", ["text/plain", "image/jpeg", "application/dicom+json", "nonsense"])
def test_a_part_of_another_type_fails_by_itself(archive: Archive, content_type: str) -> None:
    wrong = multipart_body([b"hello"], content_type=content_type).removesuffix(b"--b--\r\n")
    answer = send(archive, wrong.removesuffix(b"\r\n") + multipart_body([GOOD]))
    assert answer.status_code == 202
    assert stored(answer) == [SOP]
    assert failures(answer) == [(NOT_UNDERSTOOD, None)]
    assert "Content-Type" in warning(answer)


def test_bytes_that_look_like_a_boundary_are_data(archive: Archive) -> None:
    """RFC 2046 5.1: a part is opaque; a parser once shifted pixels that held two line breaks."""
    pixels = (b"\r\n\r\n\r\n--\r\n--bb\r\n-b--b\n--c--\r\n--" * 3)[:64].ljust(64, b"\r")
    data = builders.instance(PixelData=pixels)
    archive.stored(data)
    assert archive.instance(STUDY, SERIES, SOP) == data
    assert archive.get(f"{AT}/frames/1", "application/octet-stream").data == pixels


def test_a_single_instance_needs_no_multipart(archive: Archive) -> None:
    """10.5.2: application/dicom alone."""
    answer = send(archive, GOOD, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
    assert answer.status_code == 200
    assert stored(answer) == [SOP]
    refused = send(archive, b"This is no DICOM file." * 20, "application/dicom")
    assert refused.status_code == 409
    assert failures(refused) == [(NOT_UNDERSTOOD, None)]


CUT_OFF = [PART, PART + b"\r\n", PART + b"\r\n--b", PART + b"\r\n--b\r\nContent-Ty", PART[:300], b"--b\r\n"]


@pytest.mark.parametrize(
    ("body", "content_type", "where"),
    [
        *((body, STOW.format("b"), "body") for body in CUT_OFF),
        (b"".join(PART + b"\r\n" for _ in range(2)), STOW.format("b"), "body"),
        (b"", STOW.format("b"), "boundary"),
        (b"\r\n", STOW.format("b"), "boundary"),
        (b"--b--\r\n", STOW.format("b"), "body"),
        (multipart_body([GOOD]), STOW.format("other"), "boundary"),
        (multipart_body([GOOD]), STOW.format("b" * 300), "boundary"),
        (multipart_body([GOOD]), 'multipart/related; type="application/dicom"', "boundary"),
        (b"x" * 200_000, STOW.format("b"), "boundary"),
        (b"", "application/dicom", "body"),
    ],
)
def test_a_broken_request_is_400_and_nothing_of_it_is_visible(
    archive: Archive, body: bytes, content_type: str, where: str
) -> None:
    """10.5.3.1. A server that finds no part and says 200 has lost the study."""
    answer = send(archive, body, content_type)
    assert answer.status_code == 400, answer.data
    assert answer.json["where"] == where
    assert answer.json["error"]
    assert nothing_is_left(archive)


def test_many_parts_before_the_cut_leave_nothing(archive: Archive) -> None:
    """Objects are on their way before the body has ended; all of them are taken back."""
    parts = [builders.instance(SOPInstanceUID=uid("cut", n)) for n in range(40)]
    answer = send(archive, multipart_body(parts)[:-6])
    assert answer.status_code == 400
    assert nothing_is_left(archive)


@pytest.mark.parametrize("kind", [STOW.format("b"), "application/dicom"])
def test_a_body_shorter_than_its_content_length_is_400(archive: Archive, kind: str) -> None:
    """RFC 9112 8: the connection ended; the rest may have been the half of an image."""
    body = multipart_body([GOOD]) if kind.startswith("multipart") else GOOD
    answer = stream(archive, io.BytesIO(body), len(body) + 10, kind)
    assert answer.status_code == 400
    assert nothing_is_left(archive)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/json",
        "application/dicom+json",
        "multipart/form-data; boundary=b",
        'multipart/related; type="image/jpeg"; boundary=b',
    ],
)
def test_other_content_types_are_415_and_told_what_is_taken(archive: Archive, content_type: str) -> None:
    answer = send(archive, multipart_body([GOOD]), content_type)
    assert answer.status_code == 415
    assert any("application/dicom" in offer for offer in answer.json["offered"])
    assert nothing_is_left(archive)


def test_a_compressed_body_is_415(archive: Archive) -> None:
    """RFC 9110 8.4: taken for a body without a boundary it would be a riddle to the sender."""
    body = zlib.compress(multipart_body([GOOD]), wbits=31)
    headers = {"Content-Type": STOW.format("b"), "Content-Encoding": "gzip"}
    answer = archive.request("POST", "/studies", data=body, headers=headers)
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json["error"]


BODY = multipart_body(PARTS)


@pytest.mark.parametrize(
    ("limit", "value", "variable"),
    [
        ("max_body", len(BODY) - 1, "FILMROOM_MAX_BODY"),
        ("max_parts", 2, "FILMROOM_MAX_PARTS"),
        ("max_instance", len(PARTS[0]) - 1, "FILMROOM_MAX_INSTANCE"),
    ],
)
@pytest.mark.parametrize("sized", [True, False], ids=["Content-Length", "chunked"])
def test_beyond_a_limit_is_413_and_nothing_is_visible(
    with_limits: Callable[..., Archive], limit: str, value: int, variable: str, sized: bool
) -> None:
    """RFC 9110 15.5.14; the answer names the setting, so that somebody can raise it."""
    archive = with_limits(**{limit: value})
    options: dict[str, Any] = {"data": BODY}
    if not sized:
        options = {"input_stream": io.BytesIO(BODY), "environ_overrides": {"wsgi.input_terminated": True}}
    answer = send(archive, **{"data": b"", **options})
    assert answer.status_code == 413, answer.data
    assert variable in answer.json["error"]
    assert nothing_is_left(archive)


def test_at_a_limit_all_is_well(with_limits: Callable[..., Archive]) -> None:
    archive = with_limits(max_body=len(BODY), max_parts=3, max_instance=max(map(len, PARTS)))
    assert send(archive, BODY).status_code == 200


def test_endless_headers_of_a_part_are_refused(archive: Archive) -> None:
    """A header block is held in memory, so it has a limit of its own."""
    answer = send(archive, b"--b\r\nX: " + b"x" * 100_000)
    assert answer.status_code == 413
    assert nothing_is_left(archive)


def test_a_deflate_bomb_is_bounded_and_its_neighbours_are_stored(with_limits: Callable[..., Archive]) -> None:
    """PS3.5 A.5: a few kilobytes become gigabytes unless somebody counts."""
    archive = with_limits(max_inflated=2**20)
    bomb = builders.raw_instance(builders.element(0x00091001, "OB", bytes(2**22)), builders.DEFLATED)
    assert len(bomb) < 2**14
    answer = send(archive, multipart_body([bomb, PARTS[1]]))
    assert answer.status_code == 202
    assert failures(answer) == [(NOT_UNDERSTOOD, None)]
    assert "FILMROOM_MAX_INFLATED" in warning(answer)
    assert len(objects(archive)) == 1


def test_an_instance_beyond_memory_comes_back_whole(with_limits: Callable[..., Archive]) -> None:
    """What is longer than the staging memory goes by way of a file, and nothing else changes."""
    archive = with_limits(stage_memory=512)
    data = builders.instance(PixelData=bytes(3 * 2**20), Rows=1024, Columns=3072)
    deflated = builders.instance(syntax=builders.DEFLATED, SOPInstanceUID=uid("deflated"))
    archive.stored(data, deflated, PARTS[0])
    assert archive.instance(STUDY, SERIES, SOP) == data
    assert archive.instance(STUDY, SERIES, uid("deflated")) == deflated


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of 1 MiB."""
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("needs to mount a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False
    ).returncode:
        pytest.skip("may not mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


LARGE = builders.instance(PixelData=bytes(2**21), Rows=1024, Columns=2048, SOPInstanceUID=uid("large"))


def test_a_full_disk_of_objects_is_507_and_heals(backend: Settings, small_disk: Path) -> None:
    """Rows without objects are the nightmare: what was not written is not listed, a resend succeeds."""
    archive = Archive(replace(backend, storage_url=f"file://{small_disk}/objects"))
    try:
        answer = archive.stow(LARGE)
        assert answer.status_code == 507, answer.data
        assert json.loads(answer.data)["error"]
        assert nothing_is_left(archive)
        mixed = archive.stow(GOOD, LARGE)
        assert mixed.status_code == 202
        assert failures(mixed) == [(0xA700, uid("large"))]
        assert "full" in warning(mixed)
        subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
        assert archive.stow(GOOD, LARGE).status_code == 200
        assert archive.instance(STUDY, SERIES, uid("large")) == LARGE
        assert len(archive.json("/instances")) == 2
    finally:
        archive.close()


def test_a_full_disk_of_temporary_files_is_507(
    with_limits: Callable[..., Archive], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place where long parts are staged may be full while the store is not: a folder is its own place."""
    archive = with_limits(stage_memory=1024)
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    if archive.services.settings.storage_url.startswith("file:"):
        assert archive.stow(GOOD, LARGE).status_code == 200
        return
    for body, kind in ((multipart_body([GOOD, LARGE]), STOW.format("b")), (LARGE, "application/dicom")):
        answer = send(archive, body, kind)
        assert answer.status_code == 507, answer.data
        assert nothing_is_left(archive)
    monkeypatch.undo()
    assert archive.stow(GOOD, LARGE).status_code == 200
