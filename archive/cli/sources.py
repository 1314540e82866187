"""What `filmroom import` finds: files, folders, DICOMDIR media and zip archives, one at a time.

Nothing is passed over in silence: what cannot be looked into comes as a Source with its `problem`. The walk
keeps no list of what it found, so its memory does not grow with the number of files; only a DICOMDIR and a
zip archive's directory are held while their files are gone through.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archive.cli.media import Media, find_dicomdir, read_media

_IMAGE_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")


@dataclass(frozen=True, slots=True)
class Source:
    """One file to import, or one member of a zip archive.

    `expected`: its name, the command line or a DICOMDIR says that it is an image, so not being one is a
    failure. `problem`: it cannot even be opened; `harmless` where no image can be behind that.
    """

    path: str
    member: str | None = None
    size: int = 0  # bytes
    expected: bool = False
    problem: str | None = None
    harmless: bool = False

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.path if self.member is None else f"{self.path}!{self.member}"


def find(paths: Iterable[Path]) -> Iterator[Source]:
    """Go through everything under the paths."""
    for path in paths:
        try:
            kind = path.stat()
        except OSError as error:
            yield Source(str(path), problem=reason_of(error))
            continue
        if stat.S_ISDIR(kind.st_mode):
            yield from _folder(path, frozenset())
        elif is_dicomdir_name(path.name):
            media = read_media(path)
            yield from _index(path, media)
            for named in sorted(media.present):
                yield from _file(named, expected=True)
        else:
            yield from _file(str(path), expected=True)


def is_dicomdir_name(name: str) -> bool:
    """Tell whether a file's name is that of a medium's index."""
    return name.casefold() == "dicomdir"


def reason_of(error: Exception) -> str:
    """Say in a few words why something cannot be read."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"cannot be read ({type(error).__name__})"


def _folder(folder: Path, expected: frozenset[str]) -> Iterator[Source]:
    """Go through a folder; `expected` are the files that a DICOMDIR above it names."""
    index = find_dicomdir(folder)
    if index is not None:
        media = read_media(index)
        yield from _index(index, media)
        expected = expected | media.present
    try:
        entries = os.scandir(folder)
    except OSError as error:
        yield Source(str(folder), problem=reason_of(error))
        return
    with entries:
        for entry in entries:
            if index is None or entry.name != index.name:
                yield from _entry(entry, expected)


def _index(path: Path, media: Media) -> Iterator[Source]:
    """Tell of a DICOMDIR itself, and of the files that it names and that are not there."""
    if media.problem is not None:
        yield Source(str(path), problem=media.problem)
    else:
        yield Source(str(path), problem="DICOMDIR, the index of a medium", harmless=True)
    for name in media.missing:
        yield Source(name, problem="named by the DICOMDIR, but not there")


def _entry(entry: os.DirEntry[str], expected: frozenset[str]) -> Iterator[Source]:
    try:
        is_folder = entry.is_dir(follow_symlinks=False)
        is_link = not is_folder and entry.is_dir()
    except OSError as error:
        yield Source(entry.path, problem=reason_of(error))
        return
    if is_folder:
        yield from _folder(Path(entry.path), expected)
    elif is_link:
        yield Source(entry.path, problem="a link to a folder, not followed: import the folder", harmless=True)
    else:
        yield from _file(entry.path, expected=entry.path in expected)


def _file(path: str, *, expected: bool) -> Iterator[Source]:
    try:
        kind = os.stat(path)  # noqa: PTH116 paths of the walk are text
    except OSError as error:
        yield Source(path, problem=reason_of(error))
        return
    if not stat.S_ISREG(kind.st_mode):
        yield Source(path, problem="neither a file nor a folder", harmless=not expected)
    elif path.casefold().endswith(".zip"):
        yield from _zip(path)
    else:
        yield Source(path, size=kind.st_size, expected=expected or _is_image_name(path))


def _zip(path: str) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename
                if not member.is_dir():
                    yield Source(path, name, member.file_size, expected=_is_image_name(name))
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        yield Source(path, problem=reason_of(error))


def _is_image_name(name: str) -> bool:
    return name.casefold().endswith(_IMAGE_SUFFIXES)
