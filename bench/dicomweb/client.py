"""The client of the bench: kept connections by urllib3, answers timed to their last byte and kept for checks.

Checks run after the clock has stopped, so that neither their time nor their memory traffic is the server's.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util.connection import is_connection_dropped

_PIECE = 2**20
_TAIL = 64
_PATIENCE = 120.0  # seconds until a silent server is given up
_FORM = ("Content-Type", "Content-Encoding")
_FINE = frozenset((200, 204))


class NotLoopback(ValueError):
    """The address is not one of this machine, or not plain http."""


@dataclass(frozen=True, slots=True)
class Address:
    """A DICOMweb root on this machine."""

    host: str
    port: int
    root: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a URL apart; raise NotLoopback unless every address of its host is of the loopback."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise NotLoopback(f"{url} is not an http:// address")
        port = parts.port or 80
        try:
            found = socket.getaddrinfo(parts.hostname, port, proto=socket.IPPROTO_TCP)
        except OSError as error:
            raise NotLoopback(f"{url} is not an address of this machine") from error
        if not all(ipaddress.ip_address(each[4][0]).is_loopback for each in found):
            raise NotLoopback(f"{url} is not on the loopback; this bench sends to no other machine")
        return cls(parts.hostname, port, parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `seconds` from the first byte sent to the last one read, or `failure` for none.

    Of an answer that is not kept, `body` is its last bytes.
    """

    seconds: float
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int = 0
    failure: str = ""

    def same(self, other: Answer) -> bool:
        """Tell whether another answer says the same in the same form."""
        return (
            (self.status, self.failure, self.length) == (other.status, other.failure, other.length)
            and all(self.headers.get(name) == other.headers.get(name) for name in _FORM)
            and self.body == other.body
        )


Check = Callable[[Answer], str]


@dataclass(frozen=True, slots=True)
class Request:
    """One request below the root, and the check that returns what is wrong with its answer, or ""."""

    path: str
    check: Check
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    keep: bool = True

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer in a few words, or ""."""
        if answer.failure:
            return answer.failure
        if answer.status not in _FINE:
            return f"HTTP {answer.status}"
        try:
            return self.check(answer)
        except (
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            OSError,
        ) as error:  # not of the form it should have
            return f"unreadable: {type(error).__name__}"


class Client:
    """One connection, kept open between requests and opened again where the server closed it."""

    def __init__(self, address: Address) -> None:
        self._root = address.root
        self._connection = HTTPConnection(address.host, address.port, timeout=_PATIENCE)

    def open(self) -> None:
        """Connect now, so that no request pays for it; a server that is gone is met at the first request."""
        try:
            self._connection.connect()
        except (HTTPError, OSError):
            self._connection.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, request: Request) -> Answer:
        """Send and read the whole answer; never raises for what the server does."""
        headers = {"Accept-Encoding": "identity", **request.headers}
        if is_connection_dropped(self._connection):  # by a server that keeps none that is idle
            self._connection.close()
        start = time.perf_counter()
        try:
            self._connection.request(
                request.method,
                self._root + request.path,
                body=request.body,
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
            response = self._connection.getresponse()
            if request.keep:
                body = response.read()
                length = len(body)
            else:
                body, length = b"", 0
                while piece := response.read(_PIECE):
                    length += len(piece)
                    body = (body + piece[-_TAIL:])[-_TAIL:]
        except (HTTPError, OSError) as error:
            seconds = time.perf_counter() - start
            self._connection.close()
            return Answer(seconds, failure=type(error).__name__)
        seconds = time.perf_counter() - start
        return Answer(seconds, response.status, response.headers, body, length)
