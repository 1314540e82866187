"""What `filmroom import` finds under a path, and what it says of the rest."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from archive.cli.sources import Source, find
from tests.samples import PYDICOM

MEDIUM = PYDICOM / "test_files" / "dicomdirtests"


def _found(*paths: Path) -> dict[str, Source]:
    sources = list(find(paths))
    assert len({source.name for source in sources}) == len(sources)
    return {source.name: source for source in sources}


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Copy the medium that pydicom ships, 31 images and their DICOMDIR, with a viewer beside them."""
    folder = tmp_path / "medium"
    shutil.copytree(MEDIUM, folder, ignore=shutil.ignore_patterns("DICOMDIR-*", "TINY_ALPHA"))
    (folder / "autorun.inf").write_text("[autorun]\n")
    return folder


def _images(folder: Path) -> set[str]:
    return {source.name for source in find([folder / "DICOMDIR"]) if source.problem is None}


def test_folders_are_gone_through_to_the_bottom(tmp_path: Path) -> None:
    names = ["a.dcm", "b/c/IM1", "b/notes.txt"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    found = _found(tmp_path)
    assert sorted(found) == sorted(str(tmp_path / name) for name in names)
    assert {source.size for source in found.values()} == {5}
    assert [Path(name).name for name, source in found.items() if source.expected] == ["a.dcm"]


def test_a_file_named_on_the_command_line_is_expected_to_be_an_image(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert _found(path)[str(path)].expected


def test_a_medium_gives_its_images_and_its_index_once(media: Path) -> None:
    images = _images(media)
    assert len(images) == 31
    found = _found(media)
    assert {name for name, source in found.items() if source.expected} == images
    index = found[str(media / "DICOMDIR")]
    assert index.problem
    assert index.harmless
    assert not found[str(media / "autorun.inf")].expected


def test_a_dicomdir_named_itself_gives_the_images_that_it_names(media: Path) -> None:
    found = _found(media / "DICOMDIR")
    assert len(found) == 32
    assert all(Path(name).is_file() for name in found)
    assert found[str(media / "DICOMDIR")].harmless


def test_an_image_that_a_medium_lacks_is_told(media: Path) -> None:
    lost = min(_images(media))
    Path(lost).unlink()
    source = _found(media)[lost]
    assert source.problem
    assert not source.harmless


def test_names_of_a_medium_match_without_case(media: Path, tmp_path: Path) -> None:
    lower = tmp_path / "lower"
    for path in media.rglob("*"):
        if path.is_file():
            target = lower / str(path.relative_to(media)).lower()
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    found = _found(lower)
    assert sum(source.expected for source in found.values()) == 31
    assert not [source for source in found.values() if source.problem and not source.harmless]


def test_a_broken_dicomdir_is_told_and_the_folder_gone_through(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"nothing of the kind")
    (tmp_path / "IM1").write_bytes(b"x")
    found = _found(tmp_path)
    assert found[str(tmp_path / "DICOMDIR")].problem
    assert not found[str(tmp_path / "DICOMDIR")].harmless
    assert found[str(tmp_path / "IM1")].problem is None


def test_zip_archives_give_their_members(tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../up.dcm", b"12")
        archive.writestr("folder/", b"")
        archive.writestr("folder/IM1", b"123")
    found = _found(tmp_path)
    assert {name: source.size for name, source in found.items()} == {
        f"{path}!../../up.dcm": 2,
        f"{path}!folder/IM1": 3,
    }
    assert found[f"{path}!../../up.dcm"].expected


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")
    found = _found(tmp_path, tmp_path / "missing")
    problems = {Path(name).name: source.harmless for name, source in found.items() if source.problem}
    assert problems == {"broken.zip": False, "dangling": False, "link": True, "pipe": True, "missing": False}
