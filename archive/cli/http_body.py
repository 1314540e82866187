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
        reader = self.reader
        wanted = min(len(buffer), reader.length)
        if not wanted:
            return 0
        if self.buf.tell() or reader.unreader.buf.getbuffer().nbytes:
            data = self.read(min(wanted, self._held()))  # what came with the headers, or was read ahead
            buffer[: len(data)] = data
            return len(data)
        try:
            came: int = reader.unreader.sock.recv_into(buffer[:wanted])
        except Exception:
            self.failed = True
            raise
        reader.length -= came
        return came

    def _held(self) -> int:
        return int(self.buf.tell()) or int(self.reader.unreader.buf.getbuffer().nbytes)


def read_in_place(req: Any) -> None:
    """Let the body of a gunicorn request be read in place, where its length is known and it is a socket's."""
    body = req.body
    if (
        type(body) is Body
        and type(body.reader) is LengthReader
        and type(body.reader.unreader) is SocketUnreader
    ):
        req.body = SocketBody(body.reader)
