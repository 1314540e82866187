"""What only the tests ask a child process to do: to misbehave in every way that a codec can."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np

from archive.errors import NotAcceptable, RangeNotSatisfiable
from archive.sandbox.messages import Answer


def _echo(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    return options, blobs


def _pid(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    time.sleep(options.get("seconds", 0))
    return {"pid": os.getpid()}, []


def _look(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    return {
        "environment": dict(os.environ),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())) - 1,  # one is that of the folder
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "session": os.getsid(0),
        "pid": os.getpid(),
    }, []


def _signal(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    os.kill(os.getpid(), signal.Signals[options["name"]])
    time.sleep(60)
    return {}, []


def _segfault(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    return {"text": ctypes.string_at(8).hex()}, []


def _exit(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    os._exit(options["status"])


def _hang(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Loop in C without ever letting go of the interpreter's lock."""
    return {"found": bool(re.match(r"(a+)+$", "a" * 50 + "b"))}, []


def _bomb(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Take memory by malloc until there is none; tell how much there was, or let the error go on."""
    taken = []
    try:
        while True:
            taken.append(np.ones(2**24, "u1"))
    except MemoryError:
        if not options.get("tell"):
            raise
    return {"taken": len(taken) * 2**24}, []


_KEPT: list[np.ndarray] = []


def _keep(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    _KEPT.append(np.ones(options["size"], "u1"))
    return {"pid": os.getpid()}, []


def _refuse(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    if options["how"] == "offered":
        raise NotAcceptable("none of these", offered=("image/png", "image/jpeg"))
    if options["how"] == "not":
        return options, []
    raise RangeNotSatisfiable("outside", size=7)


def _break(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    raise KeyError(options["name"])  # a foreign text, which may name a patient


def _print(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    os.write(1, b"printed by a library\n")
    os.write(2, b"x" * options.get("size", 0))
    return {"read": os.read(0, 10).hex()}, []


def _message(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


_NONSENSE = {
    "length": b"\xff" * 64,
    "not JSON": _message(b"not JSON!"),
    "no object": _message(b"[]"),
    "deep": _message(b"[" * 100_000 + b"]" * 100_000),
    "huge blob": _message(b'{"answer":{},"blobs":[9223372036854775807]}'),
    "negative blob": _message(b'{"answer":{},"blobs":[-1]}'),
    "no answer": _message(b'{"blobs":[]}'),
    "no such error": _message(b'{"error":"SystemExit","message":"","details":{},"blobs":[]}'),
    "no such detail": _message(b'{"error":"NotFound","message":"","details":{"x":1},"blobs":[]}'),
}


def _nonsense(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Write to every pipe what is no answer, as code that a stream took over might."""
    said = _NONSENSE[options["kind"]]
    for descriptor in range(3, 12):
        try:
            os.write(descriptor, said)
        except OSError:
            continue
    time.sleep(60)
    return {}, []


TASKS = {
    "echo": _echo,
    "pid": _pid,
    "look": _look,
    "signal": _signal,
    "segfault": _segfault,
    "exit": _exit,
    "hang": _hang,
    "bomb": _bomb,
    "keep": _keep,
    "refuse": _refuse,
    "break": _break,
    "print": _print,
    "nonsense": _nonsense,
}
