"""GET /status: how the archive is, for those who run it, and the addresses to set up in other systems.

No values of patients. What cannot be asked is said in place; the page comes all the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flask import Blueprint, current_app, render_template, request

from archive.errors import Unavailable
from archive.services.status import Holdings
from archive.viewer.folder import installed
from archive.web.context import CHECKS, ROOT, base_url, principal, services
from archive.web.health import Checks

_log = logging.getLogger(__name__)


def add(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/status", "status", status)


@dataclass(frozen=True, slots=True)
class Address:
    """An address to set up in another system; `name` is the service's, `use` who needs it."""

    name: str
    url: str
    use: str


def status() -> str:
    """Show the status."""
    checks: Checks = current_app.extensions[CHECKS]
    answers = checks.answers()
    service = services().status
    return render_template(
        "status.html",
        answers=answers,
        well=all(answer == "ok" for answer in answers.values()),
        holdings=_holdings() if answers["index"] == "ok" else None,
        kinds={"index": service.database_kind(), "store": service.store_kind()},
        room=service.room(),
        viewer=installed(services().settings),
        addresses=_addresses(),
    )


def _holdings() -> Holdings | None:
    try:
        return services().status.holdings(principal())
    except Unavailable as error:  # it answered a moment ago
        _log.error("%s %s: %s", request.method, request.url_rule, error, exc_info=error)
        return None


def _addresses() -> tuple[Address, ...]:
    base = base_url()
    return (
        Address("DICOMweb", base, "most systems ask for this one alone"),
        Address("STOW-RS", f"{base}/studies", "who sends images"),
        Address("QIDO-RS", base, "who searches"),
        Address("WADO-RS", base, "who retrieves"),
        Address("WADO-URI", f"{base.removesuffix(ROOT)}/wado", "older viewers"),
    )
