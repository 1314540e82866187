"""multipart/related (RFC 2046 5.1, RFC 2387): a parser that is fed bytes, and the pieces of a body to write.

Neither does I/O nor holds more than one header block and one chunk, whatever the length of a part. The parser
takes what real senders write: preambles, epilogues, bare line feeds, blanks after a boundary, folded headers,
no line break after the closing delimiter. A body that ends without its closing delimiter is cut off.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from archive.dicomweb.headers import quote
from archive.dicomweb.media_types import MULTIPART
from archive.errors import InvalidRequest, TooLarge

MAX_BOUNDARY = 200  # RFC 2046 5.1.1 says 70; longer ones harm nothing
MAX_PREAMBLE = 65_536
_MAX_BLANKS = 256

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part starts; header names are lower case, folds are undone, the first of equal names counts."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the part that has begun; valid for as long as they are held."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


Event = PartBegin | Data | PartEnd


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    BODY_START = auto()
    BODY = auto()
    END = auto()


class _Line(Enum):
    """What stands where a delimiter may be."""

    DELIMITER = auto()
    CLOSING = auto()
    OTHER = auto()
    UNDECIDED = auto()  # more bytes are needed


class MultipartParser:
    """Turn the bytes of a body, cut anywhere, into events."""

    def __init__(self, boundary: str, *, max_header: int = 16_384, max_parts: int = 100_000) -> None:
        """Raise InvalidRequest if the boundary is none."""
        text = boundary.rstrip(" ")
        if not text or len(text) > MAX_BOUNDARY or not text.isascii() or not text.isprintable():
            raise InvalidRequest("the boundary of Content-Type is missing or not allowed", where="boundary")
        self._dashes = b"--" + text.encode("ascii")
        self._delimiter = b"\n" + self._dashes  # with CR before it, once the first line break shows one
        self._max_header = max_header
        self._max_parts = max_parts
        self._parts = 0
        self._skipped = 0
        self._state = _State.PREAMBLE
        self._rest = b"\n"  # as if a line ended before the body, so that a first delimiter needs none

    def feed(self, chunk: bytes | memoryview) -> Iterator[Event]:
        """Yield the events that a chunk completes; iterate to the end before the next chunk is fed.

        The chunk is copied, once, so that its memory may be used again.
        Raise InvalidRequest for a body that cannot be read, TooLarge when a limit is passed.
        """
        buffer = self._rest + chunk if self._rest else bytes(chunk)
        self._rest = b""
        view = memoryview(buffer)
        position = 0
        while self._state is not _State.END:
            state, before = self._state, position
            if state is _State.BODY:
                position = yield from self._body(buffer, view, position)
            elif state is _State.HEADERS:
                position, begin = self._headers(buffer, position)
                if begin is not None:
                    yield begin
            elif state is _State.BODY_START:
                position = yield from self._body_start(buffer, position)
            else:
                position = self._preamble(buffer, position)
            if state is self._state and (position == before or position == len(buffer)):
                self._rest = buffer[position:]
                return

    def close(self) -> None:
        """Say that the body has ended; raise InvalidRequest if it was cut off or held no part."""
        if self._state is _State.PREAMBLE:
            raise InvalidRequest("the body holds no part: its boundary never occurs", where="boundary")
        if self._state is not _State.END:
            raise InvalidRequest("the body is cut off: its closing delimiter is missing", where="body")
        if not self._parts:
            raise InvalidRequest("the body holds no part", where="body")

    def _after(self, buffer: bytes, position: int) -> tuple[_Line, int, bytes]:
        """Tell what follows a boundary that ends at `position`: the kind, where it ends, its line break."""
        if buffer.startswith(b"--", position):
            return _Line.CLOSING, position + 2, b""
        end = position
        while end - position < _MAX_BLANKS and buffer[end : end + 1] in {b" ", b"\t"}:
            end += 1
        for newline in (b"\r\n", b"\n"):
            if buffer.startswith(newline, end):
                return _Line.DELIMITER, end + len(newline), newline
        left = len(buffer) - end
        if left == 0 or (
            left == 1 and (buffer[end] == 13 or (end == position and buffer[end] == 45))
        ):  # CR, -
            return _Line.UNDECIDED, position, b""
        return _Line.OTHER, position, b""

    def _preamble(self, buffer: bytes, position: int) -> int:
        needle, start = b"\n" + self._dashes, position
        while (found := buffer.find(needle, position)) >= 0:
            kind, end, newline = self._after(buffer, found + len(needle))
            if kind is _Line.UNDECIDED:
                return found
            if kind is _Line.DELIMITER:
                self._delimiter = newline + self._dashes
                self._state = _State.HEADERS
                return end
            if kind is _Line.CLOSING:
                self._state = _State.END
                return end
            position = found + 1
        kept = max(position, len(buffer) - len(needle) + 1)
        self._skipped += kept - start
        if self._skipped > MAX_PREAMBLE:
            raise InvalidRequest("the boundary of Content-Type does not occur in the body", where="boundary")
        return kept

    def _headers(self, buffer: bytes, position: int) -> tuple[int, PartBegin | None]:
        limit = position + self._max_header + 4
        if buffer.startswith((b"\r\n", b"\n"), position):
            end = buffer.index(b"\n", position) + 1
            block = b""
        else:
            match = _END_OF_HEADERS.search(buffer, position, limit)
            cut = buffer.find(self._delimiter, position, match.start() if match else limit)
            if match is None and cut < 0:
                if len(buffer) > limit:
                    raise TooLarge(f"the headers of a part are longer than {self._max_header} bytes")
                return position, None
            # Headers that run into a delimiter belong to a part without a body.
            end = cut if cut >= 0 or match is None else match.end()
            block = buffer[position:end]
        self._parts += 1
        if self._parts > self._max_parts:
            raise TooLarge(f"the body has more than {self._max_parts} parts (FILMROOM_MAX_PARTS)")
        self._state = _State.BODY_START
        return end, PartBegin(_parse_headers(block))

    def _body_start(self, buffer: bytes, position: int) -> Generator[Event, None, int]:
        """See whether a delimiter follows the headers at once: a part without a body, by some senders."""
        size = len(self._dashes)
        if buffer.startswith(self._dashes, position):
            kind, end = self._after(buffer, position + size)[:2]
            if kind is not _Line.OTHER:
                return position if kind is _Line.UNDECIDED else (yield from self._end_part(kind, end))
        elif self._dashes.startswith(buffer[position : position + size]):
            return position
        self._state = _State.BODY
        return position

    def _body(self, buffer: bytes, view: memoryview, position: int) -> Generator[Event, None, int]:
        start = position
        while (found := buffer.find(self._delimiter, start)) >= 0:
            kind, end = self._after(buffer, found + len(self._delimiter))[:2]
            if kind is _Line.OTHER:
                start = found + 1
                continue
            if found > position:
                yield Data(view[position:found])
            return found if kind is _Line.UNDECIDED else (yield from self._end_part(kind, end))
        held = self._held(buffer, start)
        if held > position:
            yield Data(view[position:held])
        return held

    def _end_part(self, kind: _Line, end: int) -> Generator[Event, None, int]:
        self._state = _State.END if kind is _Line.CLOSING else _State.HEADERS
        yield PartEnd()
        return end

    def _held(self, buffer: bytes, start: int) -> int:
        """Return where the end of the buffer may be the beginning of a delimiter."""
        first = self._delimiter[:1]
        held = buffer.find(first, max(start, len(buffer) - len(self._delimiter) + 1))
        while held >= 0 and not self._delimiter.startswith(buffer[held:]):
            held = buffer.find(first, held + 1)
        return held if held >= 0 else len(buffer)


def _parse_headers(block: bytes) -> dict[str, str]:
    """Read the headers of a part; lines that are none are left out, for the part may still be good."""
    headers: dict[str, str] = {}
    for line in re.split(r"\r?\n", _FOLD.sub(" ", block.decode("latin-1"))):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers.setdefault(name.strip().lower(), value.strip())
    return headers


def new_boundary() -> str:
    """Return a boundary that occurs in no body, but for a chance of one in 2**128."""
    return "filmroom-" + secrets.token_hex(16)


def multipart_content_type(boundary: str, media_type: str, transfer_syntax: str | None = None) -> str:
    """Return the Content-Type of a body whose parts, or whose first, are of a media type (RFC 2387)."""
    syntax = f"; transfer-syntax={transfer_syntax}" if transfer_syntax else ""
    return f"{MULTIPART}; type={quote(media_type)}; boundary={boundary}{syntax}"


def part_content_type(media_type: str, transfer_syntax: str | None = None) -> str:
    """Return the Content-Type of a part, or of a whole body, with its transfer syntax (PS3.18 8.7.3.5)."""
    return f"{media_type}; transfer-syntax={transfer_syntax}" if transfer_syntax else media_type


def part_head(
    boundary: str,
    content_type: str,
    *,
    location: str | None = None,
    length: int | None = None,
    first: bool = False,
) -> bytes:
    """Return what stands before the bytes of a part, the line break that ends the part before included.

    The first delimiter of a body has no line break before it: some clients would take that for a part.
    """
    lines = [f"--{boundary}", f"Content-Type: {content_type}"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if location is not None:
        lines.append(f"Content-Location: {location}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header of a part cannot hold a line break")
    return (("" if first else "\r\n") + "\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def closing(boundary: str) -> bytes:
    """Return what ends the body."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")
