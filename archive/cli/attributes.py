"""`filmroom attributes`: which attributes a site indexes beside those of every archive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from archive.bootstrap import build
from archive.cli.common import read_settings
from archive.cli.tables import prepare
from archive.services.search import AttributesService


@click.group()
def attributes() -> None:
    """Index more attributes, so that searches for them are quick on any number of instances."""


@attributes.command()
@click.argument("name")
@click.option(
    "--vr", help="Value representation, for a private attribute that is a name, a date or a number."
)
def add(name: str, vr: str | None) -> None:
    """Index an attribute: NAME is a keyword, 8 hex digits, or a dotted path. A worker fills it in."""
    with _service() as service:
        service.add(name, vr)
    click.echo(f"{name} is being indexed by `filmroom worker`; searches find it meanwhile as before")


@attributes.command("list")
def list_() -> None:
    """Print the indexed attributes, and whether all instances are in."""
    with _service() as service:
        for each in service.list():
            click.echo(f"{'.'.join(each.path)}\t{each.vr}\t{'ready' if each.ready else 'being filled'}")


@attributes.command()
@click.argument("name")
def remove(name: str) -> None:
    """Stop indexing an attribute."""
    with _service() as service:
        service.remove(name)
    click.echo(f"{name} is no longer indexed")


@contextmanager
def _service() -> Iterator[AttributesService]:
    settings = read_settings()
    prepare(settings)
    services = build(settings)
    try:
        yield services.search.attributes
    finally:
        services.close()
