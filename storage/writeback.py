"""Begin to write a file's pages to the disk without waiting for it, so that a later fsync waits for less.

Only a hint: nothing is durable by it. A system that has no such call does the same work at the fsync.
"""

from __future__ import annotations

import ctypes

_WRITE = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2)
_call = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _call is not None:
    _call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def begin_writeback(descriptor: int, offset: int = 0, length: int = 0) -> None:
    """Begin to write `length` bytes from `offset` on (0: to the end). What goes wrong, the fsync tells."""
    if _call is not None:
        _call(descriptor, offset, length, _WRITE)
