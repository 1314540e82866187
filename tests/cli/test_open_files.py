"""The server allows its processes more open files than a shell does."""

from __future__ import annotations

import resource
import subprocess
import sys

PROGRAM = """
import resource
from archive.cli.server import gunicorn_options
from archive.settings import Settings
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
gunicorn_options(Settings())["on_starting"](None)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_as_many_as_the_system_allows() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(done.stdout) == (65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard))
