"""What only a bucket has: connections that break, servers that stop or answer oddly, addresses."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest

from storage.contract import ObjectStore
from storage.errors import ObjectDamaged, StorageError, StoreFull, StoreUnavailable
from storage.open import open_store
from storage.s3_options import S3Options
from storage.s3_upload import part_ranges
from tests.services.process import LOOPBACK
from tests.services.proxy import Fault, Proxy
from tests.services.s3 import S3
from tests.storage.behind import Behind, content, put

MIB = 2**20


def altered(url: str, **parameters: str) -> str:
    """Return a storage URL with other parameters."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **parameters})))


@pytest.fixture
def url(s3: S3) -> str:
    """Give a storage URL under which nothing is."""
    return s3.new_url()


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """Give a proxy before the store."""
    endpoint = urlsplit(dict(parse_qsl(urlsplit(url).query))["endpoint_url"])
    if endpoint.hostname not in {LOOPBACK, "localhost"} or endpoint.port is None or endpoint.scheme != "http":
        pytest.skip("the proxy stands before servers of this machine only")
    with Proxy(endpoint.port) as running:
        yield running


@pytest.fixture
def far(url: str, proxy: Proxy) -> Iterator[ObjectStore]:
    """Give the store by way of the proxy."""
    store = open_store(altered(url, endpoint_url=f"http://{LOOPBACK}:{proxy.port}"), connections=4, timeout=1)
    yield store
    store.close()


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("cut", [0, 100, 700_000])
def test_cut_while_reading_is_mended(url: str, far: ObjectStore, proxy: Proxy, cut: int, reset: bool) -> None:
    data = content(3 * MIB)
    Behind(url).put("a/b", data)
    proxy.faults = [Fault(cut_down=cut, reset=reset)]
    assert far.read("a/b", 1000, 2 * MIB) == data[1000 : 1000 + 2 * MIB]
    assert proxy.connections == 2


def test_cut_while_reading_again_and_again(url: str, far: ObjectStore, proxy: Proxy) -> None:
    Behind(url).put("a/b", content(3 * MIB))
    proxy.fault = Fault(cut_down=100_000)
    with pytest.raises(StoreUnavailable, match="a/b"):
        far.read("a/b")
    proxy.fault = Fault()
    assert far.read("a/b") == content(3 * MIB)


def test_silence_while_reading(url: str, far: ObjectStore, proxy: Proxy) -> None:
    Behind(url).put("a/b", content(MIB))
    proxy.fault = Fault(silent_down=0)
    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match="a/b"):
        far.read("a/b")
    assert time.monotonic() - start < 8
    proxy.fault = Fault()
    proxy.faults = [Fault(silent_down=200_000)]
    assert far.read("a/b") == content(MIB)


def test_slow_is_not_silent(url: str, far: ObjectStore, proxy: Proxy) -> None:
    Behind(url).put("a/b", content(MIB))
    proxy.fault = Fault(delay=0.1)
    assert far.read("a/b") == content(MIB)
    assert proxy.connections == 1


@pytest.mark.parametrize("size", [MIB, 70 * MIB], ids=["whole", "multipart"])
def test_cut_while_writing(url: str, far: ObjectStore, proxy: Proxy, size: int) -> None:
    behind, data = Behind(url), content(size)
    proxy.faults = [Fault(cut_up=size // 2)]
    put(far, "a/once", data)
    assert behind.get("a/once") == data
    proxy.cut_all()
    proxy.fault = Fault(cut_up=min(size // 2, 5 * MIB), reset=True)
    with pytest.raises(StoreUnavailable, match="a/always"):
        put(far, "a/always", data)
    assert behind.names() == ["a/once"], "half an object, or an upload that was not aborted"


def test_answer_to_a_put_is_lost(url: str, far: ObjectStore, proxy: Proxy) -> None:
    """The object is there though the first attempt seems to have failed: the second one must not mind."""
    proxy.faults = [Fault(cut_down=0)]
    put(far, "a/b", b"x")
    assert Behind(url).get("a/b") == b"x"


def test_server_stops_and_comes_back(s3: S3) -> None:
    if s3.external:
        pytest.skip("only a server of our own can be stopped")
    server = S3()
    try:
        store = open_store(server.start().new_url(), connections=4, timeout=2)
        put(store, "a/b", b"x")
        server.pause()
        asks: list[Callable[[], Any]] = [
            store.check,
            lambda: store.read("a/b"),
            lambda: store.size("a/b"),
            lambda: store.delete("a/b"),
            lambda: list(store.list()),
            lambda: put(store, "a/c", b"x"),
        ]
        for ask in asks:
            with pytest.raises(StoreUnavailable):
                ask()
        server.start()
        store.check()
        assert store.read("a/b") == b"x"
        put(store, "a/c", b"x")
        store.close()
    finally:
        server.stop()


class Odd(BaseHTTPRequestHandler):
    """Passes requests on to a real server, and does to them what servers were seen to do."""

    target: int
    alter: Callable[[Odd, dict[str, str]], tuple[int, str] | None]

    def do_GET(self) -> None:
        """Answer anything, with alterations."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
        said = type(self).alter(self, headers)
        if said:
            status, code = said
            answer = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            fields = {"Content-Length": str(len(answer))}
        else:
            connection = http.client.HTTPConnection(LOOPBACK, self.target)
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            status, answer, fields = response.status, response.read(), dict(response.getheaders())
            connection.close()
        self.send_response(status)
        for name, value in fields.items():
            if name.lower() not in {"date", "server", "transfer-encoding"}:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 the names are http.server's

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def odd(url: str, alter: Callable[[Any, dict[str, str]], tuple[int, str] | None]) -> Iterator[ObjectStore]:
    """Give the store by way of a server with a habit."""
    port = urlsplit(dict(parse_qsl(urlsplit(url).query))["endpoint_url"]).port
    handler = type("Handler", (Odd,), {"target": port, "alter": staticmethod(alter)})
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        through = altered(url, endpoint_url=f"http://{LOOPBACK}:{server.server_port}")
        store = open_store(through, connections=2, timeout=5)
        try:
            yield store
        finally:
            store.close()
            server.shutdown()


def test_range_answered_with_everything(s3: S3, url: str) -> None:
    """Some servers know no ranges: 200 and the whole object."""
    if s3.external:
        pytest.skip("a signature does not survive altered headers")
    data = content(3 * MIB)
    Behind(url).put("a/b", data)

    def alter(_: Any, headers: dict[str, str]) -> None:
        headers.pop("Range", None)

    with odd(url, alter) as store:
        assert store.read("a/b", 2 * MIB, 1000) == data[2 * MIB : 2 * MIB + 1000]
        assert store.read("a/b", 2 * MIB) == data[2 * MIB :]
        with pytest.raises(ObjectDamaged):
            store.read("a/b", 2 * MIB, 2 * MIB)


def test_range_answered_with_another(s3: S3, url: str) -> None:
    if s3.external:
        pytest.skip("a signature does not survive altered headers")
    Behind(url).put("a/b", content(MIB))

    def alter(_: Any, headers: dict[str, str]) -> None:
        if "Range" in headers:
            headers["Range"] = "bytes=0-99"

    with odd(url, alter) as store, pytest.raises(ObjectDamaged, match="not asked for"):
        store.read("a/b", 1000, 100)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (507, "InsufficientStorage", StoreFull),
        (403, "QuotaExceeded", StoreFull),
        (400, "XMinioStorageFull", StoreFull),
        (403, "AccessDenied", StoreUnavailable),
        (403, "SignatureDoesNotMatch", StoreUnavailable),
        (404, "NoSuchBucket", StoreUnavailable),
        (503, "SlowDown", StoreUnavailable),
        (500, "InternalError", StoreUnavailable),
        (400, "BadDigest", ObjectDamaged),
    ],
)
def test_refusals(url: str, status: int, code: str, expected: type[StorageError]) -> None:
    with odd(url, lambda *_: (status, code)) as store, pytest.raises(expected, match="a/b"):
        put(store, "a/b", b"x")


def test_no_such_bucket(url: str) -> None:
    store = open_store(
        urlunsplit(urlsplit(url)._replace(netloc="no-such-bucket-here")), connections=1, timeout=5
    )
    for ask in (store.check, lambda: store.read("a"), lambda: put(store, "a", b"x")):
        with pytest.raises(StoreUnavailable):
            ask()
    store.close()


@pytest.mark.parametrize("checksums", ["auto", "when_required"])
@pytest.mark.parametrize("addressing", ["auto", "path", "virtual"])
def test_addressing_and_checksums(
    url: str, addressing: str, checksums: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host `bucket.localhost` is this machine (RFC 6761, 6.3), which not every resolver knows."""
    resolve = socket.getaddrinfo
    known = lambda host, *rest: resolve("localhost" if host.endswith(".localhost") else host, *rest)  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", known)
    parameters = {"addressing": addressing, "checksums": checksums}
    if addressing == "virtual":
        parameters["endpoint_url"] = dict(parse_qsl(urlsplit(url).query))["endpoint_url"].replace(
            LOOPBACK, "localhost"
        )
    store, behind = open_store(altered(url, **parameters), connections=1, timeout=5), Behind(url)
    put(store, "a/b", b"bytes")
    assert behind.get("a/b") == b"bytes"
    assert store.read("a/b", 1, 3) == b"yte"
    assert [each.key for each in store.list()] == ["a/b"]
    with pytest.raises(ObjectDamaged):
        store.put("a/c", io.BytesIO(b"x"), 1, "0" * 64)
    store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3:///prefix", "no bucket"),
        ("s3://b/prefix", "no bucket"),
        ("s3://bucket/a%20b", "prefix"),
        ("s3://bucket/../x", "prefix"),
        ("s3://bucket?endpoint=http://x", "not 'endpoint'"),
        ("s3://bucket?endpoint_url=x:9000", "endpoint_url"),
        ("s3://bucket?addressing=host", "auto, path, virtual"),
        ("s3://bucket?checksums=none", "auto, when_required"),
        ("s3://bucket?region=a&region=b", "twice"),
        ("s3://key:secret@bucket", "credentials"),
    ],
)
def test_wrong_urls(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_store(url, connections=1, timeout=1)


def test_options() -> None:
    expected = S3Options("bucket", "a/b/", "https://s3.example", "eu-1", "virtual", "when_required")
    parsed = S3Options.parse(
        "s3://bucket/a/b/?endpoint_url=https://s3.example&region=eu-1&addressing=virtual&checksums=when_required"
    )
    assert parsed == expected
    assert S3Options.parse("s3://bucket") == S3Options("bucket")


@pytest.mark.parametrize("size", [64 * MIB, 160_000 * MIB, 160_000 * MIB + 1, 5 * 2**40])
def test_parts_cover_the_object(size: int) -> None:
    parts = list(part_ranges(size))
    assert len(parts) <= 10_000
    assert all(length >= 16 * MIB for _, length in parts[:-1])
    assert [start for start, _ in parts[1:]] == [start + length for start, length in parts[:-1]]
    assert sum(length for _, length in parts) == size
