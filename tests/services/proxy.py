"""A TCP proxy on loopback that breaks connections on purpose: cut, reset, silence, slowness.

with Proxy(port) as proxy:            # proxy.port stands for the server's
    proxy.faults = [Fault(cut_down=1000)]   # for the next connection; then all is well again
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass

from tests.services.process import LOOPBACK


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do to one connection: `down` is towards the client, `up` towards the server, in bytes."""

    cut_down: int | None = None  # close both sides after so many bytes
    cut_up: int | None = None
    silent_down: int | None = None  # let no more bytes through, and stay open
    silent_up: int | None = None
    reset: bool = False  # a cut is a reset (RST), not an end (FIN)
    delay: float = 0  # seconds before each piece of 64 KiB


class Proxy:
    """Takes connections on `port` and passes them on. `faults` are used up, one a connection, in order."""

    def __init__(self, target: int, *, fault: Fault | None = None) -> None:
        """Stand before a loopback port; `fault` is for every connection that `faults` holds none for."""
        self.target = target
        self.fault = fault or Fault()
        self.faults: list[Fault] = []
        self.connections = 0
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Close every connection that is open now."""
        with self._lock:
            for each in list(self._open):
                _close(each, reset=True)
            self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self.faults.pop(0) if self.faults else self.fault
            try:
                server = socket.create_connection((LOOPBACK, self.target))
            except OSError:
                _close(client, reset=True)
                continue
            with self._lock:
                self._open |= {client, server}
            up = (client, server, fault.cut_up, fault.silent_up)
            down = (server, client, fault.cut_down, fault.silent_down)
            for way in (up, down):
                threading.Thread(target=self._pass, args=(*way, fault), daemon=True).start()

    def _pass(
        self, source: socket.socket, sink: socket.socket, cut: int | None, silent: int | None, fault: Fault
    ) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if fault.delay:
                    time.sleep(fault.delay)
                limit = min(each for each in (cut, silent, passed + len(data)) if each is not None)
                sink.sendall(data[: max(limit - passed, 0)])
                passed += len(data)
                if cut is not None and passed >= cut:
                    break
        with self._lock:
            for each in (source, sink):
                _close(each, reset=fault.reset)
                self._open.discard(each)


def _close(sock: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.shutdown(socket.SHUT_RD)  # wakes the thread that reads; closing alone does not
        else:
            sock.shutdown(socket.SHUT_RDWR)
    sock.close()
