"""OPTIONS: what can be done here (PS3.18 8.9), as WADL or JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
from flask import Response

from archive.dicomweb.capabilities import Row, allowed, rows_below, to_json, to_wadl
from archive.dicomweb.media_types import JSON
from archive.dicomweb.negotiation import Resource, choose_text
from archive.web.context import ROOT, accept, base_url


def capabilities(rows: Sequence[Row], path: str, *, below: str = ROOT) -> Callable[..., Response]:
    """Return the view for OPTIONS on a path template; `below` is the path that templates stand below."""
    own = rows_below(rows, path)

    def view(**_: str) -> Response:
        offer = choose_text(accept(), Resource.CAPABILITIES)
        base = base_url().removesuffix(ROOT) + below
        body = orjson.dumps(to_json(own, base)) if offer.media_type == JSON else to_wadl(own, base)
        media_type = "application/json" if offer.media_type == JSON else offer.media_type
        response = Response(body, content_type=media_type)
        response.headers["Allow"] = ", ".join(allowed(rows, path))
        return response

    return view
