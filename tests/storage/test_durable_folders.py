"""Folders that are kept open: removed, moved or made anew by others while they are, and what is flushed."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path

import pytest

from storage.contract import Placement
from storage.errors import StorageError, StoreUnavailable
from storage.filesystem import FolderStore
from storage.folders import DurableFolders, Folder
from tests.storage.behind import put


class Flushes:
    """What was flushed, by the path of its descriptor, in order; paths that hold `broken` fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.paths: list[str] = []
        self.broken = ""
        self._root = root
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self._flush)

    def _flush(self, file: int) -> None:
        path = os.path.relpath(f"/proc/self/fd/{file}", "/")
        name = os.path.relpath(Path("/", path).readlink(), self._root)
        self.paths.append(".tmp~" if name.startswith(".tmp~/") else name)
        if self.broken and self.broken in name:
            raise OSError(5, "Input/output error")
        self._fsync(file)

    def taken(self) -> list[str]:
        """Return what was flushed since the last time."""
        taken, self.paths = self.paths, []
        return taken


@pytest.fixture
def flushes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flushes:
    """Watch what is flushed."""
    return Flushes(monkeypatch, tmp_path)


def test_what_is_flushed(tmp_path: Path, flushes: Flushes) -> None:
    """The first object of a series flushes all the way down; the others their own folder and the series'."""
    store = FolderStore(tmp_path)
    put(store, "o/study/series/1/x", b"1")
    assert flushes.taken() == [".tmp~", ".", "o", "o/study", "o/study/series/1", "o/study/series"]
    put(store, "o/study/series/2/x", b"2")
    assert flushes.taken() == [".tmp~", "o/study/series/2", "o/study/series"]
    put(store, "o/study/series/2/y", b"3")
    assert flushes.taken() == [".tmp~", "o/study/series/2", "o/study/series"]
    put(store, "o/study/other/1/x", b"4")
    assert flushes.taken() == [".tmp~", ".", "o", "o/study", "o/study/other/1", "o/study/other"]
    put(FolderStore(tmp_path), "o/study/series/3/x", b"5")
    assert flushes.taken()[:4] == [".tmp~", ".", "o", "o/study"], "another process knows nothing yet"


def test_series_folder_that_was_removed_is_made_again(tmp_path: Path, flushes: Flushes) -> None:
    store = FolderStore(tmp_path)
    put(store, "o/study/series/1/x", b"1")
    FolderStore(tmp_path).delete("o/study/series/1/x")
    assert not (tmp_path / "o").exists()
    flushes.taken()
    put(store, "o/study/series/1/y", b"2")
    assert flushes.taken() == [".tmp~", ".", "o", "o/study", "o/study/series/1", "o/study/series"]
    assert (tmp_path / "o/study/series/1/y").read_bytes() == b"2"


def test_series_folder_that_another_made_anew_is_not_believed(tmp_path: Path, flushes: Flushes) -> None:
    """Its name may not be on the disk yet, and what is put into the old one would be lost with it."""
    store = FolderStore(tmp_path)
    put(store, "o/study/series/1/x", b"1")
    shutil.rmtree(tmp_path / "o")
    (tmp_path / "o/study/series").mkdir(parents=True)
    flushes.taken()
    put(store, "o/study/series/2/x", b"2")
    assert flushes.taken() == [".tmp~", ".", "o", "o/study", "o/study/series/2", "o/study/series"]
    assert (tmp_path / "o/study/series/2/x").read_bytes() == b"2"


def test_series_folder_that_was_moved_is_not_written_to(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    put(store, "o/study/series/1/x", b"1")
    (tmp_path / "o").rename(tmp_path / "elsewhere")
    put(store, "o/study/series/2/x", b"2")
    assert (tmp_path / "o/study/series/2/x").read_bytes() == b"2"
    assert not (tmp_path / "elsewhere/study/series/2").exists()


def test_folder_that_is_removed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the folder and the link: the link fails, and all is made again."""
    store = FolderStore(tmp_path)
    put(store, "o/study/series/1/x", b"1")
    link, turns = os.link, iter(range(100))

    def late(source: str, name: str, *, dst_dir_fd: int) -> None:
        if next(turns) == 0:
            shutil.rmtree(tmp_path / "o")
        link(source, name, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "link", late)
    put(store, "o/study/series/2/x", b"2")
    assert (tmp_path / "o/study/series/2/x").read_bytes() == b"2"
    assert next(turns) == 2


def test_nothing_can_be_made_in_a_removed_folder(tmp_path: Path) -> None:
    """What all of this stands on."""
    (tmp_path / "a").mkdir()
    folder = Folder(str(tmp_path / "a"))
    (tmp_path / "a").rmdir()
    (tmp_path / "a").mkdir()
    assert not folder.is_at(str(tmp_path / "a")), "an inode that is held is not given to another folder"
    with pytest.raises(FileNotFoundError):
        os.mkdir("b", dir_fd=folder.descriptor)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError):
        os.link(tmp_path / "file", "file", dst_dir_fd=folder.descriptor)


@pytest.mark.parametrize("where", [".tmp~", "series/1", "o/study/series", "o/study"])
def test_a_flush_that_fails_is_a_failed_put(tmp_path: Path, flushes: Flushes, where: str) -> None:
    store = FolderStore(tmp_path)
    flushes.broken = where
    with pytest.raises(StoreUnavailable, match="Input/output"):
        put(store, "o/study/series/1/x", b"1")
    flushes.broken = ""
    assert list((tmp_path / ".tmp~").iterdir()) == []
    flushes.taken()
    put(store, "o/study/series/1/y", b"1")
    assert flushes.taken()[1:4] == [".", "o", "o/study"] or where in ("o/study/series", "series/1", ".tmp~")


def test_a_group_shares_the_flush_of_its_folder_and_its_failure(tmp_path: Path, flushes: Flushes) -> None:
    store = FolderStore(tmp_path)
    drafts = [store.begin(0) for _ in range(3)]
    for draft in drafts:
        draft.write(b"x")
    placements = [Placement(draft, f"o/s/e/{n}/x", "0" * 64) for n, draft in enumerate(drafts)]
    put(store, "o/s/e/other/x", b"")
    flushes.taken()
    assert store.place(placements) == [None] * 3
    assert flushes.taken() == [".tmp~"] * 3 + ["o/s/e/0", "o/s/e", "o/s/e/1", "o/s/e/2"]
    flushes.broken = "o/s/e"
    again = [Placement(draft, f"o/s/e/{n}/y", "0" * 64) for n, draft in enumerate(drafts)]
    assert all(isinstance(error, StorageError) for error in store.place(again))
    for draft in drafts:
        draft.close()


def test_few_folders_stay_open(tmp_path: Path) -> None:
    folders = DurableFolders(str(tmp_path), most=4)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        folders.open(f"a/{number}")
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4
    folders.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
