"""What every view asks of the request: who, where, under which address, in which form."""

from __future__ import annotations

from flask import current_app, g, request
from werkzeug.sansio.utils import get_current_url, get_host

from archive.bootstrap import Services
from archive.dicomweb.headers import MediaRange, parse_accept, require_utf8
from archive.errors import InvalidRequest
from archive.model.level import Place
from archive.model.principal import ANYONE, Principal
from archive.model.uid import is_uid

ROOT = "/dicom-web"
EXTENSION = "filmroom"
CHECKS = "filmroom.checks"


_PROXY_HEADERS = frozenset({"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"})


def services() -> Services:
    """Return the services of the application."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def principal() -> Principal:
    """Return who is asking."""
    if "principal" not in g:
        g.principal = ANYONE
    found: Principal = g.principal
    return found


def place() -> Place:
    """Return the place that the path names; raise InvalidRequest for what is no UID."""
    arguments = request.view_args or {}
    uids = {name: arguments.get(name) for name in ("study", "series", "instance")}
    for name, uid in uids.items():
        if uid is not None and not is_uid(uid):
            raise InvalidRequest(
                f"the {name} in the path is not a UID: digits and single dots, 64 characters at most",
                where=name,
            )
    return Place(uids["study"], uids["series"], uids["instance"])


def base_url() -> str:
    """Return the address of the DICOMweb root as the client sees it, for URLs in answers."""
    settings = services().settings
    if settings.public_url:
        return settings.public_url + ROOT
    # A Host that is none (RFC 9110 7.2) is as if it was not sent: the server has an address of its own.
    host = request.host or get_host(request.scheme, None, request.server) or "localhost"
    if not settings.trusted_proxies and _lost_port():
        host = f"{host}:{request.environ['SERVER_PORT']}"
    return get_current_url(request.scheme, host, request.root_path).rstrip("/") + ROOT


def _lost_port() -> bool:
    """Tell whether a client that speaks to us directly left the port out of Host, as dicomweb-client does."""
    if not request.host or ":" in request.host or not _PROXY_HEADERS.isdisjoint(request.headers.keys()):
        return False
    return request.environ.get("SERVER_PORT", "80") not in {"80", "443"}


def accept() -> tuple[MediaRange, ...]:
    """Return what the client accepts: the query parameter wins over the header (PS3.18 8.3.3.1)."""
    environ = request.environ  # where the server has joined what came in several lines
    charset, header = environ.get("HTTP_ACCEPT_CHARSET", ""), environ.get("HTTP_ACCEPT", "")
    if not environ.get("QUERY_STRING"):
        if charset:
            require_utf8((charset,))
        return parse_accept((header,))
    require_utf8((charset,), request.args.getlist("charset"))
    return parse_accept((header,), request.args.getlist("accept"))


def accepts_gzip() -> bool:
    """Tell whether the client takes gzip."""
    return request.accept_encodings["gzip"] > 0
