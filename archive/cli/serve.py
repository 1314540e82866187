"""`filmroom serve`: the archive on one address, with the worker of background jobs beside it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

import click
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.util import import_app

from archive import __version__
from archive.cli.common import is_embedded, read_settings
from archive.cli.server import gunicorn_options, make_metrics_folder
from archive.settings import Settings, settings_table

_FIRST = 1.0  # seconds after which jobs begin: the processes that answer are to be there first
_SLOWEST_RESTART = 5.0  # seconds between two starts of a worker that keeps dying


@click.command()
def serve() -> None:
    """Start the archive: gunicorn with FILMROOM_WORKERS processes of FILMROOM_THREADS threads.

    SIGTERM lets running requests end first, for at most FILMROOM_STOP_TIMEOUT seconds. With SQLite the
    tables are brought up to date and a worker for background jobs runs beside.
    """
    settings = read_settings()
    _prepare_apart(settings)
    make_metrics_folder()
    wanted = (
        is_embedded(settings) if settings.embedded_worker == "auto" else settings.embedded_worker == "yes"
    )
    jobs = JobsProcess(wanted=wanted)
    Server(settings, jobs).run()


def _prepare_apart(settings: Settings) -> None:
    """Have the tables looked after by a process of its own (tables.py says why); end where it fails."""
    child = os.fork()
    if not child:
        import_module("archive.cli.tables").prepare(settings)
        sys.exit()
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))


class JobsProcess:
    """`filmroom worker` as a child: started again when it ends, stopped with the server.

    Its standard input is a pipe from us; it stops when that closes, so that it never outlives the server.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._process: subprocess.Popen[bytes] | None = None
        self._started = time.monotonic() - _SLOWEST_RESTART + _FIRST

    def keep(self) -> None:
        """Start the worker where it does not run."""
        if not self._wanted or (self._process is not None and self._process.poll() is None):
            return
        if time.monotonic() - self._started < _SLOWEST_RESTART:
            return
        self._started = time.monotonic()
        command = [sys.executable, "-m", "archive.cli.main", "worker", "--until-eof"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 our own command

    def ask_to_stop(self) -> None:
        """Tell the worker to end after the job at hand, and do not start another."""
        self._wanted = False
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def end(self, seconds: float) -> None:
        """Wait for the worker to end, at most so long; then end it."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its job is taken again when its lease ends
            self._process.wait()


class ArbiterWithJobs(Arbiter):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's main process, which looks after the worker of jobs as well."""

    def __init__(self, app: Server) -> None:
        super().__init__(app)
        self._jobs = app.jobs

    def manage_workers(self) -> None:
        """Called once a second: have as many processes as there should be."""
        super().manage_workers()
        self._jobs.keep()

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002, RUF100 gunicorn's signature
        """End the processes; all have the same time to do so."""
        end = time.monotonic() + self.cfg.graceful_timeout
        self._jobs.ask_to_stop()
        super().stop(graceful)
        self._jobs.end(max(end - time.monotonic(), 1.0))


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with our options; the application is loaded by each worker."""

    def __init__(self, settings: Settings, jobs: JobsProcess) -> None:
        self._settings = settings
        self.jobs = jobs
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn our options."""
        for name, value in gunicorn_options(self._settings).items():
            self.cfg.set(name, value)
        self.cfg.set("when_ready", self._greet)

    def load(self) -> Any:
        """Load the application, in a worker process."""
        return import_app("wsgi:app")

    def run(self) -> None:
        """Serve until a signal ends it; never returns."""
        ArbiterWithJobs(self).run()

    def _greet(self, _server: Arbiter) -> None:
        click.echo(greeting(self._settings), err=True)


def greeting(settings: Settings) -> str:
    """Return what a person wants to know when the archive has started."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 only shown
    root = f"{settings.public_url or f'http://{host}:{settings.port}'}/dicom-web"
    shown = {name: value for name, value, _ in settings_table(settings)}
    push = (
        f"curl -H 'Content-Type: application/dicom' --data-binary @file.dcm {shlex.quote(root + '/studies')}"
    )
    return "\n".join(
        (
            f"Filmroom {__version__} is at {root}",
            f"  index:    {shown['FILMROOM_DATABASE_URL']}",
            f"  objects:  {shown['FILMROOM_STORAGE_URL']}",
            f"  push:     {push}",
            f"  search:   curl {shlex.quote(root + '/studies')}",
            "  stop:     Ctrl-C",
        )
    )
