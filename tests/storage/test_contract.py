"""What every driver does: written through the driver and read behind its back, and the other way round."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.contract import ObjectStore
from storage.errors import BadKey, ObjectDamaged, ObjectNotFound, StorageError
from storage.keys import MAX_KEY
from storage.open import open_store
from tests.storage.behind import Behind, content, put

MIB = 2**20
KEY = "default/1.2.840.1/1.2.840.2/1.2.840.3/01J0-ab.dcm"
SHA256 = "0" * 64


@pytest.mark.parametrize("size", [0, 1, MIB, 70 * MIB], ids=["empty", "byte", "MiB", "multipart"])
def test_put_is_seen_behind(store: ObjectStore, behind: Behind, size: int) -> None:
    data = content(size)
    put(store, KEY, data)
    assert behind.get(KEY) == data
    assert behind.names() == [KEY]
    assert store.size(KEY) == size


@pytest.mark.parametrize("size", [0, 1, MIB, 70 * MIB], ids=["empty", "byte", "MiB", "large"])
def test_what_is_behind_is_read(store: ObjectStore, behind: Behind, size: int) -> None:
    data = content(size)
    behind.put(KEY, data)
    assert store.size(KEY) == size
    assert store.read(KEY) == data
    with store.open(KEY) as reader:
        assert b"".join(iter(lambda: reader.read(100_000), b"")) == data
        assert reader.read(1) == b""


@pytest.mark.parametrize(
    ("start", "length"),
    [
        *((0, 1), (0, 1000), (500, 100), (999, 1), (500, None), (999, None), (1000, None)),
        *((0, 0), (1000, 0), (0, None)),
    ],
)
def test_range(store: ObjectStore, start: int, length: int | None) -> None:
    data = content(1000)
    put(store, KEY, data)
    expected = data[start : None if length is None else start + length]
    assert store.read(KEY, start, length) == expected
    with store.open(KEY, start, length) as reader:
        assert b"".join(iter(lambda: reader.read(7), b"")) == expected


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1001), (999, 2), (1000, 1), (1001, None), (1001, 0), (5000, 10)]
)
def test_range_beyond_the_end_is_damage(store: ObjectStore, start: int, length: int | None) -> None:
    """Whoever asks for a range knows the size of the object: fewer bytes are not what was stored."""
    put(store, KEY, content(1000))
    with pytest.raises(ObjectDamaged, match=KEY):
        store.read(KEY, start, length)
    with pytest.raises(ObjectDamaged):
        store.open(KEY, start, length)


def test_reader_left_early_harms_nothing(store: ObjectStore) -> None:
    data = content(3 * MIB)
    put(store, KEY, data)
    for _ in range(20):
        with store.open(KEY, 5, 2 * MIB) as reader:
            assert reader.read(10) == data[5:15]
        reader.close()
    assert store.read(KEY) == data


def test_missing(store: ObjectStore) -> None:
    put(store, KEY + ".other", b"x")
    for ask in (store.open, store.read, store.size):
        with pytest.raises(ObjectNotFound, match=KEY):
            ask(KEY)
    for start, length in ((5, 10), (0, 0)):
        with pytest.raises(ObjectNotFound):
            store.open(KEY, start, length)
    with pytest.raises(ObjectNotFound):
        store.size("default/1.2.840.1")  # a folder is no object
    store.delete(KEY)


def test_delete(store: ObjectStore, behind: Behind) -> None:
    put(store, KEY, b"1")
    put(store, KEY + "2", b"2")
    store.delete(KEY)
    assert behind.names() == [KEY + "2"]
    store.delete(KEY + "2")
    assert behind.names() == []
    if behind.folder:
        assert [each.name for each in behind.folder.iterdir()] == [".tmp~"], "empty folders stay behind"
    put(store, KEY, b"3")
    assert store.read(KEY) == b"3"


@pytest.mark.parametrize("size", [10, 66 * MIB], ids=["whole", "multipart"])
@pytest.mark.parametrize("wrong", [-1, 1], ids=["shorter", "longer"])
def test_body_of_another_size(store: ObjectStore, behind: Behind, wrong: int, size: int) -> None:
    with pytest.raises(ObjectDamaged, match=KEY):
        store.put(KEY, io.BytesIO(content(size + wrong)), size, SHA256)
    assert behind.names() == []


@pytest.mark.parametrize("size", [10, 66 * MIB], ids=["whole", "multipart"])
def test_body_of_another_hash(store: ObjectStore, behind: Behind, size: int) -> None:
    with pytest.raises(ObjectDamaged):
        store.put(KEY, io.BytesIO(content(size)), size, SHA256)
    assert behind.names() == []


def test_body_is_read_from_its_start(store: ObjectStore) -> None:
    body = io.BytesIO(b"0123456789")
    body.read(5)
    store.put(KEY, body, 10, "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882")
    assert store.read(KEY) == b"0123456789"


def test_put_where_something_is(store: ObjectStore, behind: Behind) -> None:
    """Keys are new for every attempt, so this is the caller's fault; what is there is whole all the same."""
    put(store, KEY, b"first")
    with_error = False
    try:
        put(store, KEY, b"second")
    except BadKey:
        with_error = True
    assert behind.get(KEY) == (b"first" if with_error else b"second")
    assert behind.names() == [KEY]


@pytest.mark.parametrize(
    "key",
    [
        *(
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/..",
            "a/./b",
            "a b",
            "ä",
            "a\n",
            "a\0b",
            "a\\b",
        ),
        *("~", ".tmp~/x", "a?b", "a%2fb", "x" * 256, "/".join(["x" * 200] * 5), "a/" * (MAX_KEY // 2) + "ab"),
    ],
)
def test_bad_keys(store: ObjectStore, key: str) -> None:
    for ask in (store.open, store.read, store.size, store.delete):
        with pytest.raises(BadKey):
            ask(key)
    with pytest.raises(BadKey):
        put(store, key, b"")


@pytest.mark.parametrize("key", ["a", "...", "..a", "a..", "A-b_c.d", "x" * 255, "/".join(["y" * 199] * 4)])
def test_good_keys(store: ObjectStore, behind: Behind, key: str) -> None:
    put(store, key, b"x")
    assert behind.get(key) == b"x"
    assert [each.key for each in store.list()] == [key]


def test_list_order(store: ObjectStore, behind: Behind) -> None:
    keys = [
        "a-b/1",
        "a.b",
        "a.b2/c",
        "a/b",
        "a/b-",
        "a/b.c",
        "a/c/d",
        "a0",
        "a0-/x",
        "b/1/2/3",
        "b/1/2/4",
        "b/1/20",
    ]
    for key in reversed(keys):
        put(store, key, key.encode())
    assert sorted(keys) == [each.key for each in store.list()]
    for text in (*keys, "a/", "b/1", "b/1/2", "zz", "a/b/", "0"):
        expected = [key for key in sorted(keys) if key.startswith(text)]
        assert [each.key for each in store.list(text)] == expected, text
        expected = [key for key in sorted(keys) if key > text]
        assert [each.key for each in store.list(after=text)] == expected, text
    assert [each.key for each in store.list("b/1/2/", after="b/1/2/3")] == ["b/1/2/4"]
    first = next(store.list("a0"))
    assert (first.key, first.size) == ("a0", 2)
    assert timedelta(0) <= datetime.now(UTC) - first.modified + timedelta(seconds=2) < timedelta(minutes=1)
    with pytest.raises(BadKey):
        store.list("../")


def test_list_of_many(store: ObjectStore, behind: Behind) -> None:
    keys = [f"many/{number:04}" for number in range(1100)]  # more than a page of S3
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: behind.put(key, b""), keys))
    assert [each.key for each in store.list("many/")] == keys
    assert [each.key for each in store.list("many/", after="many/1097")] == keys[1098:]


def test_threads(store: ObjectStore) -> None:
    """Puts and deletes that make and empty the same folders do not harm each other."""
    errors: list[Exception] = []

    def work(name: int) -> None:
        try:
            for number in range(25):
                key = f"a/b/c/{name}-{number}"
                put(store, key, key.encode())
                assert store.read(key) == key.encode()
                store.delete(key)
        except Exception as error:  # noqa: BLE001 whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(store.list()) == []


def test_observed(storage_url: str) -> None:
    seen: list[tuple[str, str]] = []
    store = open_store(storage_url, connections=1, timeout=5, observe=lambda *what: seen.append(what[::2]))
    put(store, KEY, b"x")
    list(store.list())
    with store.open(KEY):
        pass
    with pytest.raises(StorageError):
        store.read(KEY + "x")
    store.size(KEY)
    store.delete(KEY)
    store.check()
    store.close()
    assert seen == [
        *(("put", "ok"), ("list", "ok"), ("open", "ok"), ("read", "ObjectNotFound")),
        *(("size", "ok"), ("delete", "ok"), ("check", "ok")),
    ]


MEMORY = """
import hashlib, resource, sys, tempfile
from storage.open import open_store
store = open_store(sys.argv[1], connections=2, timeout=30)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def move(size):
    with tempfile.TemporaryFile() as body:
        digest, block = hashlib.sha256(), bytes(range(256)) * 4096
        for _ in range(size):
            body.write(block)
            digest.update(block)
        store.put(f"key-{size}", body, size * len(block), digest.hexdigest())
    with store.open(f"key-{size}") as reader:
        read = 0
        while data := reader.read(1 << 20):
            read += len(data)
    assert read == size * len(block)
move(2)
before = peak()
move(256)
print(peak() - before)
store.close()
"""


def test_memory_does_not_grow(storage_url: str, store: ObjectStore) -> None:
    command = [sys.executable, "-c", MEMORY, storage_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 24 * 1024, f"{done.stdout} KiB more for 256 MiB"
