"""multipart/related bodies as senders write them, cut anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archive.dicomweb.multipart import (
    Data,
    MultipartParser,
    PartBegin,
    PartEnd,
    closing,
    multipart_content_type,
    new_boundary,
    part_content_type,
    part_head,
)
from archive.errors import InvalidRequest, TooLarge

Part = tuple[dict[str, str], bytes]


def parse(chunks: Iterable[bytes], boundary: str = "b") -> list[Part]:
    """Parse a whole body, checking that events come in their order."""
    parser = MultipartParser(boundary)
    parts: list[Part] = []
    open_part = False
    for chunk in chunks:
        for event in parser.feed(chunk):
            assert open_part is not isinstance(event, PartBegin)
            if isinstance(event, PartBegin):
                parts.append((dict(event.headers), b""))
                open_part = True
            elif isinstance(event, Data):
                assert event.data
                parts[-1] = (parts[-1][0], parts[-1][1] + bytes(event.data))
            else:
                assert event == PartEnd()
                open_part = False
    parser.close()
    return parts


DICOM = {"content-type": "application/dicom"}
BODIES: dict[str, tuple[bytes, list[Part]]] = {
    "as it should be": (
        b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\nAB\r\n--b\r\n\r\nC\r\n--b--\r\n",
        [(DICOM, b"AB"), ({}, b"C")],
    ),
    "no line break after the closing delimiter": (b"--b\r\n\r\nAB\r\n--b--", [({}, b"AB")]),
    "epilogue": (b"--b\r\n\r\nAB\r\n--b--\r\nbye\r\n--b\r\n\r\nnot a part", [({}, b"AB")]),
    "preamble": (b"hello --b\r\n--bx\r\n\n--b\r\n\r\nAB\r\n--b--", [({}, b"AB")]),
    "blanks after the boundary": (
        b"--b \t \r\n\r\nAB\r\n--b  \r\n\r\nC\r\n--b--  ",
        [({}, b"AB"), ({}, b"C")],
    ),
    "bare line feeds": (b"--b\nContent-Type: application/dicom\n\nA\r\nB\n--b--\n", [(DICOM, b"A\r\nB")]),
    "folded header": (
        b"--b\r\nContent-Type:\r\n application/dicom;\r\n\ttransfer-syntax=*\r\n\r\nA\r\n--b--",
        [({"content-type": "application/dicom; transfer-syntax=*"}, b"A")],
    ),
    "wrong length, odd lines, equal names": (
        b"--b\r\nCONTENT-length : 9\r\nnonsense\r\nX: 1\r\nx: 2\r\n\r\nABC\r\n--b--",
        [({"content-length": "9", "x": "1"}, b"ABC")],
    ),
    "what looks like a delimiter": (
        b"--b\r\n\r\n\r\n\r\n--bA--b\r\n-\n--b--\r\n --b\r\n--B--\r\n--b --b\r\n--b--",
        [({}, b"\r\n\r\n--bA--b\r\n-\n--b--\r\n --b\r\n--B--\r\n--b --b")],
    ),
    "empty parts": (
        b"--b\r\n\r\n\r\n--b\r\n\r\n--b\r\nX: 1\r\n--b\r\nX: 2\r\n\r\n--b--",
        [({}, b""), ({}, b""), ({"x": "1"}, b""), ({"x": "2"}, b"")],
    ),
    "line breaks at the end of a part": (b"--b\r\n\r\n\r\r\n\r\n\r\n--b--", [({}, b"\r\r\n\r\n")]),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_cut_at_each_byte(name: str) -> None:
    body, parts = BODIES[name]
    assert parse([body]) == parts
    assert parse(body[i : i + 1] for i in range(len(body))) == parts
    for cut in range(len(body)):
        assert parse([body[:cut], b"", body[cut:]]) == parts


_BYTES = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b"--", b"-", b"b", b"--b", b"A", b" ", b"\r\n--", b"\r\n--bA"]),
    max_size=12,
).map(b"".join)


def holds_a_delimiter(data: bytes) -> bool:
    """Tell whether bytes between CRLFs would end a part."""
    return any(
        line.startswith(b"--b") for line in (b"\r\n" + data + b"\r\n").split(b"\r\n")
    ) or data.startswith(b"--b")


@given(
    st.lists(_BYTES.filter(lambda data: not holds_a_delimiter(data)), min_size=1, max_size=4),
    st.sampled_from([b"", b"preamble\r\n", b"\r\n"]),
    st.sampled_from([b"", b"\r\n", b"\r\nepilogue --b"]),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_any_cut_gives_the_same_parts(
    parts: list[bytes], before: bytes, after: bytes, cuts: list[int]
) -> None:
    written = (part_head("b", "text/plain") + data for data in parts)
    body = before + b"".join(written) + b"\r\n--b--" + after
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks = [body[low:high] for low, high in pairwise(edges)]
    assert [data for _, data in parse(chunks)] == parts


@given(st.binary(max_size=80), st.lists(st.integers(0, 80), max_size=4))
@example(b"--b\r\n\r\n--b-", [3])
@example(b"--b\r\nA\r\n\r--b\r\n", [8])
def test_any_bytes_end_the_same_way_however_cut(body: bytes, cuts: list[int]) -> None:
    def outcome(chunks: list[bytes]) -> object:
        try:
            return parse(chunks)
        except InvalidRequest as error:
            return str(error)

    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    assert outcome([body[low:high] for low, high in pairwise(edges)]) == outcome([body])


@pytest.mark.parametrize("missing", range(1, 10))
def test_a_body_that_is_cut_off(missing: int) -> None:
    body = b"--b\r\n\r\nA\r\n--b--"
    with pytest.raises(InvalidRequest, match=r"cut off|no part"):
        parse([body[:-missing]])


@pytest.mark.parametrize("body", [b"", b"--c\r\n\r\nA\r\n--c--", b"--b--", b"x" * 70_000])
def test_a_body_without_parts(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse([body])
    assert caught.value.where in {"boundary", "body"}


def test_a_boundary_that_never_occurs_is_found_out_early() -> None:
    chunks = [b"\n--bX" * 1000] * 20
    with pytest.raises(InvalidRequest, match="does not occur"):
        parse(chunks, "b")


def test_limits() -> None:
    with pytest.raises(TooLarge, match="headers"):
        list(MultipartParser("b", max_header=100).feed(b"--b\r\nX: " + b"x" * 200))
    parser = MultipartParser("b", max_parts=2)
    with pytest.raises(TooLarge, match="parts"):
        list(parser.feed(b"--b\r\n\r\nA\r\n" * 3))


@pytest.mark.parametrize("boundary", ["", " ", "x" * 201, "a\nb", "é"])
def test_what_is_no_boundary(boundary: str) -> None:
    with pytest.raises(InvalidRequest):
        MultipartParser(boundary)


def test_what_is_written_is_read() -> None:
    boundary = new_boundary()
    assert boundary != new_boundary()
    content_type = part_content_type("image/jls", "1.2.840.10008.1.2.4.80")
    head = part_head(boundary, content_type, location="http://host/frames/1", length=3)
    assert parse([head, b"ABC", closing(boundary)], boundary) == [
        (
            {"content-type": content_type, "content-length": "3", "content-location": "http://host/frames/1"},
            b"ABC",
        )
    ]
    assert multipart_content_type("x", "image/jls") == 'multipart/related; type="image/jls"; boundary=x'
    with pytest.raises(ValueError, match="line break"):
        part_head(boundary, "text/plain\r\nX: 1")


def test_data_are_not_copied_or_gathered() -> None:
    parser = MultipartParser("b")
    list(parser.feed(b"--b\r\n\r\n"))
    for _ in range(3):
        chunk = b"\r\n-" * 50_000 + b"x"
        events = list(parser.feed(chunk))
        assert sum(len(event.data) for event in events if isinstance(event, Data)) == len(chunk)
