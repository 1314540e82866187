"""Where Orthanc comes from: Debian's packages on this machine, or those of another release in a folder.

Needs Debian (or what has its packages) and root where something is missing; says what to do where it cannot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = "host"
_PACKAGES = ("orthanc", "orthanc-dicomweb", "orthanc-gdcm")
_PROGRAM = "usr/sbin/Orthanc"
PLUGINS = Path("/usr/share/orthanc/plugins")
_LIBRARIES = ("libOrthancDicomWeb.so", "libOrthancGdcm.so")
_APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends")


class NotInstalled(RuntimeError):
    """Orthanc is not there and cannot be brought; says what to do."""


@dataclass(frozen=True, slots=True)
class Release:
    """One Orthanc: that of this machine (`root` is /), or of a Debian release unpacked in a folder."""

    name: str
    root: Path

    @property
    def command(self) -> list[str]:
        """The program as it is started, before its configuration."""
        program = f"/{_PROGRAM}"
        return [program] if self.name == HERE else ["chroot", str(self.root), program]

    def complete(self) -> bool:
        """Tell whether the program and its plug-ins are there."""
        files = [_PROGRAM, *(str((PLUGINS / name).relative_to("/")) for name in _LIBRARIES)]
        return all((self.root / name).exists() for name in files)


def bring(name: str, folder: Path) -> Release:
    """Return a release, installed where it was missing; one that is not this machine's goes to `folder`."""
    release = Release(name, Path("/") if name == HERE else folder)
    if release.complete():
        return release
    wanted = " ".join(_PACKAGES)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NotInstalled(
            f"Orthanc or its DICOMweb plug-in is missing ({name}). On Debian as root: "
            f"apt-get install {wanted}. Then run this again. Other releases (--release trixie) need root."
        )
    print(f"installing {wanted} ({name})", file=sys.stderr, flush=True)
    try:
        if name == HERE:
            _install_here(_PACKAGES)
            _no_service()
        else:
            _unpack(name, folder)
    except subprocess.CalledProcessError as error:
        raise NotInstalled(f"installing {wanted} ({name}) failed: {error}") from error
    if not release.complete():
        raise NotInstalled(f"the packages {wanted} ({name}) brought no DICOMweb plug-in")
    return release


def _install_here(packages: Sequence[str]) -> None:
    _run(["apt-get", "update", "-qq"])
    _run([*_APT, "-qq", *packages])


def _no_service() -> None:
    """End the service that the package starts: it would listen on our port and use our processor."""
    if shutil.which("systemctl") and Path("/run/systemd/system").exists():
        _run(["systemctl", "disable", "--now", "--quiet", "orthanc"])


def _unpack(release: str, folder: Path) -> None:
    """Make a folder that holds a Debian release of the smallest kind, and Orthanc in it."""
    if shutil.which("debootstrap") is None:
        _install_here(["debootstrap"])
    if not (folder / "usr/bin/apt-get").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(["debootstrap", "--variant=minbase", release, str(folder)])
    forbid = folder / "usr/sbin/policy-rc.d"
    forbid.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")  # nothing is started inside
    forbid.chmod(0o755)
    for source in Path("/etc/apt/apt.conf.d").glob("*"):  # a proxy, most of all
        shutil.copy(source, folder / "etc/apt/apt.conf.d")
    for name in ("resolv.conf", "hosts"):  # without hosts, Orthanc waits for names now and then
        shutil.copy(Path("/etc") / name, folder / "etc")
    _run(["chroot", str(folder), "apt-get", "update", "-qq"])
    _run(["chroot", str(folder), *_APT, "-qq", *_PACKAGES])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
