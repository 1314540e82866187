"""What every command begins with: the settings of the environment, logging, and an index with tables."""

from __future__ import annotations

import os

from archive import log
from archive.errors import Unavailable
from archive.index.migrate import is_current, upgrade
from archive.settings import Settings


def read_settings() -> Settings:
    """Read the settings and send the log lines of this process where they belong."""
    settings = Settings.from_environment(os.environ)
    log.install(settings.log_level)
    return settings


def is_embedded(settings: Settings) -> bool:
    """Tell whether the index is the SQLite of one machine, which nobody else looks after."""
    return settings.database_url.startswith("sqlite")


def prepare(settings: Settings) -> None:
    """Bring an embedded index up to date; raise Unavailable where another one is not."""
    if is_embedded(settings):
        upgrade(settings.database_url)
    elif not is_current(settings.database_url):
        raise Unavailable("the tables are not those of this release; run `filmroom migrate` first")
