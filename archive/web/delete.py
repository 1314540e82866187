"""DELETE of a study, a series or an instance."""

from __future__ import annotations

from flask import Response

from archive.web.access_log import note
from archive.web.context import place, principal, services


def delete(**_: str) -> Response:
    """Take the instances at a place away; 204, and 404 or 410 where there are none."""
    note(deleted=services().delete.delete(principal(), place()))
    return Response(status=204)
