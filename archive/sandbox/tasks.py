"""The table of what a child process can be asked to do.

A task is a function of options (JSON values) and blobs (bytes) that gives the same: it reads no file, no
database and no network. It raises FilmroomErrors for what cannot be done, which the caller sees as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from archive.imaging.decode import decode_frame
from archive.imaging.transcode import transcode_frame
from archive.model.instance import Pixels
from archive.sandbox.document import document
from archive.sandbox.messages import Answer
from archive.sandbox.render import animate, render

Task = Callable[[dict[str, Any], list[bytes]], Answer]


def decode(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Decode a stored frame: {syntax, pixels, frame}, [stored] -> {}, [native]."""
    pixels = Pixels(**options["pixels"])
    return {}, [decode_frame(blobs[0], options["syntax"], pixels, options["frame"])]


def transcode(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Compress a stored frame to another syntax: {syntax, target, pixels, frame}, [stored] -> {}, [encoded].

    A native frame is given little endian, beginning on a byte.
    """
    pixels = Pixels(**options["pixels"])
    value = transcode_frame(blobs[0], options["syntax"], options["target"], pixels, options["frame"])
    return {}, [value]


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "decode": decode,
        "transcode": transcode,
        "render": render,
        "animate": animate,
        "document": document,
    }
)
