"""The `filmroom` command: its sub-commands, and how an expected error ends it.

A sub-command is imported when it is asked for: `serve` stays a small process, and none waits for the others.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from archive import __version__
from archive.errors import FilmroomError
from storage.errors import StorageError

_COMMANDS = {
    "serve": "archive.cli.serve:serve",
    "migrate": "archive.cli.migrate:migrate",
    "import": "archive.cli.imports:import_",
    "export": "archive.cli.export:export",
    "worker": "archive.cli.worker:worker",
    "attributes": "archive.cli.attributes:attributes",
    "viewer": "archive.cli.viewer:viewer",
    "settings": "archive.cli.settings:settings",
}


class Commands(click.Group):
    """The sub-commands, by the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one; None where there is none of that name."""
        module, _, name = _COMMANDS.get(cmd_name, "").partition(":")
        command: click.Command | None = getattr(import_module(module), name) if module else None
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="filmroom")
def filmroom() -> None:
    """Filmroom, a DICOMweb image archive. Settings come from the environment: `filmroom settings`."""


def main() -> None:
    """Run the command line; an expected error is one line and exit status 1, not a stack."""
    try:
        filmroom()
    except (FilmroomError, StorageError) as error:
        click.echo(f"filmroom: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
