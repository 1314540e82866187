"""Files go in by `filmroom import` and come out by `filmroom export`, byte for byte, on both back ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from archive.settings import Settings
from tests import builders
from tests.cli.command import COMMAND, environment, filmroom
from tests.samples import PYDICOM

MEDIUM = PYDICOM / "test_files" / "dicomdirtests"


@pytest.fixture
def embedded(tmp_path: Path) -> Settings:
    """Give the settings of an archive in a folder, without its tables."""
    return Settings(data=str(tmp_path / "data"))


def _write(folder: Path, numbers: range, **values: Any) -> dict[str, bytes]:
    """Write instances of one series; return their bytes by path."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for number in numbers:
        path = folder / f"{number:05}.dcm"
        path.write_bytes(builders.instance(SOPInstanceUID=builders.uid("import", number), **values))
        files[str(path)] = path.read_bytes()
    return files


def _report(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({line["file"] for line in lines}) == len(lines)
    return {line["file"]: line for line in lines}


def _exported(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_was_imported_is_exported_byte_for_byte(backend: Settings, tmp_path: Path) -> None:
    files = _write(tmp_path / "in", range(120))
    report = tmp_path / "report.jsonl"
    first = filmroom(backend, "import", tmp_path / "in", "--report", report)
    assert first.returncode == 0, first.stderr
    assert "120 stored, 0 already there, 0 failed, 0 left out" in first.stdout
    lines = _report(report)
    assert set(lines) == set(files)
    assert {line["status"] for line in lines.values()} == {"stored"}
    again = filmroom(backend, "import", tmp_path / "in", "--processes", 1)
    assert again.returncode == 0
    assert "0 stored, 120 already there" in again.stdout

    out = tmp_path / "out"
    exported = filmroom(backend, "export", "--all", "--to", out)
    assert exported.returncode == 0, exported.stderr
    assert "120 written, 0 already there, 0 failed" in exported.stdout
    assert _exported(out) == sorted(files.values())
    some = sorted(out.rglob("*.dcm"))
    study, series = some[0].parts[-3:-1]
    assert (study, series) == (builders.uid("study", 1), builders.uid("series", 1))
    some[0].write_bytes(b"x" + some[0].read_bytes()[1:])
    some[1].unlink()
    again = filmroom(backend, "export", "--study", study, "--series", series, "--to", out)
    assert "2 written, 118 already there" in again.stdout
    assert _exported(out) == sorted(files.values())


def test_a_patient_is_exported_and_nobody_else(embedded: Settings, tmp_path: Path) -> None:
    for patient in ("P1", "P2"):
        numbers = range(3) if patient == "P1" else range(3, 5)
        study = builders.uid("study", patient)
        _write(tmp_path / "in", numbers, PatientID=patient, StudyInstanceUID=study,
               SeriesInstanceUID=builders.uid("series", patient))  # fmt: skip
    assert filmroom(embedded, "import", tmp_path / "in").returncode == 0
    done = filmroom(embedded, "export", "--patient", "P1", "--patient", "P9", "--to", tmp_path / "out")
    assert done.returncode == 1
    assert "3 written, 0 already there, 1 failed" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == [builders.uid("study", "P1")]


def test_every_file_is_accounted_for(embedded: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    good = _write(folder, range(2))
    bare = builders.instance(SOPInstanceUID=builders.uid("import", 7))
    (folder / "truncated.dcm").write_bytes(bare[:200])
    (folder / "text.dcm").write_text("this is no image at all, whatever its name says")
    (folder / "differs.dcm").write_bytes(
        builders.instance(SOPInstanceUID=builders.uid("import", 0), PatientName="Other^Olga")
    )
    (folder / "notes.txt").write_text("hello")
    (folder / "empty").write_bytes(b"")
    with zipfile.ZipFile(folder / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IM1", bare)
        archive.writestr("readme.txt", "hello")
    shutil.copytree(MEDIUM, folder / "cd", ignore=shutil.ignore_patterns("DICOMDIR-*", "TINY_ALPHA"))
    report = tmp_path / "report.jsonl"
    first, rest = folder / "00000.dcm", folder
    assert filmroom(embedded, "import", first, "--processes", 1).returncode == 0
    done = filmroom(embedded, "import", rest, "--report", report)
    assert done.returncode == 1
    lines = _report(report)
    by_status: dict[str, set[str]] = {}
    for name, line in lines.items():
        by_status.setdefault(line["status"], set()).add(os.path.relpath(name, folder))
    assert by_status["already"] == {"00000.dcm"}
    assert len(by_status["stored"]) == len(good) - 1 + 1 + 31  # the zip archive has one, the medium 31
    assert "study.zip!IM1" in by_status["stored"]
    assert by_status["failed"] == {"truncated.dcm", "text.dcm", "differs.dcm"}
    assert by_status["skipped"] == {
        "notes.txt",
        "empty",
        "study.zip!readme.txt",
        "cd/DICOMDIR",
        "cd/README.txt",
    }
    assert "0111" in lines[str(folder / "differs.dcm")]["reason"]
    for name in by_status["failed"] | by_status["skipped"]:
        assert str(folder / name) in done.stdout
    assert "Olga" not in done.stdout + done.stderr
    lenient = filmroom(embedded, "import", folder / "notes.txt", folder / "empty")
    assert lenient.returncode == 1  # named on the command line, so expected to be images
    (tmp_path / "junk").mkdir()
    shutil.copy(folder / "notes.txt", tmp_path / "junk")
    assert filmroom(embedded, "import", tmp_path / "junk", "--processes", 1).returncode == 0
    assert filmroom(embedded, "import", tmp_path / "junk", "--strict", "--processes", 1).returncode == 1


def test_a_member_that_a_zip_archive_cannot_give_fails_alone(embedded: Settings, tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3):
            data = builders.instance(SOPInstanceUID=builders.uid("import", number))
            archive.writestr(f"IM{number}", data)
    whole = bytearray(path.read_bytes())
    second = whole.index(b"DICM", whole.index(b"DICM") + 1)
    whole[second + 300] ^= 0xFF  # the checksum of the member no longer holds
    path.write_bytes(whole)
    done = filmroom(embedded, "import", path)
    assert done.returncode == 1
    assert "2 stored, 0 already there, 1 failed" in done.stdout
    assert "IM1" in done.stdout


def test_ctrl_c_ends_the_batches_and_the_next_run_goes_on(embedded: Settings, tmp_path: Path) -> None:
    files = _write(tmp_path / "in", range(1500))
    command = [*COMMAND, "import", str(tmp_path / "in"), "--processes", "2"]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment(embedded), stdout=out, stderr=out, start_new_session=True
        )
    objects = tmp_path / "data" / "objects"
    end = time.monotonic() + 60
    while not (objects.is_dir() and next(objects.rglob("*.dcm"), None)) and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(60) == 130, log.read_text()
    assert "Run the same command again to go on" in log.read_text()
    assert "0 failed" in log.read_text()
    done = filmroom(embedded, "import", tmp_path / "in")
    assert done.returncode == 0
    stored, already = (int(done.stdout.split(f" {word}")[0].split()[-1]) for word in ("stored", "already"))
    assert stored + already == len(files)
    assert already > 0


def test_commands_say_what_is_wrong_in_a_line(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path), database_url="postgresql+psycopg2://nobody@127.0.0.1:1/none")
    done = filmroom(settings, "import", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("filmroom: ")
    assert "Traceback" not in done.stderr
    assert filmroom(Settings(data=str(tmp_path)), "export", "--to", tmp_path).returncode == 2
    done = filmroom(Settings(data=str(tmp_path)), "serve", FILMROOM_PROT="8042")
    assert (done.returncode, "FILMROOM_PROT is not a setting" in done.stderr) == (1, True)
    done = filmroom(Settings(data=str(tmp_path)), "export", "--study", "1.2.3", "--to", tmp_path)
    assert (done.returncode, "failed: " in done.stdout) == (1, True)
