"""How an answer goes out: its head together with the first of its body, and files without being read.

Every send wakes the client. gunicorn's own answer sends the head alone, and copies what it sends in chunks.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque

from gunicorn.http.wsgi import Response

from storage.file_range import FileRange

_MORE = socket.MSG_MORE if hasattr(socket, "MSG_MORE") else 0


class Answer(Response):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's answer; what it has to say waits for the bytes that it goes out with."""

    headers_sent: bool  # said, though they may wait
    _waiting: bytes = b""

    def send_headers(self) -> None:
        """Make the head ready to go out."""
        if self.headers_sent:
            return
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        self._waiting = "".join(lines).encode("latin-1")
        self.headers_sent = True

    def write(self, arg: bytes | FileRange) -> None:
        """Send a part of the body; see Response.write."""
        if not isinstance(arg, FileRange):
            super().write(arg)
            return
        self.send_headers()
        left = len(arg) if self.response_length is None else self.response_length - self.sent
        length = min(len(arg), left)
        if self._omits_body or length <= 0:
            return
        self.sent += length
        _send(self.sock, [self._before(length)], _MORE)
        _send_file(self.sock, arg.descriptor, arg.offset, length)

    def close(self) -> None:
        """Send what waits, and the end of a chunked body."""
        self.send_headers()
        last = b"0\r\n\r\n" if self.chunked else b""
        if self._waiting or last:
            _send(self.sock, [self._waiting + last])
            self._waiting = b""

    def _emit_body(self, data: bytes) -> None:
        _send(self.sock, [self._before(len(data)), data])

    def _before(self, length: int) -> bytes:
        """Return what goes out before so many bytes; what ends a chunk goes out with what comes next."""
        before, self._waiting = self._waiting, b""
        if self.chunked:
            before, self._waiting = b"%s%X\r\n" % (before, length), b"\r\n"
        return before


def _send(connection: socket.socket, pieces: list[bytes], flags: int = 0) -> None:
    """Send all of some pieces, in as few calls as the connection takes."""
    left = deque(memoryview(piece) for piece in pieces if piece)
    while left:
        sent = connection.sendmsg(left, [], flags)
        while left and sent >= len(left[0]):
            sent -= len(left.popleft())
        if sent:
            left[0] = left[0][sent:]


def _send_file(connection: socket.socket, file: int, offset: int, length: int) -> None:
    """Send a part of a file; raise OSError where it ends too early or the client takes nothing any more."""
    timeout = connection.gettimeout()
    while length:
        try:
            sent = os.sendfile(connection.fileno(), file, offset, length)
        except BlockingIOError:  # a connection with a timeout does not block in the kernel
            _wait_until_it_takes(connection, timeout)
            continue
        if sent == 0:
            raise ConnectionAbortedError("a file ended before the answer did")
        offset += sent
        length -= sent


def _wait_until_it_takes(connection: socket.socket, timeout: float | None) -> None:
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    if not poll.poll(None if timeout is None else timeout * 1000):
        raise TimeoutError("the client takes nothing")
