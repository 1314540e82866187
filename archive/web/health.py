"""Whether this process lives, and whether what it stands on answers.

`/live` asks nothing. `/ready` really asks the database and the store, each for at most five seconds, so that
a load balancer sends requests elsewhere while one of them is away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from time import monotonic

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from archive.errors import FilmroomError
from storage.errors import StorageError

PATIENCE = 5.0  # seconds for all checks together, asked at the same time
RETRY_AFTER = 5  # seconds

_log = logging.getLogger(__name__)


class Probe:
    """One thing to ask. A question that hangs is not asked again beside itself, so that none pile up."""

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        self.name = name
        self._check = check
        self._asking = ThreadPoolExecutor(1, thread_name_prefix=f"ready-{name}")
        self._lock = Lock()
        self._running: Future[None] | None = None

    def ask(self) -> Future[None]:
        """Begin to ask, or join the question that is still open."""
        with self._lock:
            if self._running is None or self._running.done():
                self._running = self._asking.submit(self._check)
            return self._running


class Checks:
    """All that this process stands on; each check returns when all is well and raises otherwise."""

    def __init__(self, checks: Mapping[str, Callable[[], None]]) -> None:
        self._probes = [Probe(name, check) for name, check in checks.items()]

    def answers(self) -> dict[str, str]:
        """Ask all of them at the same time; return "ok" or what is wrong, by name."""
        end = monotonic() + PATIENCE
        asked = [(probe.name, probe.ask()) for probe in self._probes]
        return {name: _answer(name, future, end - monotonic()) for name, future in asked}


def blueprint(checks: Checks) -> Blueprint:
    """Give the two routes."""
    pages = Blueprint("health", __name__)

    @pages.get("/live")
    def live() -> ResponseReturnValue:
        return jsonify(status="live"), {"Cache-Control": "no-store"}

    @pages.get("/ready")
    def ready() -> ResponseReturnValue:
        answers = checks.answers()
        headers = {"Cache-Control": "no-store"}
        if all(answer == "ok" for answer in answers.values()):
            return jsonify(status="ready", checks=answers), headers
        headers["Retry-After"] = str(RETRY_AFTER)
        return jsonify(status="not ready", checks=answers), 503, headers

    return pages


def _answer(name: str, future: Future[None], seconds: float) -> str:
    try:
        future.result(timeout=max(seconds, 0))
    except TimeoutError:
        return "does not answer"
    except (FilmroomError, StorageError) as error:
        return str(error)
    except Exception:  # noqa: BLE001 a check may fail in ways of its driver; the log has them
        _log.exception("the check of the %s broke", name)
        return "cannot be asked; the log says why"
    return "ok"
