"""Open the store that a URL names: file:///folder or s3://bucket/prefix?… A wrong one fails here."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.checked import CheckedStore, Observer
from storage.contract import ObjectStore
from storage.filesystem import FolderStore
from storage.s3_options import S3Options


def open_store(url: str, *, connections: int, timeout: int, observe: Observer | None = None) -> ObjectStore:
    """Return the store at `url`, for at most `connections` uses at a time.

    A store that says nothing for `timeout` seconds is given up. `observe` hears of every operation
    (storage/checked.py). Raise ValueError, with what to write instead, where the URL is wrong.
    """
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return CheckedStore(FolderStore(_folder(url)), observe)
    if scheme == "s3":
        # Here and not above: boto3 is 24 MB of memory and 0.1 s of every process, for nothing with a folder.
        from storage.s3 import S3Store  # noqa: PLC0415

        return CheckedStore(S3Store(S3Options.parse(url), connections=connections, timeout=timeout), observe)
    raise ValueError(
        f"no store is called {scheme!r}: write file:///folder or s3://bucket/prefix?endpoint_url=…"
    )


def folder_of(url: str) -> Path | None:
    """Return the folder that a URL names, None where the store is of another kind."""
    return _folder(url) if urlsplit(url).scheme == "file" else None


def _folder(url: str) -> Path:
    parts = urlsplit(url)
    if (
        not parts.path.startswith("/")
        or parts.netloc not in {"", "localhost"}
        or parts.query
        or parts.fragment
        or not parts.path.strip("/")
    ):
        raise ValueError("the URL of a folder is file:///absolute/path, with special characters as %XX")
    return Path(unquote(parts.path))
