"""How the archive is, for those who run it: what it holds, what came lately, what waits, what room there is.

Sums over all studies are kept for some seconds, so that nobody can make the index count all the time. Whether
database and store answer is asked elsewhere (archive/web/health.py), as load balancers ask it.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from archive.index import status
from archive.index.engine import Database
from archive.index.status import Counts, Waiting
from archive.model.principal import Principal
from archive.settings import Settings
from storage.open import folder_of

_KEEP = 20.0  # seconds for which sums over all studies are kept
_PATIENCE = timedelta(hours=1)  # for which work may wait before somebody should look


@dataclass(frozen=True, slots=True)
class Room:
    """Space of the disk that the store's folder is on, in bytes."""

    total: int
    free: int

    @property
    def scarce(self) -> bool:
        """Whether somebody should look."""
        return self.free < self.total // 20


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is here. `today` and `week`: studies whose first instance came since then, with all they have."""

    all: Counts
    today: Counts
    week: Counts
    newest: datetime | None
    waiting: Waiting

    @property
    def overdue(self) -> bool:
        """Whether background work waits for longer than a worker lets it."""
        since = self.waiting.due_since
        return since is not None and datetime.now(UTC) - since > _PATIENCE


class StatusService:
    """What pages and scripts ask of the archive itself."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._lock = Lock()
        self._sums: dict[str, tuple[float, Counts]] = {}  # by organisation: until when, what

    def holdings(self, principal: Principal) -> Holdings:
        """Return what the caller's organisation has; raise Unavailable."""
        midnight = datetime.now(UTC).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return Holdings(
            all=self._all(principal),
            today=status.counts(self._database, principal, midnight),
            week=status.counts(self._database, principal, midnight - timedelta(days=6)),
            newest=status.newest(self._database, principal),
            waiting=status.waiting(self._database),
        )

    def _all(self, principal: Principal) -> Counts:
        with self._lock:
            until, sums = self._sums.get(principal.organisation, (0.0, Counts()))
            if time.monotonic() >= until:
                sums = status.counts(self._database, principal)
                self._sums[principal.organisation] = time.monotonic() + _KEEP, sums
            return sums

    def database_kind(self) -> str:
        """Return the kind of database."""
        return "SQLite" if self._database.is_sqlite else "PostgreSQL"

    def store_kind(self) -> str:
        """Return the kind of object store."""
        return "S3" if folder_of(self._settings.storage_url) is None else "A folder"

    def room(self) -> Room | None:
        """Return the space of the store's disk; None where the store is no folder, or none to be had."""
        folder = folder_of(self._settings.storage_url)
        if folder is None:
            return None
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent  # made when the first object comes
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            return None  # the check of the store tells of it
        return Room(usage.total, usage.free)
