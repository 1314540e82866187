"""`filmroom attributes`: a site indexes what it searches for."""

from __future__ import annotations

from pathlib import Path

from archive.settings import Settings
from tests.cli.command import filmroom


def test_attributes_are_added_listed_and_removed(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path))
    assert filmroom(settings, "attributes", "add", "KVP").returncode == 0
    assert filmroom(settings, "attributes", "add", "00091001", "--vr", "da").returncode == 0
    listed = filmroom(settings, "attributes", "list").stdout.splitlines()
    assert listed == ["00180060\tDS\tbeing filled", "00091001\tDA\tbeing filled"]
    again = filmroom(settings, "attributes", "add", "KVP")
    assert again.returncode == 1
    assert again.stderr.startswith("filmroom: ")
    assert filmroom(settings, "attributes", "add", "NoSuchThing").returncode == 1
    assert filmroom(settings, "attributes", "remove", "KVP").returncode == 0
    assert filmroom(settings, "attributes", "list").stdout.splitlines() == ["00091001\tDA\tbeing filled"]
