"""GET /wado: WADO-URI, for clients that know of nothing else (PS3.18 clause 9)."""

from __future__ import annotations

from flask import Response, request

from archive.dicomweb.headers import ANYTHING, MediaRange
from archive.dicomweb.media_types import DICOM
from archive.dicomweb.negotiation import Container, InstanceChoice
from archive.dicomweb.rendered import for_media_type, for_presentation_state
from archive.dicomweb.rendered_types import JPEG, Category, choose_single
from archive.dicomweb.uris import place_url
from archive.dicomweb.wado_uri import WadoUri, parse_wado_uri
from archive.errors import Gone, InvalidRequest, NotFound
from archive.model.level import Place
from archive.services.rendered_subject import Subject, can_apply, frame_media_types, media_types
from archive.web.access_log import note
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
    note(study=asked.place.study_uid)  # no path names it here
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
    if asked.state is not None:
        return frame_media_types(subject)
    if asked.frame is None:
        found = media_types(subject)
        return tuple(sorted(found, key=lambda name: name != JPEG)) if JPEG in found else found
    frames = 0 if subject.instance.pixels is None else service.frames_of(subject)
    if asked.frame > frames:
        raise InvalidRequest(f"frameNumber is above {frames}, the frames of the image", where="frameNumber")
    return frame_media_types(subject)


def _rendered(subject: Subject, asked: WadoUri, media_types: tuple[str, ...]) -> Response:
    accepted: tuple[MediaRange, ...] = asked.accept or (ANYTHING,)
    offer = choose_single(accepted, media_types, described(subject))
    rendering = for_media_type(asked.rendering, offer.media_type)
    if asked.state is None:
        if subject.category is Category.STATE:
            for_presentation_state(rendering)
        return send(subject, offer, rendering, asked.frame)
    state = _state(asked.state, subject)
    return send(subject, offer, rendering, services().rendered.frame_of(subject), state)


def _state(where: Place, subject: Subject) -> Subject:
    """Find the presentation state that is to be applied; whatever is wrong with it is 400 (9.5.2.3)."""
    service, name = services().rendered, "presentationUID"
    try:
        state = service.find(principal(), where)
    except (NotFound, Gone):
        raise InvalidRequest(f"{name} is of no presentation state in this archive", where=name) from None
    if not can_apply(state):
        raise InvalidRequest(f"{name} is of nothing that can be applied to an image", where=name)
    if not service.is_about(principal(), state, subject):
        raise InvalidRequest(f"{name} is of a presentation state for other images", where=name)
    return state
