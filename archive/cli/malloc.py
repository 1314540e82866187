"""The memory that the C library keeps: glibc gives threads arenas of their own, and keeps what each once had.

A worker has some thirty threads, whose bodies and frames come and go one after the other. Two arenas serve
them as fast, for Python lets one thread at a time ask for memory, and hold half as much.
"""

from __future__ import annotations

import ctypes
import os

_ARENA_MAX, _MOST_ARENAS = -8, 2  # M_ARENA_MAX of malloc.h


def share_arenas() -> None:
    """Have the threads of this process share arenas; called before there are any.

    Nothing happens with a C library that has no arenas, or where the operator chose with MALLOC_ARENA_MAX.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _MOST_ARENAS)
