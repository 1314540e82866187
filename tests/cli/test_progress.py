"""What a person sees of how far a command is."""

from __future__ import annotations

import pytest

from archive.cli import progress


def test_the_line_tells_how_much_how_fast_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Meter("imported") as meter:
        meter.expect(3000, 10, final=False)
        now[0] += 2
        meter.done(100, 4_000_000)
        assert meter.line() == "100 of 3000+ files imported, 50 files/s, 2.0 MB/s"
        meter.expect(400, 16_000_000, final=True)
        assert meter.line() == "100 of 400 files imported, 50 files/s, 2.0 MB/s, 6 s left"


def test_without_a_terminal_a_line_comes_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Meter("written") as meter:
        for _ in range(25):
            now[0] += 1
            meter.done(1, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "10 files written, 1 files/s, 0.0 MB/s",
        "20 files written, 1 files/s, 0.0 MB/s",
    ]
