"""GET /studies, /series and /instances, and those below a study or a series (PS3.18 10.6)."""

from __future__ import annotations

import gzip
from hashlib import sha256
from urllib.parse import urlencode

from flask import Response, request

from archive.dicom.xml import dataset_to_xml
from archive.dicomweb.media_types import JSON, XML
from archive.dicomweb.negotiation import Resource, choose_text
from archive.dicomweb.search import parse_query
from archive.dicomweb.warnings import warning_headers
from archive.index.search import SearchPage
from archive.model.level import Level
from archive.services.search_answers import Answers
from archive.web.access_log import note
from archive.web.caching import etag_of, not_modified, validated
from archive.web.context import ROOT, accept, accepts_gzip, base_url, place, principal, services
from archive.web.streams import Part, multipart_response, single_response

_ZIP_FROM = 1400  # bytes; a shorter answer goes in one packet anyway


def studies(**_: str) -> Response:
    """Answer with studies."""
    return _search(Level.STUDY)


def series(**_: str) -> Response:
    """Answer with series."""
    return _search(Level.SERIES)


def instances(**_: str) -> Response:
    """Answer with instances."""
    return _search(Level.INSTANCE)


def _search(level: Level) -> Response:
    settings = services().settings
    offer = choose_text(accept(), Resource.SEARCH)
    query = parse_query(
        level,
        place(),
        list(request.args.items(multi=True)),
        default_limit=settings.default_limit,
        max_limit=settings.max_limit,
    )
    page = services().search.search(principal(), query)
    note(results=len(page.results))
    answers = Answers(query, base_url())
    body = answers.json(page.results)
    zipped = offer.media_type == JSON and accepts_gzip() and len(body) > _ZIP_FROM
    etag = etag_of(sha256(body).hexdigest(), offer.media_type, "gzip" if zipped else "")
    if not_modified(etag):
        response = Response(status=304)
    elif offer.media_type == XML:
        parts = (Part(XML, (dataset_to_xml(answers.dataset(each)),)) for each in page.results)
        response = multipart_response(XML, parts)
    else:
        sent = gzip.compress(body, 1, mtime=0) if zipped else body
        response = single_response(JSON, (sent,), len(sent))
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
    _describe(response, page)
    return validated(response, etag)


def _describe(response: Response, page: SearchPage) -> None:
    if page.total is not None:
        response.headers["X-Total-Count"] = str(page.total)
    if page.next_cursor is not None:
        pairs = [pair for pair in request.args.items(multi=True) if pair[0] not in {"offset", "cursor"}]
        query = urlencode([*pairs, ("cursor", page.next_cursor)])
        path = request.path.removeprefix(ROOT)
        response.headers["Link"] = f'<{base_url()}{path}?{query}>; rel="next"'
    notes = list(page.notes)
    if page.remaining:
        notes.append(f"There are {page.remaining} additional results that can be requested")
    elif page.remaining is None:  # nobody counted them
        notes.append("There are many additional results that can be requested")
    for value in warning_headers(notes):
        response.headers.add("Warning", value)
