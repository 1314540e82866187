"""Store instances: the way in, for HTTP, the command line and whatever comes.

archive/services/store_session.py is one request: stage, read, write the objects, then its rows at once.
"""

from __future__ import annotations

from concurrent.futures import Executor

from archive.index import store_reports
from archive.index.engine import Database
from archive.model.principal import Principal
from archive.services.store_session import Sessions, StoreSession
from archive.settings import Settings
from storage.contract import ObjectStore


class StoreService:
    """Begins store requests and tells what there was to tell of them."""

    def __init__(
        self, database: Database, objects: ObjectStore, settings: Settings, executor: Executor
    ) -> None:
        self.database = database
        self.objects = objects
        self.settings = settings
        self.executor = executor
        self._sessions = Sessions()

    def begin(self, principal: Principal, study_uid: str | None = None, request_id: str = "") -> StoreSession:
        """Begin a request; with `study_uid`, instances of other studies fail one by one."""
        return StoreSession(
            self.database,
            self.objects,
            self.settings,
            self.executor,
            self._sessions,
            principal,
            study_uid,
            request_id,
        )

    def report(self, principal: Principal, request_id: str) -> list[dict[str, str | int]]:
        """Return all that was to be told about a request; raise NotFound."""
        return store_reports.find(self.database, principal, request_id)
