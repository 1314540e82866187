"""Folders that outlive a crash: made from the root down, each flushed into the one above it.

To flush the whole way down for every object costs more than the object. So folders whose way was flushed are
kept open: as long as a descriptor is held its inode is no other folder's, and a path that still leads to that
inode leads to a durable folder. Nothing can be made in a folder that was removed, however it is reached.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from threading import Lock

_MOST = 128  # descriptors of one process; a process has 1,024 where nothing else is said


class Folder:
    """An open folder. The descriptor is closed when nobody holds the object any more."""

    __slots__ = ("descriptor",)

    def __init__(self, path: str, above: Folder | None = None) -> None:
        """Open `path`, below `above` where that is given; raise OSError."""
        self.descriptor = -1
        place = None if above is None else above.descriptor
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=place)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def flush(self) -> None:
        """Make the names in the folder durable."""
        os.fsync(self.descriptor)

    def is_at(self, path: str) -> bool:
        """Tell whether a path leads to this very folder."""
        try:
            return os.path.samestat(os.stat(path), os.fstat(self.descriptor))  # noqa: PTH116
        except FileNotFoundError:
            return False


class DurableFolders:
    """The folders below a root. Threads may share it; other processes may make and remove folders too."""

    def __init__(self, root: str, most: int = _MOST) -> None:
        """Keep up to `most` folders open."""
        self._root = root
        self._most = most
        self._known: OrderedDict[str, Folder] = OrderedDict()
        self._lock = Lock()

    def open(self, name: str) -> Folder:
        """Return a folder by its path below the root ("": the root), made and durable with all above it.

        Raise FileNotFoundError where it, or one above it, is removed meanwhile.
        """
        path = f"{self._root}/{name}" if name else self._root
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                self._known.move_to_end(name)
        if known is not None and known.is_at(path):
            return known
        made = self._make(name, path)
        with self._lock:
            self._known[name] = made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made

    def close(self) -> None:
        """Let go of all folders."""
        with self._lock:
            self._known.clear()

    def _make(self, name: str, path: str) -> Folder:
        """Make a folder and those above it, then flush the way down to it.

        Also past those that were there: another process may have made them and not flushed yet.
        """
        above, here = [self._root], self._root
        for part in name.split("/") if name else ():
            here = f"{here}/{part}"
            with contextlib.suppress(FileExistsError):
                os.mkdir(here)  # noqa: PTH102
            above.append(here)
        folder = Folder(path)
        for each in above[:-1]:
            Folder(each).flush()
        if not folder.is_at(path):  # removed and made anew while we flushed
            raise FileNotFoundError(path)
        return folder
