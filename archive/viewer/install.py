"""Bring the viewer: fetch its archive with npm, prove it, fit it to this archive, put it in place.

Nothing of the package is run. A build appears under its name only when it is whole, and is declared after
that; what is stopped on the way leaves the viewer of before as it was.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from archive.errors import Unavailable
from archive.settings import Settings
from archive.viewer import folder as place
from archive.viewer.folder import Installed
from archive.viewer.release import BUILD, FOLDER, INTEGRITY, PACKAGE, VERSION, Fitting, wanted

_PATIENCE = 900  # seconds for npm; the archive has 50 MB
_COMPRESSED = frozenset({".js", ".css", ".wasm", ".svg"})
_LIFETIME_OF_PARTS = 86_400  # seconds after which a part of a stopped installation is nobody's


def install(settings: Settings, archive: Path | None = None) -> Installed:
    """Put the viewer in place, from `archive` or else from npm; do nothing where it is there.

    Raise Unavailable that says what is missing or wrong.
    """
    found = place.find(settings)
    if found is not None and found.build == BUILD:
        return found
    folder = place.viewer_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as scratch:
            script = _build(archive or _fetch(Path(scratch)), Path(scratch) / BUILD)
            _put(Path(scratch) / BUILD, folder / BUILD)
        new = Installed(VERSION, BUILD, script)
        place.declare(folder, new)
        _remove_others(folder)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise Unavailable(f"cannot put the viewer into {folder}: {what.lower()}") from error
    return new


def _fetch(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(
            "npm, which fetches the viewer, is not installed (on Debian: apt-get install npm); "
            f"or fetch {PACKAGE} {VERSION} elsewhere with `npm pack {PACKAGE}@{VERSION}` and give the file: "
            f"filmroom viewer --archive ohif-app-{VERSION}.tgz"
        )
    command = [
        npm,
        "pack",
        f"{PACKAGE}@{VERSION}",
        "--ignore-scripts",
        "--prefer-offline",
        "--loglevel=error",
    ]
    command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=300000"]
    try:
        done = subprocess.run(  # noqa: S603 the command is ours
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not bring {PACKAGE} {VERSION} in {_PATIENCE} seconds") from None
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()
        raise Unavailable(f"npm could not bring {PACKAGE} {VERSION}: {'; '.join(said[:3])}")
    return archives[0]


def _build(archive: Path, target: Path) -> str:
    """Write the files of a proved archive as they are served; return the name of the starting script."""
    _prove(archive)
    fitting = Fitting()
    for name, content in _files(archive):
        if name == "index.html":
            fitting.see_index(content)
        if not wanted(name):
            continue
        fitted = fitting.fit(name, content)
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fitted)
        if path.suffix in _COMPRESSED:
            # No time of day in it, so that every machine makes the same bytes.
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(fitted, mtime=0))
    return fitting.script()


def _prove(archive: Path) -> None:
    try:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha512").digest()
    except OSError as error:
        raise Unavailable(f"cannot read {archive}: {(error.strerror or '').lower()}") from error
    if f"sha512-{base64.b64encode(digest).decode()}" != INTEGRITY:
        raise Unavailable(
            f"what came as {PACKAGE} {VERSION} is not that: its SHA-512 differs from the one we know"
        )


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Give name and content of every file below FOLDER; nothing but plain files with plain names."""
    try:
        with tarfile.open(archive) as members:
            for member in members:
                name = member.name.removeprefix(FOLDER)
                if name == member.name or not member.isfile():
                    continue
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                    raise Unavailable(f"the archive names a file outside of itself: {member.name!r}")
                if wanted(name) or name == "index.html":
                    content = members.extractfile(member)
                    yield name, content.read() if content else b""
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise Unavailable(f"{archive.name} cannot be unpacked: {error}") from error


def _put(built: Path, target: Path) -> None:
    """Move a whole build to its name. One that is there was never declared, or another process was faster."""
    try:
        built.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(target)
        built.rename(target)


def _remove_others(folder: Path) -> None:
    """Remove builds of before and parts that were left behind; a page that is open must be loaded again."""
    for each in folder.iterdir():
        old_part = each.name.startswith(".part-") and time.time() - each.stat().st_mtime > _LIFETIME_OF_PARTS
        if each.is_dir() and ((place.is_build(each.name) and each.name != BUILD) or old_part):
            shutil.rmtree(each, ignore_errors=True)
