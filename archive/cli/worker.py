"""`filmroom worker`: background jobs, taken from the index under a lease by any number of such processes."""

from __future__ import annotations

import os
import signal
import sys
from threading import Event, Thread

import click

from archive.bootstrap import build
from archive.cli.common import read_settings
from archive.cli.malloc import share_arenas
from archive.jobs.worker import run


@click.command()
@click.option(
    "--until-eof", is_flag=True, hidden=True, help="Stop when standard input ends, as `serve` does."
)
def worker(*, until_eof: bool) -> None:
    """Do background jobs until SIGTERM or Ctrl-C, which let the job at hand end."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if until_eof:
        Thread(target=_stop_at_eof, args=(stop,), daemon=True).start()
    share_arenas()
    services = build(read_settings())
    try:
        run(services, stop)
    finally:
        services.close()


def _stop_at_eof(stop: Event) -> None:
    while os.read(sys.stdin.fileno(), 1):  # unbuffered: a buffer's lock would be in the way of exit
        pass
    stop.set()
