"""One Orthanc on a free port over a new folder, with the settings that its documentation calls fast.

Both servers answer a store after the disk has it, so SyncStorageArea is on; it touches nothing but stores.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.dicomweb.client import Address
from bench.dicomweb.runner import Server
from bench.orthanc.install import HERE, PLUGINS, Release
from tests.services.process import LOOPBACK, Process, free_port

FAST: dict[str, Any] = {
    "SyncStorageArea": True,
    "StoreMD5ForAttachments": False,
    "MaximumStorageCacheSize": 512,
}
_PATIENCE = 60


class Orthanc:
    """Use as a context manager; `server` is what the bench measures, which starts it again where it dies."""

    def __init__(self, release: Release, folder: Path) -> None:
        """Prepare; data go below `folder`, or inside the release's own where it has one."""
        self._release = release
        parent = folder if release.name == HERE else release.root / "data"
        parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-orthanc-", dir=parent))
        self._port = free_port()
        self._mounted = False
        root = Path("/")
        inside = self.folder if release.name == HERE else root / self.folder.relative_to(release.root)
        (self.folder / "orthanc.json").write_text(json.dumps(self._configuration(inside), indent=1))
        self._process = Process(
            [*release.command, str(inside / "orthanc.json")],
            log=self.folder / "orthanc.log",
            environment={"LC_ALL": "C.UTF-8"},
        )

    def _configuration(self, inside: Path) -> dict[str, Any]:
        return {
            "Name": "bench",
            "StorageDirectory": str(inside / "db"),
            "IndexDirectory": str(inside / "db"),
            "HttpPort": self._port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomServerEnabled": False,
            "HttpServerEnabled": True,
            "Plugins": [str(PLUGINS / name) for name in ("libOrthancDicomWeb.so", "libOrthancGdcm.so")],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **FAST,
        }

    @property
    def server(self) -> Server:
        """What the bench measures."""
        address = Address.parse(f"http://{LOOPBACK}:{self._port}/dicom-web")
        return Server(f"Orthanc {self._system()['Version']}", address, self._pids, self._again)

    def _pids(self) -> list[int]:
        return [self._process.pid] if self._process.pid else []

    def _system(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/system", timeout=5) as answer:
            said: dict[str, Any] = json.load(answer)
            return said

    def _ready(self) -> bool:
        try:
            return bool(self._system())
        except (urllib.error.URLError, OSError):
            return False

    def _again(self) -> None:
        """Start it on its data after it has died."""
        self._process.kill()
        self._process.start(self._ready, _PATIENCE)

    def __enter__(self) -> Orthanc:
        proc = self._release.root / "proc"
        if not (proc / "self").exists():
            subprocess.run(["mount", "-t", "proc", "proc", str(proc)], check=True)
            self._mounted = True
        self._process.start(self._ready, _PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()
        if self._mounted:
            subprocess.run(["umount", str(self._release.root / "proc")], check=True)
        shutil.rmtree(self.folder)
