"""The body of a request as a stream with limits, in pieces of memory that is used again and again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from flask import request

from archive.errors import InvalidRequest, TooLarge

_PIECE = 2**18
"""Bytes of a piece: few calls, each of which waits for its turn in the interpreter, yet in the cache."""

_mine = threading.local()


def body_chunks(limit: int) -> Iterator[memoryview]:
    """Give the request's body in pieces, each valid until the next is asked for.

    Raise TooLarge past `limit` bytes (0: no limit), InvalidRequest for a body that is cut off.
    """
    declared = request.content_length
    if limit and (declared or 0) > limit:
        raise TooLarge(f"the body is longer than {limit} bytes (FILMROOM_MAX_BODY)")
    memory: memoryview | None = getattr(_mine, "memory", None)
    if memory is None:
        memory = _mine.memory = memoryview(bytearray(_PIECE))
    got = 0
    while size := _read(memory if declared is None else memory[: max(declared - got, 1)]):
        got += size
        if limit and got > limit:
            raise TooLarge(f"the body is longer than {limit} bytes (FILMROOM_MAX_BODY)")
        yield memory[:size]
    if declared is not None and got < declared:
        raise _cut_off()


def _read(memory: memoryview) -> int:
    """Fill memory from its start, as far as the body goes: fewer pieces are fewer calls later on."""
    stream, size = request.stream, 0
    try:
        while size < len(memory) and (came := stream.readinto(memory[size:])):  # type: ignore[attr-defined]
            size += came
    except OSError as error:  # what servers raise when the connection ends or a chunk is malformed
        raise _cut_off() from error
    return size


def _cut_off() -> InvalidRequest:
    return InvalidRequest("the body was cut off before its end; nothing of it was stored", where="body")
