"""What every command begins with: the settings of the environment, and logging."""

from __future__ import annotations

import os

from archive import log
from archive.settings import Settings


def read_settings() -> Settings:
    """Read the settings and send the log lines of this process where they belong."""
    settings = Settings.from_environment(os.environ)
    log.install(settings.log_level)
    return settings


def is_embedded(settings: Settings) -> bool:
    """Tell whether the index is the SQLite of one machine, which nobody else looks after."""
    return settings.database_url.startswith("sqlite")
