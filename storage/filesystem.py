"""Objects as files of one folder of a local disk: a key is a path under it.

    <root>/<key>        the objects
    <root>/.tmp~/…      what is being written; `~` is in no key

An object is written and flushed under a temporary name, then linked to its own, then the folders are flushed:
a crash leaves the whole object or a temporary file, which the next start removes when it is a day old.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from storage.contract import Body, ObjectInfo, ObjectReader
from storage.errors import BadKey, ObjectDamaged, ObjectNotFound, StorageError, StoreFull, StoreUnavailable
from storage.keys import is_key

_CHUNK = 2**20
_LEFTOVER = 86_400  # seconds; no request lives as long
_RACES = 100  # times that a delete may take a folder away from under one put
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class FolderStore:
    """An ObjectStore in a folder. Any number of threads and processes of one machine may share it."""

    def __init__(self, root: Path) -> None:
        """Make the folder where there is none, and remove what a crash left behind."""
        self._root = str(root.absolute())
        self._temporary = os.path.join(self._root, ".tmp~")  # noqa: PTH118 strings are the hot path here
        with _translated():
            Path(self._temporary).mkdir(parents=True, exist_ok=True)
            self._sweep()

    def put(self, key: str, body: Body, size: int, sha256: str) -> None:
        """See ObjectStore.put. The bytes are hashed as they are written: 0.5 ms a MiB where measured."""
        with _translated(), self._staged() as staged:
            _write(staged, body, size, sha256)
            self._place(staged, key)

    def open(self, key: str, start: int = 0, length: int | None = None) -> ObjectReader:
        """See ObjectStore.open. Raise ObjectDamaged where the object ends before the range does."""
        with self._found():
            file = os.open(self._path(key), os.O_RDONLY)
            try:
                return FileReader(file, start, _length(file, start, length))
            except BaseException:
                os.close(file)
                raise

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore.read."""
        with self.open(key, start, length) as reader:
            return b"".join(iter(lambda: reader.read(_CHUNK), b""))

    def size(self, key: str) -> int:
        """See ObjectStore.size."""
        with self._found():
            found = os.stat(self._path(key))  # noqa: PTH116
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError
            return found.st_size

    def delete(self, key: str) -> None:
        """See ObjectStore.delete. Folders left empty go too."""
        path = self._path(key)
        with _translated():
            try:
                os.unlink(path)  # noqa: PTH108
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return
            folder = os.path.dirname(path)  # noqa: PTH120
            while folder != self._root:
                try:
                    os.rmdir(folder)  # noqa: PTH106
                except OSError:  # not empty, or gone already
                    break
                folder = os.path.dirname(folder)  # noqa: PTH120
            with contextlib.suppress(FileNotFoundError):
                _flush_folder(folder)

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """See ObjectStore.list. Memory holds the names of one folder a level."""
        with _translated():
            os.stat(self._root)  # noqa: PTH116 a listing of a lost disk is not empty
            yield from self._walk(prefix[: prefix.rfind("/") + 1], prefix, after)

    def check(self) -> None:
        """See ObjectStore.check: the folder is there and may be written to."""
        if not os.access(self._temporary, os.W_OK | os.X_OK):
            raise StoreUnavailable("the folder of objects is missing or may not be written to")

    def close(self) -> None:
        """Nothing is held."""

    @contextmanager
    def _found(self) -> Iterator[None]:
        """Tell an object that is missing from a disk that is."""
        try:
            with _translated():
                yield
        except StorageError as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                self.check()
                raise ObjectNotFound("no such object") from error.__cause__
            raise

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    @contextmanager
    def _staged(self) -> Iterator[str]:
        """Give a temporary name; whatever is still there at the end is removed."""
        path = f"{self._temporary}/{uuid.uuid4().hex}"
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108

    def _place(self, staged: str, key: str) -> None:
        """Give the staged file its name, durably; a delete may take the folder away in between."""
        path = self._path(key)
        for _ in range(_RACES):
            try:
                self._make_folders(key)
                _link(staged, path)
            except FileNotFoundError:
                os.stat(staged)  # noqa: PTH116 ends the loop where it is the disk that went away
                continue
            _flush_folder(os.path.dirname(path))  # noqa: PTH120
            return
        raise StoreUnavailable("folders vanish as fast as they are made")

    def _make_folders(self, key: str) -> None:
        """Make the folders of a key, each durable in its parent.

        Also those that were there: another process may have made them and not flushed yet.
        """
        folder = self._root
        for name in key.split("/")[:-1]:
            parent, folder = folder, f"{folder}/{name}"
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder)  # noqa: PTH102
            _flush_folder(parent)

    def _sweep(self) -> None:
        oldest = time.time() - _LEFTOVER
        with os.scandir(self._temporary) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                    if entry.stat().st_mtime < oldest:
                        os.unlink(entry.path)  # noqa: PTH108

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """Go through one folder (a key's beginning that is empty or ends with `/`) in key order."""
        try:
            with os.scandir(self._path(folder)) as entries:
                names = [entry.name + "/" * entry.is_dir() for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return
        # Keys compare with the `/` in them: `a.b` stands before `a/b`, though `a` stands before `a.b`.
        for name in sorted(names):
            key = folder + name
            if name.endswith("/"):
                wanted = key.startswith(prefix) or prefix.startswith(key)
                if wanted and (key > after or after.startswith(key)) and is_key(name[:-1]):
                    yield from self._walk(key, prefix, after)
            elif key > after and key.startswith(prefix) and is_key(name):
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(self._path(key))  # noqa: PTH116
                    yield ObjectInfo(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


class FileReader:
    """An ObjectReader over a part of a file."""

    def __init__(self, file: int, start: int, length: int) -> None:
        self._file = file
        self._position = start
        self._end = start + length

    def read(self, size: int, /) -> bytes:
        """See ObjectReader.read."""
        wanted = min(size, self._end - self._position)
        if wanted <= 0:
            return b""
        with _translated():
            data = os.pread(self._file, wanted, self._position)
        if not data:
            raise ObjectDamaged(f"the file ended at byte {self._position} of {self._end}")
        self._position += len(data)
        return data

    def close(self) -> None:
        """See ObjectReader.close."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> ObjectReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.close()


def _length(file: int, start: int, length: int | None) -> int:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise FileNotFoundError
    wanted = found.st_size - start if length is None else length
    if wanted < 0 or start + wanted > found.st_size:
        raise ObjectDamaged(f"the object has {found.st_size} bytes, fewer than were asked for")
    return wanted


def _write(path: str, body: Body, size: int, sha256: str) -> None:
    digest, written = hashlib.sha256(), 0
    body.seek(0)
    with open(path, "xb", buffering=0) as file:  # noqa: PTH123
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]
            written += len(chunk)
        if written != size or digest.hexdigest() != sha256:
            raise ObjectDamaged("the bytes to be stored are not those that were announced")
        os.fsync(file.fileno())


def _link(staged: str, path: str) -> None:
    try:
        os.link(staged, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError from error
        os.rename(staged, path)  # noqa: PTH104


def _flush_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _meaning(error) from error


def _meaning(error: OSError) -> StorageError:
    if isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)):
        return BadKey("the key, or a beginning of it, is in use")
    if error.errno in _FULL:
        return StoreFull("the disk is full")
    if error.errno == errno.ENAMETOOLONG:
        return BadKey("the key is too long for the disk")
    return StoreUnavailable(f"the disk answers: {error.strerror}")
