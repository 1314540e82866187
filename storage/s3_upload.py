"""Bytes into an S3-compatible store: one PUT, or a multipart upload from 64 MiB on.

What arrives is verified by the server: it holds the body's SHA-256 in the signature, and a checksum header
besides. An upload that fails is aborted, so that nothing is at its key.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from storage.contract import Body
from storage.errors import ObjectDamaged, ObjectNotFound, StorageError, StoreUnavailable
from storage.s3_errors import code_of, translated
from storage.s3_reader import object_size

MULTIPART_FROM = 64 * 2**20
_LEAST_PART = 16 * 2**20
_MOST_PARTS = 10_000  # of Amazon S3 and all that follow it

_OTHER = "the bytes to be stored are not those that were announced"

log = logging.getLogger(__name__)


class Window:
    """A part of a body as a file of its own: what botocore hashes, sends, and sends again."""

    def __init__(self, body: Body, start: int, size: int) -> None:
        self._body = body
        self._start = start
        self._size = size
        self.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; raise ObjectDamaged where the body ends before the window."""
        left = self._size - self._position
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        data = self._body.read(wanted)
        if not data:
            raise ObjectDamaged("the bytes to be stored are fewer than were announced")
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the window."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: getattr(self, "_position", 0), io.SEEK_END: self._size}[whence]
        self._position = base + offset
        self._body.seek(self._start + self._position)
        return self._position

    def tell(self) -> int:
        """Return the position in the window."""
        return self._position


def check_length(body: Body, size: int) -> None:
    """Raise ObjectDamaged where the body does not have `size` bytes: a server would wait for the rest."""
    body.seek(max(size - 1, 0))
    if len(body.read(2)) != min(size, 1):
        raise ObjectDamaged("the bytes to be stored are not as many as were announced")


def put_whole(
    client: Any, place: dict[str, str], body: Body, size: int, sha256: str, *, content_md5: bool
) -> None:
    """Send an object in one request; with `content_md5` by the checksum that every server knows."""
    window = Window(body, 0, size)
    if content_md5:
        digest = hashlib.sha256()
        checksum = {"ContentMD5": _md5(window, digest)}
        if digest.hexdigest() != sha256:
            raise ObjectDamaged(_OTHER)
    else:
        checksum = {"ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()}
    with translated():
        client.put_object(**place, Body=window if size else b"", ContentLength=size, **checksum)


def put_parts(client: Any, place: dict[str, str], body: Body, size: int, sha256: str) -> None:
    """Send an object in parts, one after the other; then ask how long it has become."""
    digest = hashlib.sha256()
    with _upload(client, place) as upload:
        parts = []
        for number, (start, length) in enumerate(part_ranges(size), 1):
            window = Window(body, start, length)
            checksum = _md5(window, digest)
            with translated():
                answer = client.upload_part(
                    **upload, PartNumber=number, Body=window, ContentLength=length, ContentMD5=checksum
                )
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        if digest.hexdigest() != sha256:
            raise ObjectDamaged(_OTHER)
        _complete(client, upload, parts)
        _confirm(client, place, size)


def refuse_other_bytes(request: Any, **_: Any) -> None:
    """Raise ObjectDamaged where the bytes that were signed are not those that were announced.

    Called by botocore before it sends a PUT: it has hashed the body for the signature, so this costs nothing,
    and not every server looks at the checksum header.
    """
    announced = request.headers.get("x-amz-checksum-sha256")
    if announced and base64.b64decode(announced).hex() != _text(request.headers["X-Amz-Content-SHA256"]):
        raise ObjectDamaged(_OTHER)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def part_ranges(size: int) -> Iterator[tuple[int, int]]:
    """Cut an object into parts of 16 MiB, or longer ones where they would be more than 10,000."""
    part = max(_LEAST_PART, -(-size // _MOST_PARTS))
    for start in range(0, size, part):
        yield start, min(part, size - start)


def _md5(window: Window, whole: hashlib._Hash) -> str:
    """Return the window's MD5 in base64, and feed its bytes to the digest of the whole body."""
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := window.read(2**20):
        digest.update(chunk)
        whole.update(chunk)
    window.seek(0)
    return base64.b64encode(digest.digest()).decode()


@contextmanager
def _upload(client: Any, place: dict[str, str]) -> Iterator[dict[str, str]]:
    """Begin an upload; abort it where it is left by an error."""
    with translated():
        upload = {**place, "UploadId": client.create_multipart_upload(**place)["UploadId"]}
    try:
        yield upload
    except BaseException:
        try:
            with translated():
                client.abort_multipart_upload(**upload)
        except ObjectNotFound:
            pass
        except StorageError as error:
            log.warning("an unfinished upload stays in the bucket: %s", error)
        raise


def _complete(client: Any, upload: dict[str, str], parts: list[dict[str, Any]]) -> None:
    with translated():
        try:
            client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except ClientError as error:
            # The first attempt may have succeeded, its answer lost: _confirm() tells.
            if code_of(error) != "NoSuchUpload":
                raise


def _confirm(client: Any, place: dict[str, str], size: int) -> None:
    try:
        found = object_size(client, place)
    except ObjectNotFound as error:
        raise StoreUnavailable("the upload was lost while it was completed") from error
    if found != size:
        with translated():
            client.delete_object(**place)
        raise ObjectDamaged(f"the store made {found} bytes of {size}")
