"""The table of what a child process can be asked to do.

A task is a function of options (JSON values) and blobs (bytes) that gives the same: it reads no file, no
database and no network. It raises FilmroomErrors for what cannot be done, which the caller sees as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from archive.imaging.decode import decode_frame
from archive.model.instance import Pixels
from archive.sandbox.messages import Answer

Task = Callable[[dict[str, Any], list[bytes]], Answer]


def decode(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Decode a stored frame: {syntax, pixels, frame}, [stored] -> {}, [native]."""
    pixels = Pixels(**options["pixels"])
    return {}, [decode_frame(blobs[0], options["syntax"], pixels, options["frame"])]


TASKS: Mapping[str, Task] = MappingProxyType({"decode": decode})
