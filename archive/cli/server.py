"""gunicorn as Filmroom runs it: its options from our settings, its log in our form.

`filmroom serve` uses it, and gunicorn.conf.py gives the same options to `gunicorn wsgi:app`. The application
itself is loaded by name in each worker process, after PROMETHEUS_MULTIPROC_DIR is set, because
prometheus_client looks at that when it is imported.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.config import KNOWN_SETTINGS
from gunicorn.glogging import Logger

from archive.cli.http_body import read_in_place
from archive.cli.malloc import share_arenas
from archive.log import JsonFormatter
from archive.settings import Settings

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_OPEN_FILES = 65_536  # of a process, where the system allows them
_SERVICES = "filmroom"  # EXTENSION of archive/web/context.py, which the main process is not to load


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings by name; those that this gunicorn does not know are left out."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    options = {
        "bind": f"{host}:{settings.port}",
        "workers": settings.workers or len(os.sched_getaffinity(0)),
        "worker_class": "archive.cli.http_worker.HttpWorker",
        "threads": settings.threads,
        "proc_name": "filmroom",
        # A worker's main thread beats while its threads work, so this ends a process that hangs as a whole,
        # never a long upload. A client that goes silent is ended by FILMROOM_CLIENT_TIMEOUT.
        "timeout": 120,
        "graceful_timeout": settings.stop_timeout,
        "keepalive": 75,  # longer than a proxy keeps its side, so that it never sends into a closing one
        "limit_request_line": 8190,  # the most gunicorn bounds
        "limit_request_fields": 100,
        "limit_request_field_size": 16_384,
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108 its heartbeat
        # Whom to believe about X-Forwarded-* is FILMROOM_TRUSTED_PROXIES alone, applied in the application.
        "forwarded_allow_ips": "",
        "accesslog": None,  # archive/web/access_log.py writes it, without values of patients
        "errorlog": "-",
        "loglevel": settings.log_level,
        "logger_class": ServerLog,
        "control_socket_disable": True,
        "on_starting": _allow_open_files,
        "post_fork": _share_arenas,
        "post_worker_init": _warm,
        "pre_request": _client_timeout(settings.client_timeout),
        "child_exit": _forget_process,
        "on_exit": _remove_metrics,
    }
    return {name: value for name, value in options.items() if name in {each.name for each in KNOWN_SETTINGS}}


def _allow_open_files(_server: Arbiter) -> None:
    """Allow as many open files as the system lets us: each store request holds some tens of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def make_metrics_folder() -> None:
    """Name a new folder for the numbers of all processes of this run, unless the operator named one."""
    if not os.environ.get(METRICS_FOLDER):
        os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix=f"filmroom-metrics-{os.getpid()}-")


class ServerLog(Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's log as JSON lines, and without the request lines that it quotes: they may name patients."""

    def setup(self, cfg: Any) -> None:
        """Set up as gunicorn does, then write in our form."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter())

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning; of an invalid request only where it came from."""
        if str(msg).startswith("Invalid request from ip="):
            msg, args = str(msg).split(": ", 1)[0], ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an exception without the address that was asked for."""
        if str(msg).startswith("Error handling request"):
            msg, args = "Error handling request", ()
        super().exception(msg, *args, **kwargs)


def _share_arenas(_server: Any, _worker: Any) -> None:
    share_arenas()


def _warm(worker: Any) -> None:
    """Have a process for pixels ready before the first picture is asked for."""
    worker.wsgi.extensions[_SERVICES].sandbox.warm()


def _client_timeout(seconds: int) -> Any:
    def pre_request(_worker: Any, req: Any) -> None:
        # Holds for every read and write of this request; gunicorn sets the socket back when it is done.
        req.unreader.sock.settimeout(seconds)
        read_in_place(req)

    return pre_request


def _forget_process(_server: Any, worker: Any) -> None:
    """Take the gauges of a process that ended out of the sums; its counters stay."""
    for path in Path(os.environ[METRICS_FOLDER]).glob(f"gauge_live*_{worker.pid}.db"):
        path.unlink(missing_ok=True)


def _remove_metrics(_server: Arbiter) -> None:
    folder = Path(os.environ[METRICS_FOLDER])
    if folder.name.startswith(f"filmroom-metrics-{os.getpid()}-"):
        shutil.rmtree(folder, ignore_errors=True)
