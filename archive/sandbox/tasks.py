"""The table of what a child process can be asked to do.

A task is a function of options (JSON values) and blobs (bytes) that gives the same: it reads no file, no
database and no network. It raises FilmroomErrors for what cannot be done, which the caller sees as they are.
A child imports the module of a task when it is first asked for it: most only ever draw pictures, and need
neither what documents are made with nor PyAV.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from archive.sandbox.messages import Answer

Task = Callable[[dict[str, Any], list[bytes]], Answer]


def _of(module: str, name: str) -> Task:
    def task(options: dict[str, Any], blobs: list[bytes]) -> Answer:
        answer: Answer = getattr(import_module(f"archive.sandbox.{module}"), name)(options, blobs)
        return answer

    return task


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "decode": _of("transcode", "decode"),
        "transcode": _of("transcode", "transcode"),
        "warm": _of("render", "warm"),
        "render": _of("render", "render"),
        "render_video": _of("moving", "render_video"),
        "animate": _of("moving", "animate"),
        "document": _of("document", "document"),
    }
)
