"""`filmroom viewer`: bring the image viewer that is served under /viewer/."""

from __future__ import annotations

from pathlib import Path

import click

from archive.cli.common import read_settings
from archive.viewer.folder import viewer_folder
from archive.viewer.install import install
from archive.viewer.release import PACKAGE, VERSION


@click.command()
@click.option(
    "--archive",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Take this file, made elsewhere by `npm pack {PACKAGE}@{VERSION}`, and ask no network.",
)
def viewer(archive: Path | None) -> None:
    """Bring the OHIF viewer, with npm, and set it up to be served under /viewer/.

    The release is a fixed one, and its bytes are compared with a known SHA-512. Where it is there already,
    nothing is done. A running server serves it at once.
    """
    settings = read_settings()
    found = install(settings, archive)
    click.echo(f"the viewer OHIF {found.version} is in {viewer_folder(settings)}")
