"""GET /status: how the archive is."""

from __future__ import annotations

from flask import Blueprint, render_template

from archive.web.context import base_url


def add(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/status", "status", status)


def status() -> str:
    """Show the addresses to configure."""
    return render_template("status.html", base_url=base_url())
