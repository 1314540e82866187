"""GET …/metadata of a study, a series or an instance (PS3.18 10.4.1.1.2)."""

from __future__ import annotations

from flask import Response, request

from archive.dicom.xml import dataset_to_xml
from archive.dicomweb.media_types import JSON, XML
from archive.dicomweb.negotiation import Resource, choose_text
from archive.services.begun import begun
from archive.services.metadata import as_gzip, as_json, datasets
from archive.web.caching import etag_of, not_modified, validated
from archive.web.context import accept, accepts_gzip, base_url, place, principal, services
from archive.web.streams import CHUNK, Part, multipart_response, single_response


def metadata(**_: str) -> Response:
    """Answer with every attribute, bulk values by reference."""
    where, who, base = place(), principal(), base_url()
    service = services().metadata
    offer = choose_text(accept(), Resource.METADATA)
    zipped = accepts_gzip() and offer.media_type == JSON

    def etag_at(revision: str) -> str:
        return etag_of(revision, offer.media_type, "gzip" if zipped else "", base)

    if "If-None-Match" in request.headers:  # most have it still, and need nothing but the revision
        etag = etag_at(service.revision(who, where))
        if not_modified(etag):
            return validated(Response(status=304), etag)
    kept = service.at(who, where)
    if offer.media_type == XML:
        parts = (Part(XML, (dataset_to_xml(each),)) for each in begun(datasets(kept, base)))
        response = multipart_response(XML, parts)
    else:
        joined = as_gzip(kept, base) if zipped else as_json(kept, base)
        short = joined.length is not None and joined.length <= CHUNK
        made = short or isinstance(joined.chunks, tuple)
        chunks = tuple(joined.chunks) if made else begun(joined.chunks)
        response = single_response(JSON, chunks, joined.length)
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
    return validated(response, etag_at(kept.revision))
