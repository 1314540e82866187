"""Bodies of answers: the parts of a multipart one, ranges, and files that need not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from flask import Response, request, stream_with_context

from archive.dicomweb.conditional import parse_range
from archive.dicomweb.multipart import closing, multipart_content_type, new_boundary, part_head
from archive.services.blocks import Blocks
from storage.file_range import SENDS_FILES, FileRange

CHUNK = 2**18


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart answer. `length` is None where it is known only at the end."""

    content_type: str
    chunks: Iterable[bytes]
    location: str | None = None
    length: int | None = None


def multipart_response(media_type: str, parts: Iterable[Part]) -> Response:
    """Return a multipart/related answer whose parts are sent as they come (PS3.18 8.7.3.5).

    A tuple of parts is made already: sending them needs nothing more of the request, and where the length of
    each is known, the answer says how long it is.
    """
    boundary = new_boundary()
    sends_files = SENDS_FILES in request.environ

    def chunks() -> Iterator[bytes]:
        for number, part in enumerate(parts):
            try:
                yield _head(boundary, part, number)
                yield from _files(part.chunks, sends_files=sends_files)
            finally:
                _give_back(part.chunks)  # the client may have left before the first of them
        yield closing(boundary)

    content_type = multipart_content_type(boundary, media_type)
    if isinstance(parts, tuple):
        if request.method == "HEAD":
            for part in parts:
                _give_back(part.chunks)
        return _answer(content_type, chunks(), _length(boundary, parts))
    return single_response(content_type, chunks(), None)


def _head(boundary: str, part: Part, number: int) -> bytes:
    return part_head(
        boundary, part.content_type, location=part.location, length=part.length, first=number == 0
    )


def _length(boundary: str, parts: tuple[Part, ...]) -> int | None:
    length = len(closing(boundary))
    for number, part in enumerate(parts):
        if part.length is None:
            return None
        length += len(_head(boundary, part, number)) + part.length
    return length


def single_response(content_type: str, chunks: Iterable[bytes], length: int | None) -> Response:
    """Return an answer that is one thing."""
    ready = isinstance(chunks, (tuple, Blocks))
    return _answer(content_type, chunks if ready else stream_with_context(iter(chunks)), length)


def _answer(content_type: str, chunks: Iterable[bytes], length: int | None) -> Response:
    response = Response(_sent(chunks), content_type=content_type, direct_passthrough=True)
    if length is not None:
        response.content_length = length
    return response


def _sent(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give back at once what HEAD does not need."""
    if request.method != "HEAD":
        return _files(chunks, sends_files=SENDS_FILES in request.environ)
    _give_back(chunks)
    return iter(())


def _give_back(chunks: Iterable[bytes]) -> None:
    if isinstance(chunks, Blocks):
        chunks.close()


def _files(chunks: Iterable[bytes], *, sends_files: bool) -> Iterator[bytes]:
    """Give a part of a file, in place of its bytes, to a server that sends it without reading it."""
    if not (sends_files and isinstance(chunks, Blocks)) or (found := chunks.file_range()) is None:
        return iter(chunks)
    return _file(found, chunks)


def _file(found: FileRange, owner: Blocks) -> Iterator[bytes]:
    try:
        yield cast("bytes", found)  # WSGI knows bytes only; it has a length, which is all that is looked at
    finally:
        owner.close()


def ranged_response(
    content_type: str, size: int, etag: str, chunks_of: Callable[[int, int], Iterable[bytes]]
) -> Response:
    """Return an answer that is one thing, or the range of it that is asked for (RFC 9110 14).

    `chunks_of` gives the bytes from an offset on, as many as it is told.
    """
    part = parse_range(request.headers.get("Range"), size, request.headers.get("If-Range"), etag)
    first, length = (0, size) if part is None else part
    response = single_response(content_type, chunks_of(first, length), length)
    response.headers["Accept-Ranges"] = "bytes"
    if part is not None:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
    return response
