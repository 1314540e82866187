"""GET of a BulkDataURI, and …/bulkdata of a study, a series or an instance (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from flask import Response, request

from archive.dicomweb.media_types import EXPLICIT_LITTLE, OCTET_STREAM
from archive.dicomweb.multipart import part_content_type
from archive.dicomweb.negotiation import Container, choose_bulk
from archive.dicomweb.uris import bulkdata_url, parse_bulk_path
from archive.model.instance import StoredInstance
from archive.services.begun import begun
from archive.services.bulkdata import Found
from archive.web import frames
from archive.web.caching import etag_of, not_modified, validated
from archive.web.context import accept, base_url, place, principal, services
from archive.web.streams import Part, multipart_response, ranged_response


def bulk_value(**_: str) -> Response:
    """Answer with one bulk value; encapsulated pixels as their frames, one part each, a single one alone."""
    where = place()
    path = parse_bulk_path((request.view_args or {})["path"])
    found = services().bulkdata.find(principal(), where, path)
    if found.is_encapsulated_pixels:
        return frames.pixel_value(where)
    offer = choose_bulk(accept(), 1, found.media_type or OCTET_STREAM)
    etag = etag_of(found.instance.sha256, found.value.path, str(offer), base_url())
    if not_modified(etag):
        return validated(Response(status=304), etag)
    if offer.container is Container.MULTIPART:
        response = multipart_response(offer.media_type, (_part(found, offer.media_type),))
    else:
        response = _single(found, offer.media_type, etag)
    return validated(response, etag)


def bulkdata(**_: str) -> Response:
    """Answer with every bulk value of the instances at a place, pixels left to …/pixeldata and …/frames."""
    where, who = place(), principal()
    offer = choose_bulk(accept(), 2)
    instances = services().retrieve.instances(who, where)
    return multipart_response(offer.media_type, begun(_all_parts(instances)))


def _all_parts(instances: Iterable[StoredInstance]) -> Iterator[Part]:
    for instance in instances:
        for found in services().bulkdata.find_all(principal(), instance.identity.place):
            if not found.is_encapsulated_pixels:
                yield _part(found, OCTET_STREAM)


def _part(found: Found, media_type: str) -> Part:
    chunks = services().bulkdata.read(found)
    return Part(_content_type(media_type), chunks, _location(found), found.value.length)


def _single(found: Found, media_type: str, etag: str) -> Response:
    read = partial(services().bulkdata.read, found)
    response = ranged_response(_content_type(media_type), found.value.length, etag, read)
    response.headers["Content-Location"] = _location(found)
    if media_type.startswith("text/"):
        response.headers["Content-Security-Policy"] = "sandbox"  # a stored document runs no scripts here
    return response


def _content_type(media_type: str) -> str:
    return part_content_type(media_type, EXPLICIT_LITTLE if media_type == OCTET_STREAM else None)


def _location(found: Found) -> str:
    of = found.instance.identity
    return bulkdata_url(base_url(), of.place, found.value.path)
