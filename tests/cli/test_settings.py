"""The page of settings, the command that makes it, and what gunicorn is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from archive.cli.serve import greeting
from archive.cli.server import gunicorn_options
from archive.cli.settings import page, settings
from archive.settings import Settings, settings_table

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_that_of_the_code() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_page_is_made_without_what_is_set_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILMROOM_PORT", "9999")
    assert CliRunner().invoke(settings, ["--markdown"]).output == page()


def test_the_table_shows_every_setting_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FILMROOM_DATABASE_URL", "postgresql+psycopg2://film:hush@db/filmroom")
    monkeypatch.setenv("FILMROOM_PORT", "9999")
    output = CliRunner().invoke(settings).output
    assert "hush" not in output
    assert "9999" in output
    for name, _, _ in settings_table(Settings()):
        assert name in output


def test_gunicorn_knows_every_option_and_trusts_nobody() -> None:
    options = gunicorn_options(Settings(host="::1", port=1, workers=3, threads=5, stop_timeout=7))
    assert options["bind"] == "[::1]:1"
    assert (options["workers"], options["threads"], options["graceful_timeout"]) == (3, 5, 7)
    assert options["forwarded_allow_ips"] == ""
    assert options["accesslog"] is None
    assert "control_socket_disable" in options


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        (Settings(), "http://127.0.0.1:8042/dicom-web"),
        (Settings(host="0.0.0.0", port=1), "http://127.0.0.1:1/dicom-web"),  # noqa: S104 only shown
        (Settings(public_url="https://example.org/x"), "https://example.org/x/dicom-web"),
    ],
)
def test_the_greeting_says_where_and_how_to_push(settings: Settings, address: str) -> None:
    text = greeting(settings)
    assert f"is at {address}\n" in text
    assert f"curl -H 'Content-Type: application/dicom' --data-binary @file.dcm {address}/studies\n" in text
