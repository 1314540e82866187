"""Drafts and groups of them, on every driver: written piece by piece, placed together, failing one by one."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from storage.contract import ObjectStore, Placement
from storage.errors import BadKey, StorageError
from storage.open import open_store
from tests.storage.behind import Behind, content

MIB = 2**20
FOLDER = "default/1.2.840.1/1.2.840.2"


def place(store: ObjectStore, objects: dict[str, bytes]) -> list[StorageError | None]:
    """Place a group, each object written in three pieces."""
    with ExitStack() as stack:
        placements = []
        for key, data in objects.items():
            draft = stack.enter_context(closing(store.begin(MIB)))
            third = len(data) // 3
            for piece in (data[:third], memoryview(data)[third : 2 * third], data[2 * third :]):
                draft.write(piece)
            assert draft.size == len(data)
            draft.end()
            placements.append(Placement(draft, key, hashlib.sha256(data).hexdigest()))
        return store.place(placements)


@pytest.mark.parametrize("size", [0, 1, 5 * MIB], ids=["empty", "byte", "larger than its memory"])
def test_one(store: ObjectStore, behind: Behind, size: int) -> None:
    data = content(size)
    assert place(store, {f"{FOLDER}/1/a.dcm": data}) == [None]
    assert behind.get(f"{FOLDER}/1/a.dcm") == data
    assert behind.names() == [f"{FOLDER}/1/a.dcm"]


def test_a_group_of_several_folders(store: ObjectStore, behind: Behind) -> None:
    group = {f"{FOLDER}/{number % 20}/{number}.dcm": content(1000 + number) for number in range(40)}
    group["b"] = b"at the top"
    group["c/d"] = b"one below"
    assert place(store, group) == [None] * len(group)
    assert behind.names() == sorted(group)
    for key, data in group.items():
        assert store.read(key) == data


def test_no_group(store: ObjectStore) -> None:
    assert store.place([]) == []


def test_one_that_fails_leaves_the_others_alone(store: ObjectStore, behind: Behind) -> None:
    """Where a key is in use is the caller's fault; a bucket has no such fault."""
    behind.put("taken", b"first")
    errors = place(store, {"one/1": b"1", "taken/2": b"2", "three/3": b"3"})
    if behind.folder:
        assert [type(error) for error in errors] == [type(None), BadKey, type(None)]
        assert "taken/2" in str(errors[1])
        assert behind.names() == ["one/1", "taken", "three/3"]
    else:
        assert errors == [None] * 3
    assert store.read("one/1") == b"1"
    assert store.read("three/3") == b"3"


def test_a_draft_is_read_while_it_is_written(store: ObjectStore) -> None:
    data = content(3 * MIB)
    with closing(store.begin(2 * MIB)) as draft:
        for start in range(0, len(data), MIB):
            draft.write(data[start : start + MIB])
            assert draft.read_at(start, 10) == data[start : start + 10]
            assert draft.read_at(0, 10) == data[:10]
        assert draft.read_at(len(data) - 5, 100) == data[-5:]
        assert draft.read_at(len(data), 1) == b""
        assert draft.memory <= 2 * MIB


def test_a_draft_that_is_thrown_away_leaves_nothing(store: ObjectStore, behind: Behind) -> None:
    draft = store.begin(10)
    draft.write(content(1000))
    draft.close()
    draft.close()
    assert behind.names() == []


def test_wrong_placements(store: ObjectStore) -> None:
    with closing(store.begin(10)) as draft:
        with pytest.raises(BadKey):
            store.place([Placement(draft, "a/../b", "0" * 64)])
        with pytest.raises(ValueError, match="SHA-256"):
            store.place([Placement(draft, "a", "0")])


def test_groups_are_observed_object_by_object(storage_url: str) -> None:
    seen: list[tuple[str, str]] = []
    store = open_store(storage_url, connections=2, timeout=5, observe=lambda *what: seen.append(what[::2]))
    place(store, {"a/1": b"1", "a/2": b"2"})
    store.close()
    assert seen == [("put", "ok")] * 2


def test_groups_of_threads_that_share_folders(store: ObjectStore) -> None:
    """Groups and deletes that make and empty the same folders do not harm each other."""
    barrier = threading.Barrier(4)

    def work(name: int) -> None:
        barrier.wait()
        for turn in range(4):
            group = {f"a/b/{number}/{name}-{turn}": b"%d" % number for number in range(3)}
            assert place(store, group) == [None] * 3
            for key, data in group.items():
                assert store.read(key) == data
                store.delete(key)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, name) for name in range(4)]:
            done.result()
    assert list(store.list()) == []
