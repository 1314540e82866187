"""What only the folder does: a full disk, a lost disk, leftovers of a crash, names that are no keys."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import BadKey, ObjectDamaged, ObjectNotFound, StoreFull, StoreUnavailable
from storage.filesystem import FolderStore
from storage.open import open_store
from tests.storage.behind import content, put

MIB = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 4 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk that fills up takes root and the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_full_disk(small_disk: Path) -> None:
    store = open_store(f"file://{small_disk}", connections=1, timeout=1)
    put(store, "a/1", content(2 * MIB))
    with pytest.raises(StoreFull, match="b/2"):
        put(store, "b/2", content(3 * MIB))
    files = [str(each.relative_to(small_disk)) for each in small_disk.rglob("*") if each.is_file()]
    assert files == ["a/1"], "something of the object stayed behind"
    assert store.read("a/1") == content(2 * MIB)
    store.delete("a/1")
    put(store, "b/2", content(3 * MIB))


def test_lost_disk_is_not_a_missing_object(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    store = open_store(f"file://{root}", connections=1, timeout=1)
    put(store, "a/1", b"x")
    store.check()
    root.rename(tmp_path / "elsewhere")
    for ask in (
        store.check,
        lambda: store.read("a/1"),
        lambda: store.size("a/1"),
        lambda: list(store.list()),
    ):
        with pytest.raises(StoreUnavailable):
            ask()
    with pytest.raises(StoreUnavailable):
        put(store, "a/2", b"x")
    assert not root.exists(), "the store made a new folder where a disk should be"
    (tmp_path / "elsewhere").rename(root)
    assert store.read("a/1") == b"x"


def test_leftovers_of_a_crash(tmp_path: Path) -> None:
    FolderStore(tmp_path)
    old, new = tmp_path / ".tmp~" / "old", tmp_path / ".tmp~" / "new"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000,) * 2)
    store = FolderStore(tmp_path)
    assert not old.exists()
    assert new.exists(), "another process may be writing it"
    assert list(store.list()) == []


def test_names_that_are_no_keys_are_left_out(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    put(store, "a/1", b"x")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "a" / "not a key").write_bytes(b"x")
    assert [each.key for each in store.list()] == ["a/1"]


def test_key_below_or_above_an_object(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}", connections=1, timeout=1)
    put(store, "a/b", b"x")
    for key in ("a", "a/b/c"):
        with pytest.raises(BadKey):
            put(store, key, b"y")
        with pytest.raises(ObjectNotFound):
            store.read(key)
        store.delete(key)
    assert store.read("a/b") == b"x"


def test_object_that_was_cut(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}", connections=1, timeout=1)
    put(store, "a/b", content(1000))
    with store.open("a/b") as reader:
        os.truncate(tmp_path / "a" / "b", 500)
        assert len(reader.read(1000)) == 500
        with pytest.raises(ObjectDamaged, match="a/b"):
            reader.read(1)


@pytest.mark.parametrize(
    "url", ["file://host/x", "file:relative", "file:///", "file:///x?y=1", "", "folder", "gs://b"]
)
def test_wrong_urls(url: str) -> None:
    with pytest.raises(ValueError, match="file:///"):
        open_store(url, connections=1, timeout=1)


def test_url_with_escapes(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/with%20blank", connections=1, timeout=1)
    put(store, "a", b"x")
    assert (tmp_path / "with blank" / "a").read_bytes() == b"x"
