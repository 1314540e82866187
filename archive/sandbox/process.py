"""The parent's side of one child process: starting it, one request at a time, and its end.

Owns the pipes and the clock. Leaves which child does what to pool.py. A child ends when its pipes close, so
none outlives its parent; it gets none of our descriptors and of our environment only what Python needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archive.sandbox.messages import BEGUN, NonsenseError, unpack

_log = logging.getLogger(__name__)

_START = 60.0  # seconds that a child may take to begin with its first request
_LAST = 5.0  # seconds between the end of its answers and its own
_PIPE = 2**20  # bytes that a pipe may hold: a frame goes through in one piece
_SAID = 2**13  # bytes of its standard error that are logged at once
_KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_KEPT_STARTS = ("LC_", "PYTHON")
_SET = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")} | {
    # glibc keeps the memory of one frame for the next; mapping it anew each time took 1 ms of 1.6 for RLE.
    "MALLOC_MMAP_THRESHOLD_": str(2**24),
    "MALLOC_TRIM_THRESHOLD_": str(2**25),
}
_ROOT = str(Path(__file__).parents[2])


class EndedError(Exception):
    """The child ended, or said what makes no sense. `begun` tells whether it had begun with the request."""

    def __init__(self, reason: str, *, begun: bool) -> None:
        super().__init__(reason)
        self.begun = begun


class OvertimeError(Exception):
    """The child did not answer in time."""


class Child:
    """A running child process. One thread at a time uses it; whoever gets an error ends it."""

    def __init__(self, module: str, memory: int) -> None:
        """Start a process that does the tasks of `module`; raise OSError where the system has no room."""
        self.tasks = 0
        self._memory = memory
        life, self._life = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 our own command
                [sys.executable, "-P", "-m", "archive.sandbox.child", module, str(memory), str(life)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=(life,),
                start_new_session=True,
                env=_environment(),
            )
        except BaseException:
            os.close(self._life)
            raise
        finally:
            os.close(life)
        self.pid = self._process.pid
        self._pipes = [
            pipe for pipe in (self._process.stdin, self._process.stdout, self._process.stderr) if pipe
        ]
        self._requests, self._answers, self._errors = (pipe.fileno() for pipe in self._pipes)
        for descriptor in (self._requests, self._answers, self._errors):
            os.set_blocking(descriptor, False)
        with contextlib.suppress(PermissionError):  # a user may have only so many pages in pipes
            for descriptor in (self._requests, self._answers):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)
        self._pending: deque[memoryview] = deque()
        self._deadline = 0.0
        self._talking = True

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def do(self, request: Sequence[bytes], timeout: float) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request and return the answer. Seconds count from when the child has the whole request.

        Raise EndedError or OvertimeError; the child is of no use then.
        """
        self.tasks += 1
        self._pending.extend(memoryview(piece) for piece in request if piece)
        self._deadline = time.monotonic() + max(_START, timeout)
        begun = False
        try:
            begun = self._read(1) == BEGUN
            if not begun or self._pending:
                raise NonsenseError("an answer before the request was read")
            self._deadline = time.monotonic() + timeout
            return unpack(self._read, self._memory)
        except (EOFError, BrokenPipeError):
            raise EndedError(self._how_it_ended(), begun=begun) from None
        except NonsenseError as error:
            raise EndedError(f"answered nonsense: {error}", begun=begun) from None
        finally:
            self._listen()

    def resident(self) -> int:
        """Return the bytes of memory that the process has now; 0 once it has ended."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End the process at once; any thread may, and whoever uses it sees EndedError."""
        self._process.kill()

    def end(self) -> None:
        """End the process and give back what it had."""
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Close our copies of the pipes, in a process that was forked: the child is not ours."""
        self._process.returncode = 0  # so that Popen neither warns of it nor waits for it
        self._close()

    def _close(self) -> None:
        os.close(self._life)
        for pipe in self._pipes:
            pipe.close()

    def _read(self, size: int) -> bytes:
        pieces = []
        while size:
            self._pump()
            try:
                piece = os.read(self._answers, min(size, _PIPE))
            except BlockingIOError:
                self._wait()
                continue
            if not piece:
                raise EOFError
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _pump(self) -> None:
        """Write as much of the request as the pipe takes."""
        while self._pending:
            try:
                written = os.write(self._requests, self._pending[0])
            except BlockingIOError:
                return
            rest = self._pending.popleft()[written:]
            if rest:
                self._pending.appendleft(rest)

    def _wait(self) -> None:
        """Wait until there is something to read or room to write; raise OvertimeError at the deadline."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        if self._talking:
            poll.register(self._errors, select.POLLIN)
        if self._pending:
            poll.register(self._requests, select.POLLOUT)
        left = self._deadline - time.monotonic()
        ready = poll.poll(max(left, 0) * 1000)
        if not ready:
            raise OvertimeError
        if any(descriptor == self._errors for descriptor, _ in ready):
            self._listen()

    def _listen(self) -> None:
        """Log what the child has written to standard error, which is empty for nearly all."""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._errors, _SAID)
            self._talking = bool(said)
            if said:
                _log.debug("process %s: %s", self.pid, said.decode("utf-8", "replace").rstrip())

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_LAST)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        if code == -signal.SIGKILL:
            return "was killed (SIGKILL), as the system does when memory runs out"
        if code < 0:
            return f"crashed ({signal.Signals(-code).name})"
        return f"ended with status {code}"


def _environment() -> dict[str, str]:
    """Return the environment of a child, which gives access to nothing: no passwords, no keys."""
    kept = {
        name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_STARTS)
    }
    path = [_ROOT, *filter(None, [kept.get("PYTHONPATH")])]
    return kept | _SET | {"PYTHONPATH": os.pathsep.join(path)}
