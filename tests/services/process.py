"""One server process: started on a free port, ready or an error with its log, and never left behind.

A watchdog, a shell that waits for our end of a pipe to close, ends the server even where we are killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
_WATCH = """
cat >/dev/null
kill -s "$1" "$2" 2>/dev/null
[ -n "$3" ] || exit
while kill -0 "$2" 2>/dev/null; do sleep 0.1; done
rm -rf "$3"
"""


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def listens(port: int) -> bool:
    """Say whether something accepts connections on a loopback port."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((LOOPBACK, port)) == 0


class Process:
    """A server process. `start` waits until `ready` says so; `stop` is polite, `kill` is not."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        scratch: Path | None = None,
    ) -> None:
        """Prepare a command; `scratch` is a folder that is of no use without us."""
        self.command = list(command)
        self.log = log
        self.environment = {**os.environ, **(environment or {})}
        self.owner = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}
        self.stop_signal = stop_signal
        self.scratch = str(scratch or "")
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool], patience: float = 30) -> None:
        """Start and wait until `ready()`; raise RuntimeError with the end of the log where that fails."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.log.parent,
                start_new_session=True,
                **self.owner,  # type: ignore[call-overload]
            )
        watch = [
            "sh",
            "-c",
            _WATCH,
            "watchdog",
            self.stop_signal.name[3:],
            str(self._process.pid),
            self.scratch,
        ]
        self._watchdog = subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True)
        end = time.monotonic() + patience
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.command[0]} did not start:\n{tail}")
            time.sleep(0.02)

    @property
    def pid(self) -> int | None:
        """The process id while the server runs."""
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Ask the server to end and wait for it; kill it after 20 seconds."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Kill the server and the processes that it started, as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.kill()
            self._watchdog.stdin.close()
            self._watchdog.wait()
        send = os.killpg if number == signal.SIGKILL else os.kill
        with contextlib.suppress(ProcessLookupError):
            send(self._process.pid, number)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = self._watchdog = None
