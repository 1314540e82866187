"""Builds the services from the settings, once a process. Importing it opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from archive.index.engine import Database
from archive.sandbox.pool import Sandbox
from archive.services.bulkdata import BulkdataService
from archive.services.conversion import Conversion
from archive.services.delete import DeleteService
from archive.services.download import DownloadService
from archive.services.frames import FramesService
from archive.services.housekeeping import HousekeepingService
from archive.services.instance_attributes import InstanceAttributesService
from archive.services.metadata import MetadataService
from archive.services.rendered import RenderedService
from archive.services.retrieve import RetrieveService
from archive.services.search import SearchService
from archive.services.status import StatusService
from archive.services.store import StoreService
from archive.services.study_summary import StudySummaryService
from archive.settings import Settings
from storage.contract import ObjectStore
from storage.open import open_store

_OBJECT_THREADS = 16
"""Threads of a process that read and write objects while requests go on."""


@dataclass(frozen=True, slots=True)
class Services:
    """One of each use case, sharing one database and one object store."""

    settings: Settings
    database: Database
    objects: ObjectStore
    executor: ThreadPoolExecutor
    sandbox: Sandbox
    store: StoreService
    search: SearchService
    retrieve: RetrieveService
    download: DownloadService
    metadata: MetadataService
    study_summary: StudySummaryService
    instance_attributes: InstanceAttributesService
    frames: FramesService
    rendered: RenderedService
    bulkdata: BulkdataService
    delete: DeleteService
    housekeeping: HousekeepingService
    status: StatusService

    def close(self) -> None:
        """Give back threads, processes and connections."""
        self.sandbox.close()
        self.executor.shutdown()
        self.objects.close()
        self.database.close()


Observe = Callable[[str, float, str], None]
"""Called with an operation of the object store, its seconds, and "ok" or what went wrong."""


def build(settings: Settings, observe: Observe | None = None) -> Services:
    """Build everything. Connections are made when they are first needed."""
    database = Database(
        settings.database_url,
        pool=settings.database_pool or settings.threads + 2,
        timeout=settings.database_timeout,
    )
    objects = open_store(
        settings.storage_url,
        connections=settings.threads + _OBJECT_THREADS,
        timeout=settings.store_timeout,
        observe=observe,
    )
    executor = ThreadPoolExecutor(_OBJECT_THREADS, thread_name_prefix="objects")
    sandbox = Sandbox(
        processes=settings.codec_processes, timeout=settings.codec_timeout, memory=settings.codec_memory
    )
    frames = FramesService(database, objects, sandbox, executor)
    metadata = MetadataService(database, objects)
    return Services(
        settings=settings,
        database=database,
        objects=objects,
        executor=executor,
        sandbox=sandbox,
        store=StoreService(database, objects, settings, executor),
        search=SearchService(database, settings, objects),
        retrieve=RetrieveService(database, objects, executor, Conversion(objects, frames)),
        download=DownloadService(database),
        metadata=metadata,
        study_summary=StudySummaryService(database),
        instance_attributes=InstanceAttributesService(database, objects),
        frames=frames,
        rendered=RenderedService(database, objects, frames, metadata, sandbox, settings.render_cache),
        bulkdata=BulkdataService(database, objects),
        delete=DeleteService(database, objects, settings),
        housekeeping=HousekeepingService(database, objects, settings),
        status=StatusService(database, settings),
    )
