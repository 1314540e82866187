"""What parent and child say to each other: a length, that many bytes of JSON, then raw blobs.

A request is {"task", "options", "blobs": [lengths]}. The child answers BEGUN when it has read one, and then
either {"answer", "blobs": [lengths]} or {"error": class, "message", "details"}. Nothing is ever unpickled,
and a length is believed only within limits: what a child says may be what a hostile stream made it say.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

BEGUN = b"\x01"
LENGTH = struct.Struct("!I")
MAX_HEADER = 2**22
MAX_BLOBS = 2**16

Answer = tuple[dict[str, Any], list[bytes]]
"""What a task gives: JSON values by name, and blobs."""


class NonsenseError(ValueError):
    """Bytes that are no message."""


def pack(header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """Return the pieces of a message, to be written one after the other."""
    text = orjson.dumps({**header, "blobs": [len(blob) for blob in blobs]})
    if len(text) > MAX_HEADER:
        raise ValueError(f"{len(text)} bytes of options or answer; what is long goes in a blob")
    return [LENGTH.pack(len(text)) + text, *blobs]


def unpack(read: Callable[[int], bytes], most: int) -> tuple[dict[str, Any], list[bytes]]:
    """Read a message by `read`, which gives exactly so many bytes; blobs of at most `most` bytes together.

    Raise NonsenseError before anything is allocated for a message that is none.
    """
    (length,) = LENGTH.unpack(read(LENGTH.size))
    if length > MAX_HEADER:
        raise NonsenseError(f"a header of {length} bytes")
    try:
        header = orjson.loads(read(length))
    except orjson.JSONDecodeError:
        raise NonsenseError("a header that is not JSON") from None
    lengths = header.pop("blobs", None) if isinstance(header, dict) else None
    if not isinstance(lengths, list) or len(lengths) > MAX_BLOBS:
        raise NonsenseError("a header without lengths of blobs")
    if not all(type(each) is int and each >= 0 for each in lengths) or sum(lengths) > most:
        raise NonsenseError(f"blobs of more than {most} bytes")
    return header, [read(each) for each in lengths]
