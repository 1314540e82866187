"""GET …/frames/{list} and …/pixeldata (PS3.18 10.4.1.1.6 and 10.4.1.1.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flask import Response, request

from archive.dicomweb.media_types import EXPLICIT_LITTLE, OCTET_STREAM
from archive.dicomweb.multipart import part_content_type
from archive.dicomweb.negotiation import (
    Container,
    FrameChoice,
    FrameMatch,
    Resource,
    choose_frames,
    match_frames,
    not_acceptable,
)
from archive.dicomweb.uris import frame_url, parse_frames
from archive.errors import InvalidRequest
from archive.model.level import Level, Place
from archive.services.begun import begun
from archive.services.frames import Found, Frame
from archive.web.caching import etag_of, not_modified, validated
from archive.web.context import accept, base_url, place, principal, services
from archive.web.streams import Part, multipart_response, single_response

MAX_FRAMES = 10_000


def frames(**_: str) -> Response:
    """Answer with frames in the order asked for."""
    where = place()
    numbers = parse_frames((request.view_args or {})["frames"])
    if len(numbers) > MAX_FRAMES:
        raise InvalidRequest(f"more than {MAX_FRAMES} frames in one request", where="frames")
    choices = choose_frames(accept(), len(numbers), Resource.FRAMES)
    found = services().frames.find(principal(), where, numbers)
    match = match_frames(choices, found.instance.transfer_syntax_uid)
    if match is None:
        raise not_acceptable(Resource.FRAME if len(numbers) == 1 else Resource.FRAMES)
    etag = etag_of(found.instance.sha256, request.path, str(match))
    if not_modified(etag):
        return validated(Response(status=304), etag)
    sent = begun(_sent(found, match))
    if match.container is Container.SINGLE:
        frame = next(sent)
        response = single_response(_content_type(match), frame.chunks, frame.length)
    else:
        response = multipart_response(match.media_type, _parts(sent, match, where))
    return validated(response, etag)


def pixeldata(**_: str) -> Response:
    """Answer with every frame of the instances at a place, as stored or decoded."""
    where, who = place(), principal()
    choices = choose_frames(accept(), 2, Resource.PIXELDATA)
    places: Sequence[Place]
    if where.level is Level.INSTANCE:
        services().frames.find(who, where, None)  # 404 where there are no pixels
        places = (where,)
    else:
        places = tuple(
            Place(each.identity.study_uid, each.identity.series_uid, each.identity.sop_uid)
            for each in services().retrieve.instances(who, where)
            if each.pixels is not None
        )
    parts = begun(_all_parts(places, choices))
    return multipart_response(OCTET_STREAM, parts)


def _all_parts(places: Iterable[Place], choices: Sequence[FrameChoice]) -> Iterator[Part]:
    for where in places:
        found = services().frames.find(principal(), where, None)
        match = match_frames(choices, found.instance.transfer_syntax_uid)
        if match is None:
            raise not_acceptable(Resource.PIXELDATA)
        yield from _parts(_sent(found, match), match, where)


def _sent(found: Found, match: FrameMatch) -> Iterator[Frame]:
    service = services().frames
    if match.transfer_syntax == EXPLICIT_LITTLE and found.pixels.encapsulated:
        return service.decoded(found)
    return service.stored(found)


def _parts(frames: Iterable[Frame], match: FrameMatch, where: Place) -> Iterator[Part]:
    base = base_url()
    for frame in frames:
        yield Part(_content_type(match), frame.chunks, frame_url(base, where, frame.number), frame.length)


def _content_type(match: FrameMatch) -> str:
    """Name the transfer syntax always: viewers choose the decoder by it."""
    return part_content_type(match.media_type, match.transfer_syntax)
