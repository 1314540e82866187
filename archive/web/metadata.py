"""GET …/metadata of a study, a series or an instance (PS3.18 10.4.1.1.2)."""

from __future__ import annotations

from flask import Response

from archive.dicom.xml import dataset_to_xml
from archive.dicomweb.media_types import JSON, XML
from archive.dicomweb.negotiation import Resource, choose_text
from archive.services.begun import begun
from archive.web.caching import etag_of, not_modified, validated
from archive.web.context import accept, accepts_gzip, base_url, place, principal, services
from archive.web.streams import Part, multipart_response, single_response


def metadata(**_: str) -> Response:
    """Answer with every attribute, bulk values by reference."""
    where, who, base = place(), principal(), base_url()
    service = services().metadata
    offer = choose_text(accept(), Resource.METADATA)
    zipped = accepts_gzip() and offer.media_type == JSON
    etag = etag_of(service.revision(who, where), offer.media_type, "gzip" if zipped else "", base)
    if not_modified(etag):
        return validated(Response(status=304), etag)
    if offer.media_type == XML:
        datasets = begun(service.as_datasets(who, where, base))
        response = multipart_response(XML, (Part(XML, (dataset_to_xml(each),)) for each in datasets))
    elif zipped:
        response = single_response(JSON, begun(service.as_gzip(who, where, base)), None)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = single_response(JSON, begun(service.as_json(who, where, base)), None)
    return validated(response, etag)
