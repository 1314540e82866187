"""One JSON line for every request, written when its answer is finished, however that went.

No values of patients: neither the query's values, nor paths that match no route, nor headers but User-Agent.
Views add what they know with `note`. The metrics are counted at the same two points, from the same record.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from errno import ECONNRESET
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_plus

from flask import Flask, Response, g, request
from ulid import ULID

from archive.dicom.dictionary import TAG_OF_KEYWORD
from archive.errors import FilmroomError
from archive.log import ACCESS_LOGGER
from archive.model.uid import is_uid

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(ACCESS_LOGGER)
_KEY = "filmroom.exchange"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TAGS = re.compile(r"[0-9A-Fa-f]{8}(?:\.[0-9A-Fa-f]{8})*")
_PARAMETERS = frozenset(
    """
    accept accession annotation anonymize bulkdata charset columns contentType cursor description
    emptyvaluematching filter force frameNumber from fuzzymatching iccprofile id imageAnnotation imageQuality
    includefield limit modality multiplevaluematching name objectUID offset order orderby
    page presentationSeriesUID presentationUID q quality region requestType rows seriesUID studyUID to
    transferSyntax viewport window windowCenter windowWidth
    """.split()  # noqa: SIM905 a list of forty strings reads worse
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNMATCHED = "unmatched"
_MOST_KEYS = 50
_NOTHING: tuple[Any, ...] = (None, "", [])


@dataclass(slots=True)
class Exchange:
    """One request and its answer, filled as they go on."""

    request_id: str
    method: str
    started: float  # seconds of time.perf_counter
    declared: int | None = None  # Content-Length of the request
    route: str = UNMATCHED
    study: str | None = None
    principal: str | None = None
    status: int = 0  # 0: no answer was begun
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    outcome: str = "done"  # done, client gone, broken
    notes: dict[str, Any] = field(default_factory=dict)


class Observer(Protocol):
    """Whoever counts exchanges."""

    def begun(self) -> None:
        """Take note that a request came."""
        ...

    def finished(self, exchange: Exchange) -> None:
        """Take note of how an exchange went."""
        ...


def install(app: Flask, observer: Observer) -> None:
    """Log every request of `app` and tell `observer`; call it before other hooks are registered."""

    @app.before_request
    def _matched() -> None:
        exchange = _current()
        if request.url_rule is not None:
            exchange.route = request.url_rule.rule
        arguments = request.view_args or {}
        study = arguments.get("study") or arguments.get("study_uid") or ""
        exchange.study = study if is_uid(study) else None

    @app.after_request
    def _answered(response: Response) -> Response:
        exchange = _current()
        exchange.principal = getattr(g.get("principal"), "name", None)
        response.headers["X-Request-ID"] = exchange.request_id
        return response

    app.wsgi_app = _AccessLog(app.wsgi_app, observer)  # type: ignore[method-assign] # the way Flask says to


def request_id() -> str:
    """Return the name of the current request, as the answer's X-Request-ID and every log line have it."""
    return _current().request_id


def is_request_id(text: str) -> bool:
    """Tell whether a request may have this name: letters, digits, dots, dashes, 64 characters at most."""
    return _SANE_ID.fullmatch(text) is not None


def note(**what: Any) -> None:
    """Add to the access line of the current request: counts, UIDs, media types; never values of patients."""
    _current().notes.update(what)


def _current() -> Exchange:
    exchange: Exchange = request.environ[_KEY]
    return exchange


class _AccessLog:
    def __init__(self, application: WSGIApplication, observer: Observer) -> None:
        self._application = application
        self._observer = observer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        exchange = _begin(environ)
        environ[_KEY] = exchange
        environ["wsgi.input"] = _CountedInput(environ["wsgi.input"], exchange)
        self._observer.begun()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            exchange.status = int(status[:3])
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        def finish() -> None:
            exchange.seconds = time.perf_counter() - exchange.started
            self._observer.finished(exchange)
            _write(exchange, environ)

        try:
            body = self._application(environ, start)
        except BaseException:
            exchange.outcome = "broken"
            finish()
            raise
        return _CountedBody(body, exchange, finish)


def _begin(environ: WSGIEnvironment) -> Exchange:
    asked = environ.get("HTTP_X_REQUEST_ID", "")
    length = environ.get("CONTENT_LENGTH") or ""
    method = environ["REQUEST_METHOD"]
    return Exchange(
        request_id=asked if is_request_id(asked) else str(ULID()),
        method=method if method in METHODS else "other",
        started=time.perf_counter(),
        declared=int(length) if length.isdecimal() else None,
    )


def _write(exchange: Exchange, environ: WSGIEnvironment) -> None:
    fields = {
        "request": exchange.request_id,
        "remote": environ.get("REMOTE_ADDR"),  # that of the client where proxies are trusted to say it
        "principal": exchange.principal,
        "method": exchange.method,
        "route": exchange.route,
        "study": exchange.study,
        "query": query_names(environ.get("QUERY_STRING", "")),
        "status": exchange.status,
        "outcome": exchange.outcome,
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
        "seconds": round(exchange.seconds, 6),
        "agent": environ.get("HTTP_USER_AGENT", "")[:100],
        **exchange.notes,
    }
    record = logging.LogRecord(_log.name, logging.INFO, "", 0, "", (), None)  # nobody asks which line logs it
    record.fields = {name: value for name, value in fields.items() if value not in _NOTHING}
    _log.handle(record)


def query_names(query: str) -> list[str]:
    """Return the names of a query's parameters; "?" for one that is no known name and so may be a value."""
    names = []
    for pair in query.split("&", _MOST_KEYS)[:_MOST_KEYS]:
        name, equals, _ = pair.partition("=")
        name = unquote_plus(name)
        if name:
            names.append(name if equals and _is_name(name) else "?")
    return names


def _is_name(name: str) -> bool:
    if name in _PARAMETERS or _TAGS.fullmatch(name):
        return True
    if len(name) >= 200:
        return False
    return all(part in TAG_OF_KEYWORD or _TAGS.fullmatch(part) for part in name.split("."))


class _CountedInput:
    """The body of a request, counted; it notices that the client went away before the body's end."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(self._stream.read if size is None else lambda: self._stream.read(size))

    def readinto(self, buffer: memoryview) -> int:
        """Read into memory, by the server itself where it can."""
        inner = getattr(self._stream, "readinto", None)
        if inner is not None:
            return self._counted_size(lambda: int(inner(buffer)))
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1) -> bytes:
        return self._counted(self._stream.readline if size is None else lambda: self._stream.readline(size))

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _counted(self, read: Callable[[], bytes]) -> bytes:
        data = b""

        def size() -> int:
            nonlocal data
            data = read()
            return len(data)

        self._counted_size(size)
        return data

    def _counted_size(self, read: Callable[[], int]) -> int:
        try:
            size = read()
        except Exception:  # whatever it is called, the body ended before its end
            self._exchange.outcome = "client gone"
            raise
        self._exchange.bytes_in += size
        if not size and (self._exchange.declared or 0) > self._exchange.bytes_in:
            self._exchange.outcome = "client gone"
        return size


class _CountedBody:
    """The body of an answer, counted; closing it ends the exchange."""

    def __init__(self, body: Iterable[bytes], exchange: Exchange, finish: Callable[[], None]) -> None:
        self._body = body
        self._chunks = iter(body)
        self._exchange = exchange
        self._finish: Callable[[], None] | None = finish
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._ended = True
            raise
        except FilmroomError as error:
            self._broke(reason=str(error))
            # Its beginning has gone out: only an end before the end can tell the client (RFC 9112 8). Servers
            # take this for a client that is gone, and close the connection; it is no fault of theirs.
            raise ConnectionResetError(ECONNRESET, "the answer has no end") from error
        except BaseException:
            self._broke()
            raise
        self._exchange.bytes_out += len(chunk)
        return chunk

    def _broke(self, **why: str) -> None:
        self._ended = True
        self._exchange.outcome = "broken"
        self._exchange.notes.update(why)

    def close(self) -> None:
        """Close the answer; whoever closes it before its end has lost the client."""
        finish, self._finish = self._finish, None
        if finish is None:
            return
        if not self._ended:
            self._exchange.outcome = "client gone"
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            finish()
