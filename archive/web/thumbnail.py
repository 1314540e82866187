"""GET …/thumbnail of a study, a series, an instance or a frame (PS3.18 10.4.1.1.4): one small picture."""

from __future__ import annotations

from flask import Response, request

from archive.dicomweb.rendered import for_media_type, parse_thumbnail
from archive.dicomweb.rendered_types import choose_single
from archive.dicomweb.uris import parse_frames
from archive.errors import InvalidRequest, NotFound
from archive.model.level import Level
from archive.model.rendering import Rendering
from archive.services.rendered_subject import Subject, thumbnail_media_types
from archive.web.context import accept, place, principal, services
from archive.web.rendered import described, send


def thumbnail(**_: str) -> Response:
    """Answer with a picture of what stands for the study, the series or the instance."""
    where, rendering = place(), _rendering()
    service = services().rendered
    if where.level is Level.INSTANCE:
        return _send(service.find(principal(), where), rendering)
    subject = service.representative(principal(), where)
    if subject is None:
        raise NotFound(f"{where} has no image, and so no thumbnail")
    return _send(subject, rendering)


def frame_thumbnail(**_: str) -> Response:
    """Answer with a picture of a frame."""
    where, rendering = place(), _rendering()
    numbers = parse_frames((request.view_args or {})["frames"])
    if len(numbers) > 1:
        raise InvalidRequest("a thumbnail is of one frame", where="frames")
    subject = services().rendered.find(principal(), where)
    services().rendered.check_frames(subject, numbers)
    return _send(subject, rendering, numbers[0])


def _rendering() -> Rendering:
    return parse_thumbnail(tuple(request.args.items(multi=True)))


def _send(subject: Subject, rendering: Rendering, frame: int | None = None) -> Response:
    service = services().rendered
    offered = thumbnail_media_types(subject)
    offer = choose_single(accept(), offered, f"a thumbnail of {described(subject)}")
    chosen = frame or (service.frame_of(subject) if subject.instance.pixels is not None else None)
    return send(subject, offer, for_media_type(rendering, offer.media_type), chosen)
