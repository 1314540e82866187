"""A real S3-compatible server on loopback (ministack), or the endpoint that FILMROOM_TEST_S3_URL names.

The variable is a whole storage URL, `s3://bucket/prefix?endpoint_url=…`; credentials are found the way boto3
finds them. Every new_url() is a prefix of its own in one bucket.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import boto3
from botocore.config import Config

from tests.services.process import LOOPBACK, Process, free_port, listens

BUCKET = "filmroom"


class S3:
    """One store. `new_url()` gives a storage URL under which nothing is."""

    def __init__(self, folder: Path | None = None, *, port: int | None = None) -> None:
        """Prepare a server over `folder` (kept; default: a temporary one, removed by stop())."""
        self.port = port or free_port()
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="filmroom-s3-"))
        self.external = os.environ.get("FILMROOM_TEST_S3_URL", "")
        self.url = self.external or self.url_at(self.port)
        self._process: Process | None = None

    def url_at(self, port: int, bucket: str = BUCKET) -> str:
        """Return the storage URL of a bucket by way of another port: that of a proxy."""
        return f"s3://{bucket}?endpoint_url=http://{LOOPBACK}:{port}&region=us-east-1"

    def start(self) -> S3:
        """Start the server and make the bucket; with an endpoint given, make the bucket where it is not."""
        if not self.external:
            os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
            os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._process = Process(
                [sys.executable, "-W", "ignore", "-m", "ministack"],
                log=self.folder / "log",
                scratch=self.folder if self._temporary else None,
                environment={
                    "BIND_HOST": LOOPBACK,
                    "GATEWAY_PORT": str(self.port),
                    "SERVICES": "s3",
                    "S3_PERSIST": "1",
                    "S3_DATA_DIR": str(self.folder / "objects"),
                    "LOG_LEVEL": "WARNING",
                    "TMPDIR": str(self.folder),
                },
            )
            self._process.start(lambda: listens(self.port))
        client, bucket = raw_client(self.url), urlsplit(self.url).netloc
        if bucket not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)
        client.close()
        return self

    def new_url(self) -> str:
        """Return a storage URL with a prefix that was never used."""
        parts = urlsplit(self.url)
        path = f"{parts.path.rstrip('/')}/{uuid.uuid4().hex[:12]}"
        return urlunsplit(parts._replace(path=path))

    def pids(self) -> list[int]:
        """Return the id of the server's first process; none while it is down or not ours."""
        pid = self._process.pid if self._process else None
        return [] if pid is None else [pid]

    def pause(self) -> None:
        """Stop the server and keep its objects, for start() to go on with."""
        if self._process:
            self._process.stop()

    def stop(self) -> None:
        """Stop the server; remove its objects where they are in a temporary folder."""
        self.pause()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def raw_client(url: str) -> Any:
    """Return a plain boto3 client for the endpoint of a storage URL, to look behind the driver's back."""
    options = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return boto3.client(
        "s3",
        endpoint_url=options.get("endpoint_url"),
        region_name=options.get("region", "us-east-1"),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 2},
        ),
    )
