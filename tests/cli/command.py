"""Runs the command line as a person does: as a process, with settings from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from archive.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "archive.cli.main"]


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives these settings and no others."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for each in fields(settings):
        value = getattr(settings, each.name)
        own[PREFIX + each.name.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
    return {**own, "PYTHONPATH": str(ROOT)}


def filmroom(settings: Settings, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `filmroom`, with `more` in its environment, and wait for its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**environment(settings), **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
