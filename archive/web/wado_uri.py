"""GET /wado: WADO-URI, for clients that know of nothing else (PS3.18 clause 9)."""

from __future__ import annotations

from flask import Response, request

from archive.dicomweb.headers import ANYTHING, MediaRange
from archive.dicomweb.media_types import DICOM
from archive.dicomweb.negotiation import Container, InstanceChoice
from archive.dicomweb.rendered import for_media_type
from archive.dicomweb.rendered_types import JPEG, choose_single
from archive.dicomweb.uris import place_url
from archive.dicomweb.wado_uri import WadoUri, parse_wado_uri
from archive.errors import InvalidRequest
from archive.services.rendered import Subject
from archive.web.context import accept, base_url, principal, services
from archive.web.rendered import described, send
from archive.web.retrieve import send_instance


def retrieve() -> Response:
    """Answer with an instance, in DICOM or rendered."""
    asked = parse_wado_uri(tuple(request.args.items(multi=True)), accept())
    if asked.anonymize:
        raise InvalidRequest(
            "nothing is anonymized here; ask without anonymize, or anonymize what you get", where="anonymize"
        )
    subject = services().rendered.find(principal(), asked.place)
    media_types = _media_types(subject, asked)
    if asked.is_for_dicom or (asked.accept is None and not media_types):
        response = _dicom(subject, asked)
    else:
        response = _rendered(subject, asked, media_types)
    response.headers["Content-Location"] = _location(subject, response)
    return response


def _location(subject: Subject, response: Response) -> str:
    address = place_url(base_url(), subject.place)
    return address if response.mimetype == DICOM else f"{address}/rendered"


def _dicom(subject: Subject, asked: WadoUri) -> Response:
    """Answer in DICOM. The Content-Type names no transfer syntax (8.7.3.5.2)."""
    choice = InstanceChoice(Container.SINGLE, ((asked.transfer_syntax,),))
    response = send_instance(subject.instance, choice)
    if response.status_code != 304:
        response.content_type = DICOM
    return response


def _media_types(subject: Subject, asked: WadoUri) -> tuple[str, ...]:
    """Return what the instance, or the frame asked for, can be rendered as: image/jpeg first (9.3)."""
    service = services().rendered
    if asked.frame is None:
        found = service.media_types(subject)
        return tuple(sorted(found, key=lambda name: name != JPEG)) if JPEG in found else found
    frames = 0 if subject.instance.pixels is None else service.frames_of(subject)
    if asked.frame > frames:
        raise InvalidRequest(f"frameNumber is above {frames}, the frames of the image", where="frameNumber")
    return service.frame_media_types(subject)


def _rendered(subject: Subject, asked: WadoUri, media_types: tuple[str, ...]) -> Response:
    accepted: tuple[MediaRange, ...] = asked.accept or (ANYTHING,)
    offer = choose_single(accepted, media_types, described(subject))
    return send(subject, offer, for_media_type(asked.rendering, offer.media_type), asked.frame)
