"""A trace of system calls: file, folder and database are on the disk before the answer leaves."""

from __future__ import annotations

import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from archive.settings import Settings
from tests import builders
from tests.services.filmroom import Filmroom

pytestmark = pytest.mark.crash

_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<rest>.*)$")


def _traced(settings: Settings, folder: Path) -> list[tuple[str, str]]:
    """Store one instance under strace and return the calls from its arrival to its answer."""
    trace = folder / "trace"
    server = Filmroom(settings, folder, workers=1, threads=1)
    calls = (
        "fsync,fdatasync,sync_file_range,link,linkat,rename,renameat,renameat2,"
        "sendto,sendmsg,recvfrom,write,writev"
    )
    server.process.command = [
        *("strace", "-f", "-y", "-s", "200", "-e", f"trace={calls}", "-o", str(trace)),
        *server.command,
    ]
    with server:
        request = urllib.request.Request(
            f"{server.url}/studies", builders.instance(), {"Content-Type": "application/dicom"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200
            answer.read()
    lines = trace.read_text(errors="replace").splitlines()
    found = [match.group("name", "rest") for line in lines if (match := _CALL.match(line))]
    first = next(
        i for i, (name, rest) in enumerate(found) if name == "recvfrom" and "POST /dicom-web" in rest
    )
    last = next(i for i in range(first, len(found)) if "HTTP/1.1 200 OK" in found[i][1])
    return found[first : last + 1]


def _first(calls: list[tuple[str, str]], names: str, path: str) -> int:
    wanted = re.compile(names)
    for i, (name, rest) in enumerate(calls):
        if wanted.fullmatch(name) and re.search(path, rest):
            return i
    raise AssertionError(f"no {names} of {path} before the answer:\n" + "\n".join(map(str, calls)))


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_everything_is_synced_before_the_answer(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"), embedded_worker="no")
    calls = _traced(settings, tmp_path)
    synced = _first(calls, "fsync|fdatasync", r"objects/\.tmp~/")
    named = _first(calls, "link|linkat|rename|renameat|renameat2", r"\.dcm")
    names = {name: builders.uid(name, 1) for name in ("instance", "series", "study")}
    folders = [
        named + _first(calls[named:], "fsync|fdatasync", rf"/{names[each]}>")
        for each in ("instance", "series")
    ]
    # Those above were made before the object was named, each flushed into the one above it.
    above = [
        _first(calls, "fsync|fdatasync", rf"{path}>")
        for path in ("/objects", "/default", f"/{names['study']}")
    ]
    database = _first(calls, "fsync|fdatasync", r"filmroom\.db")
    answer = len(calls) - 1
    assert synced < named < min(folders) <= max(folders) < database < answer
    assert max(above) < named
