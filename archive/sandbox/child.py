"""The main of a child process: it reads requests from standard input and answers on standard output.

Started by process.py as `python -m archive.sandbox.child MODULE MEMORY LIFE`: the module whose TASKS it can
do, the most bytes of memory it may take, and the read end of a pipe whose closing ends it.

Memory is limited by RLIMIT_DATA: it counts what is allocated, by malloc, numpy and the codecs alike, and not
the libraries that are only mapped (some 200 MB of addresses here, which RLIMIT_AS counts). RLIMIT_AS follows
at a distance, for what is mapped shared.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import importlib
import os
import resource
import select
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archive.errors import FilmroomError
from archive.log import describe
from archive.sandbox.messages import BEGUN, pack, unpack

_ADDRESSES = 2**30  # bytes of addresses above the limit of memory: libraries and stacks
_KILL_FIRST = "500"  # of 1000, added to how the kernel ranks processes when memory runs out


def main() -> None:
    """Do tasks until the parent closes the pipe, or ends."""
    module, memory, life = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _die_with_parent(life)
    _limit(memory)
    requests, answers = _take_pipes()
    warnings.simplefilter("ignore")  # those of pydicom quote values of patients
    tasks = importlib.import_module(module).TASKS
    while True:
        try:
            request, blobs = unpack(lambda size: _read(requests, size), sys.maxsize)
            _write(answers, [BEGUN])
            _write(answers, _answer(tasks, request, blobs))
        except (EOFError, BrokenPipeError):
            return
        del request, blobs


def _answer(tasks: Mapping[str, Any], request: dict[str, Any], blobs: list[bytes]) -> list[bytes]:
    """Do a task; what it raises is an answer as well."""
    try:
        answer, made = tasks[request["task"]](request["options"], blobs)
        return pack({"answer": answer}, made)
    except FilmroomError as error:
        return pack({"error": type(error).__name__, "message": str(error), "details": vars(error)})
    except MemoryError:
        return pack({"error": "MemoryError", "message": "", "details": {}})
    except Exception as error:  # noqa: BLE001 the parent raises it: a fault of ours, with its stack
        return pack({"error": "Exception", "message": describe(error), "details": {}})


def _die_with_parent(life: int) -> None:
    """Have the kernel end this process when the parent's end of a pipe closes, whatever is being done.

    PR_SET_PDEATHSIG would not do: it watches the thread that started us, and those come and go.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([life], [], [], 0)[0]:
        sys.exit()  # it has closed already


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # pixels of patients are not left on a disk
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_AS, (memory + _ADDRESSES, memory + _ADDRESSES))
    with contextlib.suppress(OSError):  # /proc may be read-only: then all processes rank alike
        Path("/proc/self/oom_score_adj").write_text(_KILL_FIRST)
    faulthandler.enable()  # the stack of a crash goes to standard error


def _take_pipes() -> tuple[int, int]:
    """Keep the pipes for ourselves: what a library prints goes to standard error."""
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return requests, answers


def _read(descriptor: int, size: int) -> bytes:
    """Read exactly `size` bytes; raise EOFError where there are fewer."""
    pieces = []
    while size:
        piece = os.read(descriptor, min(size, 2**20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _write(descriptor: int, pieces: list[bytes]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
