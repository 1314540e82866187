"""What an S3-compatible server and the way to it say, in the words of storage/errors.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from storage.errors import ObjectDamaged, ObjectNotFound, StorageError, StoreFull, StoreUnavailable

BROKEN = (BotoCoreError, urllib3.exceptions.HTTPError, OSError)  # what a connection that breaks may raise

_FULL = {
    "InsufficientStorage",
    "QuotaExceeded",  # Ceph, Swift
    "ServiceQuotaExceededException",
    "XMinioAdminBucketQuotaExceeded",
    "XMinioStorageFull",
}
_DAMAGED = {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
_INSUFFICIENT_STORAGE = 507


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of boto3 into ours, the original kept as the cause."""
    try:
        yield
    except ClientError as error:
        raise _answer(error) from error
    except BROKEN as error:
        inner = error.kwargs.get("error") if isinstance(error, HTTPClientError) else None
        if isinstance(inner, StorageError):  # the body that was being sent raised it
            raise inner from error
        raise StoreUnavailable(f"the store does not answer ({type(error).__name__})") from error


def code_of(error: ClientError) -> str:
    """Return the S3 error code, or the status where an answer without a body had none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(answer: Any) -> int:
    """Return the HTTP status of an answer or of an error's."""
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _answer(error: ClientError) -> StorageError:
    code, status = code_of(error), status_of(error.response)
    if code in _FULL or status == _INSUFFICIENT_STORAGE:
        return StoreFull(f"the store has no room left ({code})")
    if code in _DAMAGED:
        return ObjectDamaged(f"the store received other bytes than were sent ({code})")
    if code == "NoSuchBucket":
        return StoreUnavailable("the bucket does not exist")
    if code in {"NoSuchKey", "NotFound", "404"}:
        return ObjectNotFound("no such object")
    return StoreUnavailable(f"the store refuses ({status} {code})")
