"""A request's body straight from its socket into the memory of whoever reads it.

gunicorn gathers what it receives in buffers of its own and cuts pieces out of them, which copies a large body
five times. Here a body of known length can also be read in place; all else is left to gunicorn.
"""

from __future__ import annotations

from typing import Any

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader


class SocketBody(Body):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's body, with `readinto`."""

    def readinto(self, buffer: memoryview) -> int:
        """Receive up to as many bytes as `buffer` has; return how many came, 0 at the end."""
        held = self.buf.tell()
        if held:  # by a `read` that was given less than it got
            data = self.read(min(len(buffer), held))
            buffer[: len(data)] = data
            return len(data)
        reader = self.reader
        wanted = min(len(buffer), reader.length)
        if not wanted:
            return 0
        came = _take(reader.unreader, buffer[:wanted])
        if not came:
            try:
                came = reader.unreader.sock.recv_into(buffer[:wanted])
            except Exception:
                self.failed = True
                raise
        reader.length -= came
        return int(came)


def _take(unreader: SocketUnreader, buffer: memoryview) -> int:
    """Take what came together with the headers; the rest of it stays where it is."""
    data: bytes = unreader.take_buffered()
    came = min(len(data), len(buffer))
    buffer[:came] = data[:came]
    if came < len(data):
        unreader.unread(data[came:])
    return came


def read_in_place(req: Any) -> None:
    """Let the body of a gunicorn request be read in place, where its length is known and it is a socket's."""
    body = req.body
    if (
        type(body) is Body
        and type(body.reader) is LengthReader
        and type(body.reader.unreader) is SocketUnreader
    ):
        req.body = SocketBody(body.reader)
