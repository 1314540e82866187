"""`filmroom migrate`: make the tables of the index, or bring them to those of this release."""

from __future__ import annotations

import click

from archive.cli.common import read_settings
from archive.index.migrate import is_current, upgrade


@click.command()
def migrate() -> None:
    """Make the tables of the index, or bring them to those of this release; safe to run at any time."""
    settings = read_settings()
    if is_current(settings.database_url):
        click.echo("the index is up to date")
        return
    upgrade(settings.database_url)
    click.echo("the index was brought up to date")
