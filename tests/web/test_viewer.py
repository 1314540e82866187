"""Installing the viewer and serving it, on a small package that is laid out like OHIF's.

The real one is opened in tests/browser/test_viewer.py. What is exchanged here is only the package's proof.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from werkzeug.test import TestResponse

from archive.cli.main import filmroom
from archive.errors import Unavailable
from archive.settings import Settings
from archive.viewer import install as installing
from archive.viewer.folder import find, installed, viewer_folder
from archive.viewer.install import install
from archive.viewer.release import BUILD, VERSION
from tests.conformance.archive import Archive

ROOT = b'__webpack_require__.p = "/";'
FILES: Mapping[str, bytes] = {
    "package/package.json": b"{}",
    "package/dist/index.html": (
        b'<div id="react-portal"></div><div id="root"></div><script src="/app.bundle.0f.js"></script>'
        b'<link href="/app.bundle.css" rel="stylesheet">'
    ),
    "package/dist/app.bundle.0f.js": ROOT
    + b"import('/dicom-microscopy-viewer/dicomMicroscopyViewer.min.js');",
    "package/dist/app.bundle.css": b"url(/a.woff2)" * 5,
    **{f"package/dist/{number}.bundle.0f.js": ROOT for number in range(7)},
    "package/dist/0f.wasm": b"\0asm" * 100,
    "package/dist/a.woff2": b"font",
    "package/dist/app.bundle.0f.js.map": b"{}",
    "package/dist/ort/ort.min.js": b"ort",
    "package/dist/sw.js": b"importScripts('https://example.org/')",
    "package/dist/app-config.js": b"window.config = {}",
    "package/dist/assets/favicon-16x16.png": b"png",
}

Pack = Callable[..., Path]


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """Give a function (files by name) -> archive, whose digest is then the one that is known."""

    def make(files: Mapping[str, bytes] = FILES) -> Path:
        path = tmp_path / "package.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
        monkeypatch.setattr(installing, "INTEGRITY", f"sha512-{digest}")
        return path

    return make


@pytest.fixture
def settings(tmp_path: Path, new_sqlite_database: Callable[[], str]) -> Settings:
    """Give settings whose folder of the viewer is empty."""
    return Settings(
        data=str(tmp_path), database_url=new_sqlite_database(), viewer_folder=str(tmp_path / "viewer")
    )


@pytest.fixture
def archive(settings: Settings) -> Iterator[Archive]:
    """Give an archive."""
    archive = Archive(settings)
    yield archive
    archive.close()


def get(archive: Archive, path: str, **headers: str) -> TestResponse:
    """Send GET to any address."""
    return archive.client.get(
        path, headers={k.replace("_", "-"): v for k, v in headers.items()}, buffered=True
    )


def test_install_fits_the_package(pack: Pack, settings: Settings) -> None:
    assert installed(settings) is None
    install(settings, pack())
    assert installed(settings) == VERSION
    folder = viewer_folder(settings) / BUILD
    names = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}
    plain = {f"{number}.bundle.0f.js" for number in range(7)} | {
        "app.bundle.0f.js",
        "app.bundle.css",
        "0f.wasm",
    }
    zipped = {f"{name}.gz" for name in plain}
    assert names == plain | zipped | {"a.woff2", "assets/favicon-16x16.png"}
    page = (folder / "app.bundle.0f.js").read_text()
    assert "__webpack_require__.p = window.PUBLIC_URL;" in page
    assert "import(window.PUBLIC_URL + 'dicom-microscopy-viewer/dicomMicroscopyViewer.min.js')" in page
    assert (folder / "3.bundle.0f.js").read_text().startswith("__webpack_require__.p = new URL(")
    assert (folder / "app.bundle.css").read_text() == "url(a.woff2)" * 5
    assert gzip.decompress((folder / "app.bundle.0f.js.gz").read_bytes()).decode() == page


def test_install_does_nothing_where_it_is_there(pack: Pack, settings: Settings) -> None:
    first = install(settings, pack())
    (viewer_folder(settings) / BUILD / "a.woff2").write_bytes(b"as it was")
    assert install(settings, Path("no such file")) == first
    assert (viewer_folder(settings) / BUILD / "a.woff2").read_bytes() == b"as it was"


def test_install_replaces_another_build_and_what_was_not_declared(pack: Pack, settings: Settings) -> None:
    folder = viewer_folder(settings)
    (folder / "1.0.0-1").mkdir(parents=True)
    (folder / BUILD).mkdir()
    (folder / BUILD / "half.js").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"somebody else's")
    (folder / "installed.json").write_text(
        json.dumps({"version": "1.0.0", "build": "1.0.0-1", "script": "app.bundle.00.js"})
    )
    install(settings, pack())
    assert sorted(each.name for each in folder.iterdir()) == [BUILD, "installed.json", "notes.txt"]
    assert not (folder / BUILD / "half.js").exists()


@pytest.mark.parametrize(
    "stamp", ["", "[]", '{"version": 1}', '{"version": "1", "build": "../x", "script": "x"}']
)
def test_a_stamp_that_we_did_not_write_is_none(pack: Pack, settings: Settings, stamp: str) -> None:
    folder = viewer_folder(settings)
    folder.mkdir()
    (folder / "installed.json").write_text(stamp)
    assert installed(settings) is None
    install(settings, pack())
    assert installed(settings) == VERSION


def test_a_package_that_is_not_the_known_one_is_refused(
    pack: Pack, settings: Settings, tmp_path: Path
) -> None:
    pack()
    other = tmp_path / "other.tgz"
    other.write_bytes(b"something else")
    with pytest.raises(Unavailable, match="SHA-512 differs"):
        install(settings, other)
    assert find(settings) is None
    assert list(viewer_folder(settings).iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"package/dist/app.bundle.0f.js": b"nothing to change"}, "is 0 times in app.bundle"),
        ({"package/dist/9.bundle.0f.js": ROOT}, "is 8 times in"),
        ({"package/dist/index.html": b"<p>another page</p>"}, "does not load the one app.bundle"),
        ({"package/dist/../../../evil.js": b""}, "outside of itself"),
        ({"package/dist//etc/evil.js": b""}, "outside of itself"),
    ],
)
def test_a_package_that_is_laid_out_otherwise_is_refused(
    pack: Pack, settings: Settings, changed: Mapping[str, bytes], words: str
) -> None:
    with pytest.raises(Unavailable, match=words):
        install(settings, pack({**FILES, **changed}))
    assert list(viewer_folder(settings).iterdir()) == []


def test_the_command_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FILMROOM_VIEWER_FOLDER", str(tmp_path / "viewer"))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(filmroom, ["viewer"])
    assert isinstance(result.exception, Unavailable)
    assert "npm, which fetches the viewer, is not installed" in str(result.exception)
    assert "filmroom viewer --archive ohif-app-3.13.2.tgz" in str(result.exception)


def test_the_command_tells_what_npm_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network is down' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("FILMROOM_VIEWER_FOLDER", str(tmp_path / "viewer"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    result = CliRunner().invoke(filmroom, ["viewer"])
    assert "npm could not bring @ohif/app 3.13.2: npm error network is down" in str(result.exception)


def test_the_command_installs_a_file(pack: Pack, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("FILMROOM_VIEWER_FOLDER", settings.viewer_folder)
    result = CliRunner().invoke(filmroom, ["viewer", "--archive", str(pack())])
    assert result.exit_code == 0, result.output
    assert result.output == f"the viewer OHIF {VERSION} is in {settings.viewer_folder}\n"


def test_files_are_kept_for_ever_and_the_rest_never(pack: Pack, settings: Settings, archive: Archive) -> None:
    install(settings, pack())
    for name, kind in (
        ("app.bundle.0f.js", "text/javascript; charset=utf-8"),
        ("app.bundle.css", "text/css; charset=utf-8"),
        ("0f.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("assets/favicon-16x16.png", "image/png"),
    ):
        answer = get(archive, f"/viewer/{BUILD}/{name}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for path in ("/viewer/", "/viewer/viewer?StudyInstanceUIDs=1.2", "/viewer/app-config.js"):
        answer = get(archive, path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"


def test_gzip_for_those_who_take_it(pack: Pack, settings: Settings, archive: Archive) -> None:
    install(settings, pack())
    path = f"/viewer/{BUILD}/0f.wasm"
    plain, zipped = get(archive, path), get(archive, path, Accept_Encoding="gzip, br")
    assert plain.data == gzip.decompress(zipped.data) == FILES["package/dist/0f.wasm"]
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.headers["Content-Type"] == plain.headers["Content-Type"]
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != zipped.headers["ETag"]
    assert get(archive, path, If_None_Match=plain.headers["ETag"]).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        f"/viewer/{BUILD}/none.js",
        f"/viewer/{BUILD}/assets",
        f"/viewer/{BUILD}/0f.wasm.gz",
        f"/viewer/{BUILD}/../installed.json",
        f"/viewer/{BUILD}/%2e%2e/installed.json",
        f"/viewer/{BUILD}//etc/passwd",
        "/viewer/0.0.1-1/app.bundle.0f.js",
    ],
)
def test_what_is_no_file_of_the_build_is_not_found(
    pack: Pack, settings: Settings, archive: Archive, path: str
) -> None:
    install(settings, pack())
    assert get(archive, path).status_code == 404


def test_every_other_address_is_the_viewers_own(pack: Pack, settings: Settings, archive: Archive) -> None:
    install(settings, pack())
    for path, up in (("/viewer/", "./"), ("/viewer/viewer", "./"), ("/viewer/viewer/dicomweb", "../")):
        text = get(archive, path).text
        assert f'src="{up}app-config.js"' in text
        assert f'src="{up}{BUILD}/app.bundle.0f.js"' in text
    moved = get(archive, "/viewer?StudyInstanceUIDs=1.2")
    assert (moved.status_code, moved.headers["Location"]) == (308, "viewer/?StudyInstanceUIDs=1.2")


@pytest.mark.parametrize("path", ["/viewer", "/viewer/", "/viewer/0.0.1-1/none.js", "/viewer/app-config.js"])
def test_every_answer_says_what_it_may_load(
    pack: Pack, settings: Settings, archive: Archive, path: str
) -> None:
    for _ in ("without the viewer", "with it"):
        answer = get(archive, path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; "), answer.status
        assert answer.headers["Referrer-Policy"] == "same-origin"
        install(settings, pack())


@pytest.mark.parametrize(("clearance", "option"), [("", "always"), ("CE 0123", "never")])
def test_the_notice_goes_only_with_a_clearance(
    pack: Pack, settings: Settings, clearance: str, option: str
) -> None:
    install(settings, pack())
    cleared = Archive(
        Settings(
            data=settings.data,
            database_url=settings.database_url,
            viewer_folder=settings.viewer_folder,
            viewer_clearance=clearance,
        )
    )
    try:
        text = get(cleared, "/viewer/app-config.js").text
    finally:
        cleared.close()
    assert f'investigationalUseDialog: {{ option: "{option}" }}' in text
    assert "http" not in text.lower().replace("httperror", "")


def test_without_a_viewer_a_page_says_how_to_add_it(archive: Archive) -> None:
    answer = get(archive, "/viewer/viewer?StudyInstanceUIDs=1.2", Accept="text/html")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<code>filmroom viewer</code>" in answer.text
    assert f"npm pack @ohif/app@{VERSION}" in answer.text
    assert get(archive, "/viewer/app-config.js").status_code == 404
