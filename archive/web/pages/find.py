"""GET /: find studies."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from archive.model.level import Level
from archive.model.query import FuzzyName, Key, Query
from archive.web.context import principal, services

_LIMIT = 50


def add(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/", "find", find)


def find() -> str:
    """Show the studies that match."""
    text = request.args.get("q", "").strip()
    keys = (Key(("00100010",), "PN", FuzzyName(tuple(text.split()))),) if text else ()
    page = services().search.search(principal(), Query(Level.STUDY, keys=keys, limit=_LIMIT))
    return render_template("find.html", text=text, page=page)
