"""A live Filmroom: `filmroom serve` as its own processes on a free port, over given settings."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from dataclasses import fields
from pathlib import Path
from types import TracebackType

import psutil

from archive.settings import PREFIX, Settings
from tests.services.process import LOOPBACK, Process, free_port

ROOT = Path(__file__).parents[2]


class Filmroom:
    """One archive. Use as a context manager; `kill` and `start` again for crashes."""

    def __init__(self, settings: Settings, folder: Path, *, workers: int = 4, threads: int = 8) -> None:
        """Prepare to serve `settings`; `folder` is for the log."""
        self.settings = settings
        self.port = free_port()
        self.root = f"http://{LOOPBACK}:{self.port}"
        self.url = f"{self.root}/dicom-web"
        self.log = folder / "filmroom.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {
            f"{PREFIX}{each.name.upper()}": _text(getattr(settings, each.name)) for each in fields(settings)
        }
        environment |= {
            f"{PREFIX}HOST": LOOPBACK,
            f"{PREFIX}PORT": str(self.port),
            f"{PREFIX}WORKERS": str(workers),
            f"{PREFIX}THREADS": str(threads),
            "PYTHONPATH": str(ROOT),
        }
        self.command = [sys.executable, "-m", "archive.cli.main", "serve"]
        self.process = Process(self.command, log=self.log, environment=environment)

    def start(self) -> Filmroom:
        """Start and wait until the database and the store answer."""
        self.process.start(self.ready)
        return self

    def ready(self) -> bool:
        """Tell whether /ready says so."""
        try:
            with urllib.request.urlopen(f"{self.root}/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def processes(self) -> list[psutil.Process]:
        """Return all processes of the server that run now, children that decode as well."""
        assert self.process.pid is not None
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def store(self, file: bytes) -> None:
        """Store an instance."""
        request = urllib.request.Request(f"{self.url}/studies", file, {"Content-Type": "application/dicom"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def __enter__(self) -> Filmroom:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
