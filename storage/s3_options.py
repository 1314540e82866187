"""What the URL of an S3-compatible store says: s3://bucket/prefix?endpoint_url=…&region=…

    endpoint_url  http:// or https:// address of the server; left out: Amazon's
    region        name of the region; left out: as boto3 finds it, else us-east-1
    addressing    auto (path with an endpoint_url, else virtual), path, or virtual (bucket.host)
    checksums     auto (SHA-256 in a header), or when_required (Content-MD5, for servers that refuse it)

Credentials are never in it: boto3 finds them in the environment, its files, or the machine's role.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from storage.errors import BadKey
from storage.keys import check_key

_CHOICES = {"addressing": ("auto", "path", "virtual"), "checksums": ("auto", "when_required")}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}\Z")
_MAX_PREFIX = 200


@dataclass(frozen=True, slots=True)
class S3Options:
    """A bucket, where it is, and how to speak to it."""

    bucket: str
    prefix: str = ""  # as it stands before every key: empty, or ends with "/"
    endpoint_url: str | None = None
    region: str | None = None
    addressing: str = "auto"
    checksums: str = "auto"

    @classmethod
    def parse(cls, url: str) -> S3Options:
        """Read a URL; raise ValueError that names the part at fault."""
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise ValueError("credentials do not go into the storage URL: use AWS_ACCESS_KEY_ID and its like")
        if not _BUCKET.match(parts.netloc):
            raise ValueError("the storage URL names no bucket: write s3://bucket/prefix?endpoint_url=…")
        return cls(parts.netloc, _prefix(unquote(parts.path)), **_parameters(parts.query))


def _prefix(path: str) -> str:
    prefix = path.strip("/")
    if not prefix:
        return ""
    try:
        check_key(prefix)
    except BadKey:
        raise ValueError("the prefix in the storage URL takes letters, digits and . _ - / only") from None
    if len(prefix) > _MAX_PREFIX:
        raise ValueError(f"the prefix in the storage URL is longer than {_MAX_PREFIX} characters")
    return prefix + "/"


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in {"endpoint_url", "region", *_CHOICES}:
            raise ValueError(
                f"the storage URL takes endpoint_url, region, addressing and checksums, not {name!r}"
            )
        if name in found:
            raise ValueError(f"{name} stands twice in the storage URL")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ValueError(f"{name} in the storage URL is one of {', '.join(_CHOICES[name])}")
        if name == "endpoint_url" and not re.match(r"https?://[^/]+", value):
            raise ValueError("endpoint_url in the storage URL is an http:// or https:// address")
        if value:
            found[name] = value
    return found
