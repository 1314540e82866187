"""`filmroom settings`: the table of settings, with the values in force or as a page of the docs."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from archive.cli.common import read_settings
from archive.settings import PREFIX, Settings, settings_table

_INTRODUCTION = """\
# Settings

Every setting is an environment variable, read once when a process starts. `filmroom settings` prints the
values in force, passwords left out. This page is made by `make docs`.

Sizes are bytes, or take K, M, G or T (powers of 1024). An empty variable counts as not set. A variable that
begins with FILMROOM_ and is not in this table is an error, so that a misspelt name is noticed.

| Variable | Default | What it does |
|---|---|---|
"""
# Their defaults depend on where a process is started, so the page says how.
_DEFAULTS = {
    "FILMROOM_DATABASE_URL": "SQLite: `filmroom.db` in the data folder",
    "FILMROOM_STORAGE_URL": "`objects` in the data folder",
}


@click.command()
@click.option("--markdown", is_flag=True, help="Print the page docs/settings.md: defaults, not values.")
def settings(*, markdown: bool) -> None:
    """Print every setting with its value and what it does."""
    if markdown:
        click.echo(page(), nl=False)
        return
    table = Table("Variable", "Value", "What it does", show_lines=False)
    for name, value, text in settings_table(read_settings()):
        table.add_row(name, value, text)
    Console().print(table)


def page() -> str:
    """Return docs/settings.md."""
    rows = []
    for name, value, text in settings_table(Settings()):
        default = _DEFAULTS.get(name, f"`{value}`" if value else "")
        rows.append(f"| `{name}` | {default} | {text.replace('|', chr(92) + '|')} |\n")
    return _INTRODUCTION.replace("FILMROOM_", PREFIX) + "".join(rows)
