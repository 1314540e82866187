"""GET /studies/{study}/look: the quick look, a viewer of our own over rendered images; nothing to install.

Owns what the page begins with: whose study it is, its series, where the rest is asked for. Scripts in
static/look/ do the rest over DICOMweb. `series`, `instance`, `image` and `window` in the query say what is
shown first.
"""

from __future__ import annotations

from flask import Blueprint, render_template

from archive.web.context import place, principal, services
from archive.web.pages import links


def add(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/studies/<study>/look", "look", look)


def look(study: str) -> str:
    """Show the page; raise NotFound or Gone."""
    place()  # a UID, or the request is wrong
    summary = services().study_summary.study(principal(), study).summary
    return render_template(
        "look.html",
        study=summary,
        dicomweb=links.dicomweb(""),
        has_viewer=links.has_viewer(),
    )
