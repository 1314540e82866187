"""Ceph, a real distributed store, on one node: monitor, OSD and gateway as root, without systemd.

`python -m tests.services.ceph [pytest arguments]` installs Debian's packages where they are missing, starts
a cluster, runs the storage and interop tests on it, and stops everything. Ceph 16 of Debian 12 is what it is
tried with.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.services.process import LOOPBACK, Process, free_port, listens

PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
_PATIENCE = 120

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon initial members = a
mon host = v1:{host}:{mon_port}
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = {host}
ms bind ipv6 = false
ms bind msgr2 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
run dir = {folder}/run
log file = {folder}/log/$name.log
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
keyring = {folder}/keyring
[mon]
mon data = {folder}/mon
mon data avail crit = 1
[osd]
keyring = {folder}/osd/keyring
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = 21474836480
osd memory target = 939524096
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint={host}:{port}
rgw dns name = localhost
rgw enable usage log = false
"""


class Ceph:
    """One cluster in a temporary folder. start() returns the environment that the tests need."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="filmroom-ceph-"))
        self.port = free_port()
        self._configuration = self.folder / "ceph.conf"
        self._daemons: list[Process] = []

    def start(self) -> dict[str, str]:
        """Build the cluster, start it, and make a user."""
        for name in ("mon", "osd", "rgw", "run", "log"):
            (self.folder / name).mkdir()
        fsid = str(uuid.uuid4())
        mon_port = free_port()
        self._configuration.write_text(
            _CONFIGURATION.format(
                fsid=fsid, folder=self.folder, host=LOOPBACK, mon_port=mon_port, port=self.port
            )
        )
        self._start_monitor(fsid, mon_port)
        self._start_osd()
        self._start("radosgw", "-n", "client.rgw", ready=lambda: listens(self.port))
        return self._make_user()

    def stop(self) -> None:
        """Stop the daemons and remove the cluster."""
        for daemon in reversed(self._daemons):
            daemon.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_monitor(self, fsid: str, port: int) -> None:
        keyring, monmap = str(self.folder / "keyring"), str(self.folder / "monmap")
        everything = ["--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        for name, caps in (
            ("mon.", ["--cap", "mon", "allow *"]),
            ("client.admin", ["--cap", "mon", "allow *", *everything]),
            ("client.rgw", ["--cap", "mon", "allow rwx", "--cap", "osd", "allow rwx"]),
        ):
            create = [] if Path(keyring).exists() else ["--create-keyring"]
            _run("ceph-authtool", *create, keyring, "--gen-key", "-n", name, *caps)
        _run("monmaptool", "--create", "--addv", "a", f"[v1:{LOOPBACK}:{port}]", "--fsid", fsid, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._start("ceph-mon", "-i", "a", ready=lambda: listens(port))

    def _start_osd(self) -> None:
        osd, secret = str(uuid.uuid4()), _run("ceph-authtool", "--gen-print-key").strip()
        self._ceph("osd", "new", osd, "-i", "-", stdin=json.dumps({"cephx_secret": secret}))
        caps = [
            "--cap",
            "mon",
            "allow profile osd",
            "--cap",
            "osd",
            "allow *",
            "--cap",
            "mgr",
            "allow profile osd",
        ]
        keyring = str(self.folder / "osd" / "keyring")
        _run("ceph-authtool", "--create-keyring", keyring, "-n", "osd.0", "--add-key", secret, *caps)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._ceph("osd", "crush", "add", "osd.0", "1.0", "root=default", f"host={socket.gethostname()}")
        self._start("ceph-osd", "-i", "0", ready=lambda: "1 up" in self._ceph("osd", "stat"))

    def _make_user(self) -> dict[str, str]:
        access, secret = "filmroom", secrets.token_hex(20)
        user = ("user", "create", "--uid=filmroom", "--display-name=filmroom")
        self._run("radosgw-admin", "-n", "client.rgw", *user, f"--access-key={access}", f"--secret={secret}")
        return {
            "FILMROOM_TEST_S3_URL": f"s3://filmroom/test?endpoint_url=http://{LOOPBACK}:{self.port}&region=us-east-1",
            "AWS_ACCESS_KEY_ID": access,
            "AWS_SECRET_ACCESS_KEY": secret,
        }

    def _start(self, program: str, *arguments: str, ready: Callable[[], bool]) -> None:
        command = [program, "-f", "-c", str(self._configuration), *arguments]
        daemon = Process(command, log=self.folder / "log" / f"{program}.out")
        self._daemons.append(daemon)
        daemon.start(ready, patience=_PATIENCE)

    def _ceph(self, *arguments: str, stdin: str = "") -> str:
        return self._run("ceph", "--connect-timeout", "30", *arguments, stdin=stdin)

    def _run(self, program: str, *arguments: str, stdin: str = "") -> str:
        return _run(program, "-c", str(self._configuration), *arguments, stdin=stdin)


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=_PATIENCE
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def install() -> None:
    """Install Ceph from Debian where it is not; no service is started by that."""
    if all(shutil.which(program) for program in ("ceph-mon", "ceph-osd", "radosgw", "ceph")):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(
            "Ceph is missing, and only root on Debian can install it: apt-get install " + " ".join(PACKAGES)
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, check=True, env=environment)


def main(arguments: list[str]) -> int:
    """Run the tests on a fresh cluster and return pytest's status."""
    install()
    root = Path(__file__).parents[2]
    folders = [
        str(root / "tests" / name) for name in ("storage", "interop") if (root / "tests" / name).is_dir()
    ]
    ceph, begin = Ceph(), time.monotonic()
    try:
        environment = {**os.environ, **ceph.start()}
        sys.stdout.write(
            f"Ceph is up after {time.monotonic() - begin:.0f} s: {environment['FILMROOM_TEST_S3_URL']}\n"
        )
        sys.stdout.flush()
        command = [sys.executable, "-m", "pytest", *folders, *arguments]
        return subprocess.run(command, env=environment, cwd=root, check=False).returncode
    finally:
        ceph.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
