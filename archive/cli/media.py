"""DICOMDIR: which files a medium says that it holds (PS3.3 Annex F), and which of them are there.

Names on media are upper case by the standard and come in any case from real drives, so they are matched
without case, and without the version that ISO 9660 adds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError


@dataclass(frozen=True, slots=True)
class Media:
    """What a DICOMDIR names: paths of files that are there, and names of those that are not."""

    present: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    problem: str | None = None  # the DICOMDIR cannot be read


def find_dicomdir(folder: Path) -> Path | None:
    """Return the DICOMDIR of a folder, None where it has none or cannot be looked into."""
    for name in ("DICOMDIR", "dicomdir", "Dicomdir"):
        if os.path.isfile(folder / name):  # noqa: PTH113 unlike Path.is_file it is silent where access is refused
            return folder / name
    return None


def read_media(index: Path) -> Media:
    """Read a DICOMDIR and look for the files that it names."""
    try:
        named = list(_file_ids(index))
    except (OSError, InvalidDicomError, ValueError, KeyError, AttributeError, NotImplementedError) as error:
        return Media(problem=f"the DICOMDIR cannot be read ({type(error).__name__})")
    listings: dict[str, dict[str, str]] = {}
    present, missing = set(), []
    for parts in named:
        path = _resolve(str(index.parent), parts, listings)
        if path is None:
            missing.append(str(index.parent.joinpath(*parts)))
        else:
            present.add(path)
    return Media(frozenset(present), tuple(missing))


def _file_ids(index: Path) -> Iterator[tuple[str, ...]]:
    """Go through the Referenced File IDs (0004,1500), as the parts of their paths."""
    ds = dcmread(index, specific_tags=["DirectoryRecordSequence"])
    for record in ds.DirectoryRecordSequence:
        value: Any = record.get("ReferencedFileID")
        if not value:
            continue
        parts = (value,) if isinstance(value, str) else tuple(value)
        if all(part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in parts):
            yield parts


def _resolve(folder: str, parts: tuple[str, ...], listings: dict[str, dict[str, str]]) -> str | None:
    exact = os.path.join(folder, *parts)  # noqa: PTH118 as below
    if os.path.isfile(exact):  # noqa: PTH113 the walk's paths are text, and these are compared with them
        return exact
    path = folder
    for part in parts:
        if path not in listings:
            try:
                listings[path] = {_folded(name): name for name in os.listdir(path)}  # noqa: PTH208 names only
            except OSError:
                listings[path] = {}
        name = listings[path].get(_folded(part))
        if name is None:
            return None
        path = os.path.join(path, name)  # noqa: PTH118 as above
    return path


def _folded(name: str) -> str:
    return name.casefold().split(";")[0].rstrip(".")
