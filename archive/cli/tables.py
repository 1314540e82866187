"""The tables of the index before a command begins: an embedded index is brought up to date.

In a module of its own, because `filmroom serve` has them looked after by another process: Alembic and
SQLAlchemy are 40 MB, which its main process would keep for as long as it runs.
"""

from __future__ import annotations

from archive.cli.common import is_embedded
from archive.errors import Unavailable
from archive.index.migrate import is_current, upgrade
from archive.settings import Settings


def prepare(settings: Settings) -> None:
    """Bring an embedded index up to date; raise Unavailable where another one is not."""
    if is_embedded(settings):
        upgrade(settings.database_url)
    elif not is_current(settings.database_url):
        raise Unavailable("the tables are not those of this release; run `filmroom migrate` first")
