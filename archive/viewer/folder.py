"""Where the viewer lies, and which one is there.

    <viewer folder>/installed.json  {"version", "build", "script"}: written last, so what it names is whole
    <viewer folder>/<build>/        the files as they are served; text beside its gzip form, name.gz

A build's name goes into the address of its files, so that they may be cached for ever.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from uuid import uuid4

from archive.settings import Settings

_STAMP = "installed.json"
_BUILD = re.compile(r"\d+\.\d+\.\d+-\d+")


@dataclass(frozen=True, slots=True)
class Installed:
    """A viewer that is there: OHIF's version, the folder of its files, and the script that starts it."""

    version: str
    build: str
    script: str


def viewer_folder(settings: Settings) -> Path:
    """Return the folder of the viewer, which need not be there."""
    if settings.viewer_folder:
        return Path(settings.viewer_folder).absolute()
    return Path(sys.prefix) / "share" / "filmroom" / "viewer"


def find(settings: Settings) -> Installed | None:
    """Return what is installed, or None."""
    folder = viewer_folder(settings)
    try:
        stamp = json.loads((folder / _STAMP).read_bytes())
        found = Installed(*(str(stamp[each.name]) for each in fields(Installed)))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # nothing, or what another release has written
    return found if is_build(found.build) and (folder / found.build).is_dir() else None


def installed(settings: Settings) -> str | None:
    """Return the version of the viewer that is installed, or None."""
    found = find(settings)
    return found.version if found else None


def is_build(name: str) -> bool:
    """Tell whether a name is one that a build may have."""
    return _BUILD.fullmatch(name) is not None


def declare(folder: Path, what: Installed) -> None:
    """Say that a build is there and whole."""
    partial = folder / f".{_STAMP}.{uuid4().hex}"
    partial.write_text(json.dumps(asdict(what)))
    partial.replace(folder / _STAMP)
