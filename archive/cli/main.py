"""The `filmroom` command: its sub-commands, and how an expected error ends it."""

from __future__ import annotations

import sys

import click

from archive import __version__
from archive.cli.attributes import attributes
from archive.cli.export import export
from archive.cli.imports import import_
from archive.cli.migrate import migrate
from archive.cli.serve import serve
from archive.cli.settings import settings
from archive.cli.viewer import viewer
from archive.cli.worker import worker
from archive.errors import FilmroomError
from storage.errors import StorageError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="filmroom")
def filmroom() -> None:
    """Filmroom, a DICOMweb image archive. Settings come from the environment: `filmroom settings`."""


for _command in (serve, migrate, import_, export, worker, attributes, viewer, settings):
    filmroom.add_command(_command)


def main() -> None:
    """Run the command line; an expected error is one line and exit status 1, not a stack."""
    try:
        filmroom()
    except (FilmroomError, StorageError) as error:
        click.echo(f"filmroom: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
