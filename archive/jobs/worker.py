"""The worker: runs every piece of background work in turn until it is told to stop."""

from __future__ import annotations

import logging
import threading

from archive.bootstrap import Services
from archive.errors import Unavailable
from storage.errors import StorageError

_log = logging.getLogger(__name__)
_IDLE = 5.0  # seconds between two looks for work


def run(services: Services, stop: threading.Event) -> None:
    """Work until `stop` is set. Trouble with the index or the store is logged and tried again later."""
    while not stop.is_set():
        try:
            busy = work_once(services)
        except (Unavailable, StorageError) as error:
            _log.warning("background work waits: %s", error)
            busy = False
        if not busy:
            stop.wait(_IDLE)


def work_once(services: Services) -> bool:
    """Do one batch of each kind of work; return whether there may be more at once.

    Trouble with one kind stops no other; it is raised when all have had their turn.
    """
    housekeeping = services.housekeeping
    kinds = (
        housekeeping.mark_replaced,
        housekeeping.remove_retired,
        housekeeping.forget_reports,
        services.search.fill_attributes,
    )
    busy = False
    trouble: Unavailable | StorageError | None = None
    for work in kinds:
        try:
            busy = bool(work()) or busy
        except (Unavailable, StorageError) as error:
            trouble = error
    if trouble is not None:
        raise trouble
    return busy
