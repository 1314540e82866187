"""Objects in a bucket of an S3-compatible store, by boto3.

Servers differ (Amazon, Ceph, Swift, MinIO and others), so this uses what all have: SigV4, single deletes, no
conditional writes. storage/s3_upload.py sends, storage/s3_reader.py fetches, storage/s3_errors.py translates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.handlers import add_expect_header

from storage.contract import Body, Draft, ObjectInfo, ObjectReader, Placement
from storage.draft import SpooledDraft
from storage.errors import ObjectNotFound, StorageError
from storage.keys import is_key
from storage.s3_errors import translated
from storage.s3_get import S3Getter
from storage.s3_options import S3Options
from storage.s3_reader import S3Reader, object_size
from storage.s3_upload import MULTIPART_FROM, check_length, put_parts, put_whole, refuse_other_bytes

_CHUNK = 2**20
_ATTEMPTS = 2  # the second one is for a pooled connection that the server has closed, or one 503
_CONNECT = 5  # seconds
_AT_ONCE = 16  # objects of all groups that are sent at the same time


class S3Store:
    """An ObjectStore in a bucket. Threads share one client and its pool of connections."""

    def __init__(self, options: S3Options, *, connections: int, timeout: int) -> None:
        """Make the client; nothing is asked of the store yet."""
        self._bucket = options.bucket
        self._prefix = options.prefix
        self._content_md5 = options.checksums == "when_required"
        self._client = _client(options, connections, timeout)
        self._getter = S3Getter(self._client, ca_bundle=_ca_bundle(), connections=connections)
        self._senders = ThreadPoolExecutor(min(_AT_ONCE, connections), thread_name_prefix="s3-put")

    in_files = False

    def put(self, key: str, body: Body, size: int, sha256: str) -> None:
        """See ObjectStore.put."""
        check_length(body, size)
        if size >= MULTIPART_FROM:
            put_parts(self._client, self._place(key), body, size, sha256)
        else:
            put_whole(self._client, self._place(key), body, size, sha256, content_md5=self._content_md5)

    def begin(self, memory: int) -> Draft:
        """See ObjectStore.begin."""
        return SpooledDraft(memory)

    def place(self, placements: Sequence[Placement]) -> list[StorageError | None]:
        """See ObjectStore.place: several puts at a time, each by itself."""
        if len(placements) == 1:
            return [self._place_one(placements[0])]
        return list(self._senders.map(self._place_one, placements))

    def _place_one(self, placement: Placement) -> StorageError | None:
        draft = placement.draft
        if not isinstance(draft, SpooledDraft):
            raise TypeError("a bucket places only what it began")
        try:
            self.put(placement.key, draft.body, draft.size, placement.sha256)
        except StorageError as error:
            return error
        return None

    def open(self, key: str, start: int = 0, length: int | None = None) -> ObjectReader:
        """See ObjectStore.open. Raise ObjectDamaged where the object ends before the range does."""
        return S3Reader(self._client, self._getter, self._place(key), start, length)

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore.read."""
        with self.open(key, start, length) as reader:
            return b"".join(iter(lambda: reader.read(_CHUNK), b""))

    def size(self, key: str) -> int:
        """See ObjectStore.size."""
        return object_size(self._client, self._place(key))

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        try:
            with translated():
                self._client.delete_object(**self._place(key))
        except ObjectNotFound:  # most servers say 204, some 404
            return

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """See ObjectStore.list. A page of 1,000 is asked for at a time."""
        start = {"StartAfter": self._prefix + after} if after else {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, **start
        )
        with translated():
            for page in pages:
                for each in page.get("Contents", ()):
                    key = each["Key"].removeprefix(self._prefix)
                    if is_key(key):
                        yield ObjectInfo(key, each["Size"], each["LastModified"])

    def check(self) -> None:
        """See ObjectStore.check: the bucket is there and we may look into it."""
        with translated():
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def close(self) -> None:
        """See ObjectStore.close."""
        self._senders.shutdown()
        self._getter.close()
        self._client.close()

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def _ca_bundle() -> str | None:
    found: str | None = boto3.session.Session()._session.get_config_variable("ca_bundle")  # AWS_CA_BUNDLE
    return found


def _client(options: S3Options, connections: int, timeout: int) -> Any:
    session = boto3.session.Session()
    s3: Any = {
        "addressing_style": options.addressing,
        # Every server that checks signatures then checks the SHA-256 of what arrived, over TLS too.
        "payload_signing_enabled": True,
    }
    client = session.client(
        "s3",
        endpoint_url=options.endpoint_url,
        region_name=options.region or session.region_name or "us-east-1",
        config=Config(
            signature_version="s3v4",
            s3=s3,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=min(_CONNECT, timeout),
            read_timeout=timeout,
            max_pool_connections=connections,
            tcp_keepalive=True,
        ),
    )
    # Expect: 100-continue costs every put a round trip, and a whole second where a server does not know it.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    client.meta.events.register("before-send.s3.PutObject", refuse_other_bytes)
    return client
