"""Objects as files of one folder of a local disk: a key is a path under it.

    <root>/<key>        the objects
    <root>/.tmp~/…      what is being written; `~` is in no key

An object is written and flushed under a temporary name, then linked to its own, then the folders are flushed:
a crash leaves the whole object or a temporary file, which the next start removes when it is a day old. Those
of a group go through each step together, because the disk makes many files durable in little more time than
one. storage/folders.py knows which folders are durable, storage/files.py is about single files.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from storage.contract import Body, Draft, ObjectInfo, ObjectReader, Placement
from storage.errors import ObjectDamaged, ObjectNotFound, StorageError, StoreUnavailable
from storage.files import FileDraft, FileReader, file_length, translated
from storage.folders import DurableFolders, Folder
from storage.keys import is_key

_CHUNK = 2**20
_LEFTOVER = 86_400  # seconds; no request lives as long
_RACES = 100  # times that a delete may take a folder away from under one put
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class FolderStore:
    """An ObjectStore in a folder. Any number of threads and processes of one machine may share it."""

    def __init__(self, root: Path) -> None:
        """Make the folder where there is none, and remove what a crash left behind."""
        self._root = str(root.absolute())
        self._temporary = os.path.join(self._root, ".tmp~")  # noqa: PTH118 strings are the hot path here
        self._folders = DurableFolders(self._root)
        with translated():
            Path(self._temporary).mkdir(parents=True, exist_ok=True)
            self._sweep()

    in_files = True

    def put(self, key: str, body: Body, size: int, sha256: str) -> None:
        """See ObjectStore.put. The bytes are hashed as they are written: 0.5 ms a MiB where measured."""
        digest = hashlib.sha256()
        with closing(FileDraft(self._temporary)) as draft:
            body.seek(0)
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
                draft.write(chunk)
            if draft.size != size or digest.hexdigest() != sha256:
                raise ObjectDamaged("the bytes to be stored are not those that were announced")
            (error,) = self.place([Placement(draft, key, sha256)])
        if error is not None:
            raise error

    def begin(self, memory: int) -> Draft:
        """See ObjectStore.begin."""
        return FileDraft(self._temporary)

    def place(self, placements: Sequence[Placement]) -> list[StorageError | None]:
        """See ObjectStore.place. The bytes are those that were hashed: `write` took them from memory."""
        group = _Group(self._folders, placements)
        group.flush_files()
        group.give_names()
        group.flush_folders()
        return group.errors

    def open(self, key: str, start: int = 0, length: int | None = None) -> ObjectReader:
        """See ObjectStore.open. Raise ObjectDamaged where the object ends before the range does."""
        with self._found():
            file = os.open(self._path(key), os.O_RDONLY)
            try:
                return FileReader(file, start, file_length(file, start, length))
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
        with translated():
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
                Folder(folder).flush()

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """See ObjectStore.list. Memory holds the names of one folder a level."""
        with translated():
            os.stat(self._root)  # noqa: PTH116 a listing of a lost disk is not empty
            yield from self._walk(prefix[: prefix.rfind("/") + 1], prefix, after)

    def check(self) -> None:
        """See ObjectStore.check: the folder is there and may be written to."""
        if not os.access(self._temporary, os.W_OK | os.X_OK):
            raise StoreUnavailable("the folder of objects is missing or may not be written to")

    def close(self) -> None:
        """See ObjectStore.close."""
        self._folders.close()

    @contextmanager
    def _found(self) -> Iterator[None]:
        """Tell an object that is missing from a disk that is."""
        try:
            with translated():
                yield
        except StorageError as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                self.check()
                raise ObjectNotFound("no such object") from error.__cause__
            raise

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

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


class _Group:
    """Drafts that become objects together; what fails for one leaves the others alone."""

    def __init__(self, folders: DurableFolders, placements: Sequence[Placement]) -> None:
        self.errors: list[StorageError | None] = [None] * len(placements)
        self._folders = folders
        self._placements = placements
        self._inside: list[tuple[int, Folder]] = []  # the folders whose names changed, and for which draft

    def flush_files(self) -> None:
        """Make the bytes durable under their temporary names."""
        drafts = [self._draft(at) for at in range(len(self._placements))]
        if len(drafts) > 1:
            for draft in drafts:
                draft.end()
        for at, draft in enumerate(drafts):
            with self._noted(at):
                draft.flush()

    def give_names(self) -> None:
        """Give those whose bytes are durable the names of their keys."""
        for at, placement in enumerate(self._placements):
            if self.errors[at] is None:
                with self._noted(at):
                    self._inside += [(at, folder) for folder in self._name(self._draft(at), placement.key)]

    def flush_folders(self) -> None:
        """Make the names durable; each folder is asked once, for a second fsync tells no error again."""
        ends: dict[int, StorageError | None] = {}
        # The innermost come first: where folders are flushed in one go anyway, the rest find nothing to do.
        for at, folder in self._inside:
            if folder.descriptor not in ends:
                ends[folder.descriptor] = _flushed(folder)
            self.errors[at] = self.errors[at] or ends[folder.descriptor]

    def _draft(self, at: int) -> FileDraft:
        draft = self._placements[at].draft
        if not isinstance(draft, FileDraft):
            raise TypeError("a folder places only what it began")
        return draft

    @contextmanager
    def _noted(self, at: int) -> Iterator[None]:
        try:
            with translated():
                yield
        except StorageError as error:
            self.errors[at] = error

    def _name(self, draft: FileDraft, key: str) -> tuple[Folder, ...]:
        """Give a file its name; return the folders that must be flushed for it.

        The folder that holds the object is made here, most often for this object alone; a delete may take
        it, or those above it, away in between.
        """
        folder, _, name = key.rpartition("/")
        above, _, last = folder.rpartition("/")
        for _ in range(_RACES):
            try:
                outer = self._folders.open(above)
                if not folder:
                    _link(draft.path, name, outer)
                    return (outer,)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(last, dir_fd=outer.descriptor)
                inner = Folder(last, outer)
                _link(draft.path, name, inner)
            except FileNotFoundError:
                os.stat(draft.path)  # noqa: PTH116 ends the loop where it is the disk that went away
                continue
            return inner, outer
        raise StoreUnavailable("folders vanish as fast as they are made")


def _flushed(folder: Folder) -> StorageError | None:
    try:
        with translated():
            folder.flush()
    except StorageError as error:
        return error
    return None


def _link(staged: str, name: str, folder: Folder) -> None:
    """Give a file a second name, in an open folder; the first one goes where a file can have but one."""
    try:
        os.link(staged, name, dst_dir_fd=folder.descriptor)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if _is_there(name, folder):
            raise FileExistsError from error
        os.rename(staged, name, dst_dir_fd=folder.descriptor)


def _is_there(name: str, folder: Folder) -> bool:
    try:
        os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
