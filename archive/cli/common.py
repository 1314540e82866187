"""What every command begins with: the settings of the environment, and logging."""

from __future__ import annotations

import os

from archive.log import configure
from archive.settings import Settings


def read_settings() -> Settings:
    """Read the settings and send the log lines of this process where they belong."""
    settings = Settings.from_environment(os.environ)
    configure(settings.log_level)
    return settings
