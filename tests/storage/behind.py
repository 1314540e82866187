"""Looking at a store behind the driver's back, and a few bytes to put there."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from storage.contract import ObjectStore
from tests.services.s3 import raw_client


class Behind:
    """The files or the bucket of a storage URL, without the driver."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/") + "/"
        self._client: Any = None if self.folder else raw_client(url)

    def get(self, key: str) -> bytes:
        """Return the bytes at a key."""
        if self.folder:
            return (self.folder / key).read_bytes()
        data: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        return data

    def put(self, key: str, data: bytes) -> None:
        """Write bytes to a key."""
        if self.folder:
            (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / key).write_bytes(data)
        else:
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data)

    def names(self) -> list[str]:
        """Return everything that is there, unfinished things included."""
        if self.folder:
            return sorted(
                str(each.relative_to(self.folder)) for each in self.folder.rglob("*") if each.is_file()
            )
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix
        )
        objects = [each["Key"] for page in pages for each in page.get("Contents", ())]
        uploads = self._client.list_multipart_uploads(Bucket=self._bucket).get("Uploads", ())
        unfinished = [each["Key"] for each in uploads if each["Key"].startswith(self._prefix)]
        return sorted(name.removeprefix(self._prefix) for name in (*objects, *unfinished))

    def close(self) -> None:
        """Give back connections."""
        if self._client:
            self._client.close()


def content(size: int) -> bytes:
    """Return `size` bytes that differ from place to place and from MiB to MiB."""
    block = hashlib.shake_256(b"filmroom").digest(2**20 + 7)
    return (block * (size // len(block) + 1))[:size]


def put(store: ObjectStore, key: str, data: bytes) -> None:
    """Store bytes with their true size and hash."""
    store.put(key, io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest())
