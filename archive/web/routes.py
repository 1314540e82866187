"""The route table: which view answers which request. OPTIONS and docs/conformance.md are made from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, Response

from archive.dicomweb.attribute_names import keyword_of
from archive.dicomweb.capabilities import Parameter, Row
from archive.dicomweb.negotiation import OFFERS, Resource
from archive.dicomweb.store import BodyKind
from archive.model.query import ORDERABLE
from archive.web import (
    bulkdata,
    capabilities,
    delete,
    frames,
    metadata,
    rendered_routes,
    reports,
    retrieve,
    search,
    store,
)
from archive.web.context import ROOT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

View = Callable[..., Response]

_ACCEPT = (
    Parameter("accept", "What Accept would say; wins over it (8.3.3.1).", repeated=True),
    Parameter("charset", "What Accept-Charset would say; wins over it (8.3.3.2).", repeated=True),
)
_FLAG = ("true", "false")
_SEARCH = (
    Parameter(
        "{attribute}", "A keyword, 8 hex digits or a dotted path, and the value to match.", repeated=True
    ),
    Parameter("includefield", "Attributes to return as well, or all.", repeated=True),
    Parameter("fuzzymatching", "Each word begins some word of the name; accents ignored.", _FLAG),
    Parameter("emptyvaluematching", "An empty value matches empty attributes.", _FLAG),
    Parameter("multiplevaluematching", "Commas and backslashes separate values.", _FLAG),
    Parameter("limit", "Most results; without it a page of the archive, or all of a study or series."),
    Parameter("offset", "Results to skip."),
    Parameter("cursor", "Where to go on, as the Link header of the page before says."),
    *_ACCEPT,
)
_ORDER = Parameter(
    "orderby",
    "What to order by, with - before it for the opposite order.",
    tuple(sign + keyword_of(tag) for tag in ORDERABLE for sign in ("", "-")),
)
_READ = (200, 304, 400, 404, 406, 410, 503)


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table and the view that answers it."""

    row: Row
    view: View


def _offers(resource: Resource) -> tuple[str, ...]:
    return tuple(str(offer) for offer in OFFERS[resource])


def _get(
    path: str,
    transaction: str,
    clause: str,
    text: str,
    view: View,
    resource: Resource,
    parameters: tuple[Parameter, ...] = _ACCEPT,
    statuses: tuple[int, ...] = _READ,
) -> Route:
    row = Row("GET", path, transaction, clause, text, statuses, _offers(resource), parameters=parameters)
    return Route(row, view)


def _post(path: str, text: str) -> Route:
    row = Row(
        "POST",
        path,
        "store",
        "10.5",
        text,
        statuses=(200, 202, 400, 406, 409, 413, 415, 503, 507),
        offers=_offers(Resource.STORE),
        accepts=tuple(kind.value for kind in BodyKind),
        parameters=_ACCEPT,
    )
    return Route(row, store.store)


def _delete(path: str, text: str) -> Route:
    return Route(Row("DELETE", path, "delete", "none", text, (204, 400, 404, 410, 503)), delete.delete)


def _search(path: str, text: str, view: View, *more: Parameter) -> Route:
    statuses = (200, 304, 400, 406, 503)
    return _get(path, "search", "10.6", text, view, Resource.SEARCH, (*_SEARCH, *more), statuses)


_STUDY = "/studies/{study}"
_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"

ROUTES: tuple[Route, ...] = (
    _post("/studies", "Store instances."),
    _post(_STUDY, "Store instances of one study; others fail one by one."),
    _search("/studies", "Find studies.", search.studies, _ORDER),
    _search("/series", "Find series of all studies.", search.series),
    _search("/instances", "Find instances of all studies.", search.instances),
    _search(f"{_STUDY}/series", "Find series of a study.", search.series),
    _search(f"{_STUDY}/instances", "Find instances of a study.", search.instances),
    _search(f"{_SERIES}/instances", "Find instances of a series.", search.instances),
    _get(_STUDY, "retrieve", "10.4.1.1.1", "Retrieve a study.", retrieve.retrieve, Resource.STUDY),
    _get(_SERIES, "retrieve", "10.4.1.1.1", "Retrieve a series.", retrieve.retrieve, Resource.SERIES),
    _get(
        _INSTANCE,
        "retrieve",
        "10.4.1.1.1",
        "Retrieve an instance.",
        retrieve.retrieve,
        Resource.INSTANCE,
        statuses=(*_READ, 206, 416),
    ),
    *(
        _get(
            f"{path}/metadata",
            "metadata",
            "10.4.1.1.2",
            f"Retrieve every attribute of {what}, bulk values by reference.",
            metadata.metadata,
            Resource.METADATA,
        )
        for path, what in ((_STUDY, "a study"), (_SERIES, "a series"), (_INSTANCE, "an instance"))
    ),
    _get(
        f"{_INSTANCE}/frames/{{frames}}",
        "frames",
        "10.4.1.1.6",
        "Retrieve frames by number, in the order of the list.",
        frames.frames,
        Resource.FRAME,
        statuses=(*_READ, 206, 416),
    ),
    *(
        _get(
            f"{path}/pixeldata",
            "frames",
            "10.4.1.1.7",
            f"Retrieve all frames of {what}.",
            frames.pixeldata,
            Resource.PIXELDATA,
        )
        for path, what in ((_STUDY, "a study"), (_SERIES, "a series"), (_INSTANCE, "an instance"))
    ),
    _get(
        f"{_INSTANCE}/bulkdata/{{path}}",
        "bulkdata",
        "10.4.1.1.5",
        "Retrieve the value at the end of a BulkDataURI.",
        bulkdata.bulk_value,
        Resource.BULKDATA,
        statuses=(*_READ, 206, 416),
    ),
    *(
        _get(
            f"{path}/bulkdata",
            "bulkdata",
            "10.4.1.1.5",
            f"Retrieve all bulk values of {what}.",
            bulkdata.bulkdata,
            Resource.BULKDATA,
        )
        for path, what in ((_STUDY, "a study"), (_SERIES, "a series"), (_INSTANCE, "an instance"))
    ),
    *(Route(row, view) for row, view in rendered_routes.TABLE),
    _delete(_STUDY, "Delete a study."),
    _delete(_SERIES, "Delete a series."),
    _delete(_INSTANCE, "Delete an instance."),
)

ROWS = tuple(route.row for route in ROUTES)


def install(app: Flask) -> None:
    """Add every route of the table to `app`, and the answer to OPTIONS on each path."""
    for route in ROUTES:
        app.add_url_rule(
            _rule(route.row.path),
            endpoint=f"{route.row.method} {route.row.path}",
            view_func=route.view,
            methods=[route.row.method],
            provide_automatic_options=False,
        )
    for path in ("/", *dict.fromkeys(row.path for row in ROWS)):
        app.add_url_rule(
            _rule(path),
            endpoint=f"OPTIONS {path}",
            view_func=capabilities.capabilities(ROWS, path),
            methods=["OPTIONS"],
            provide_automatic_options=False,
        )
    row, view = rendered_routes.WADO_URI
    app.add_url_rule(row.path, "WADO-URI", view, methods=["GET"], provide_automatic_options=False)
    app.add_url_rule(
        row.path,
        "OPTIONS WADO-URI",
        capabilities.capabilities((row,), row.path, below=""),
        methods=["OPTIONS"],
        provide_automatic_options=False,
    )
    app.add_url_rule("/api/requests/<request>", view_func=reports.report, endpoint="request report")
    app.wsgi_app = _single_slashes(app.wsgi_app)  # type: ignore[method-assign, assignment] # Flask's own way


def _single_slashes(application: WSGIApplication) -> WSGIApplication:
    """Take `//studies`, which clients join by mistake, for `/studies`; a redirect names the wrong host."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = re.sub("//+", "/", environ.get("PATH_INFO", ""))
        return application(environ, start_response)

    return call


def _rule(path: str) -> str:
    return ROOT + path.replace("{path}", "<path:path>").replace("{", "<").replace("}", ">")
