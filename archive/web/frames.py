"""GET …/frames/{list} and …/pixeldata (PS3.18 10.4.1.1.6 and 10.4.1.1.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from flask import Response, request

from archive.dicomweb.matching import FrameMatch, match_frames, named_by
from archive.dicomweb.media_types import EXPLICIT_LITTLE, OCTET_STREAM
from archive.dicomweb.multipart import part_content_type
from archive.dicomweb.negotiation import (
    Container,
    FrameChoice,
    Resource,
    choose_frames,
    not_acceptable,
)
from archive.dicomweb.uris import frame_url, parse_frames
from archive.imaging.encode import encodable, refusal
from archive.model.instance import StoredInstance
from archive.model.level import Level, Place
from archive.services.begun import begun
from archive.services.frames import Found, Frame
from archive.web.caching import etag_of, etag_of_made, not_modified, validated
from archive.web.context import accept, base_url, place, principal, services
from archive.web.streams import Part, multipart_response, ranged_response, single_response


def frames(**_: str) -> Response:
    """Answer with frames in the order asked for."""
    where = place()
    numbers = parse_frames((request.view_args or {})["frames"])
    choices = choose_frames(accept(), len(numbers), Resource.FRAMES)
    return _answer(services().frames.find(principal(), where, numbers), choices, where)


def pixel_value(where: Place) -> Response:
    """Answer at the BulkDataURI of encapsulated pixels: a part for each frame, or the only one itself."""
    found = services().frames.find(principal(), where, None)
    if found.pixels.frames > 1:
        return pixeldata()
    choices = choose_frames(accept(), 1, Resource.FRAMES, anything=Container.SINGLE)
    return _answer(found, choices, where)


def _answer(found: Found, choices: Sequence[FrameChoice], where: Place) -> Response:
    match = _match(choices, found.instance, Resource.FRAME if len(found.numbers) == 1 else Resource.FRAMES)
    tag = etag_of if _as_stored(found, match) else etag_of_made
    etag = tag(found.instance.sha256, request.path, str(match), base_url())
    if not_modified(etag):
        return validated(Response(status=304), etag)
    if match.container is Container.SINGLE:
        response = _single(found, match, etag)
    else:
        parts = _parts(begun(_sent(found, match)), match, where)
        response = multipart_response(match.media_type, tuple(parts) if len(found.numbers) == 1 else parts)
    return validated(response, etag)


def _match(choices: Sequence[FrameChoice], instance: StoredInstance, resource: Resource) -> FrameMatch:
    """Choose how the frames of an instance are sent; raise NotAcceptable saying why they cannot be."""
    stored, pixels = instance.transfer_syntax_uid, instance.pixels
    match = match_frames(choices, stored, targets=encodable(named_by(choices), pixels, stored))
    if match is None:
        reasons = (refusal(uid, pixels, stored) for uid in named_by(choices) if uid != EXPLICIT_LITTLE)
        message = f"frames stored in {stored} cannot be sent in what Accept names"
        raise not_acceptable(resource, ": ".join((message, *filter(None, reasons))))
    return match


def _single(found: Found, match: FrameMatch, etag: str) -> Response:
    """Answer with one frame; a part of it where that is asked for, as players of video do."""
    service = services().frames
    if _as_stored(found, match) and (match.media_type.startswith("video/") or "Range" in request.headers):
        span = service.span(found)
        if span is not None:
            return ranged_response(_content_type(match), span.length, etag, partial(service.read_span, span))
    frame = next(_sent(found, match))
    return single_response(_content_type(match), frame.chunks, frame.length)


def pixeldata(**_: str) -> Response:
    """Answer with every frame of the instances at a place, as stored or decoded."""
    where, who = place(), principal()
    choices = choose_frames(accept(), 2, Resource.PIXELDATA)
    places: Sequence[Place]
    if where.level is Level.INSTANCE:
        services().frames.find(who, where, None)  # 404 where there are no pixels
        places = (where,)
    else:
        places = tuple(_places(where, choices))
    parts = begun(_all_parts(places, choices))
    return multipart_response(OCTET_STREAM, parts)


def _places(where: Place, choices: Sequence[FrameChoice]) -> Iterator[Place]:
    """Give the instances that have pixels; raise NotAcceptable before anything is sent."""
    for each in services().retrieve.instances(principal(), where):
        if each.pixels is not None:
            _match(choices, each, Resource.PIXELDATA)
            yield each.identity.place


def _all_parts(places: Iterable[Place], choices: Sequence[FrameChoice]) -> Iterator[Part]:
    for where in places:
        found = services().frames.find(principal(), where, None)
        match = _match(choices, found.instance, Resource.PIXELDATA)
        yield from _parts(_sent(found, match), match, where)


def _sent(found: Found, match: FrameMatch) -> Iterator[Frame]:
    service = services().frames
    if _as_stored(found, match):
        return service.stored(found, unread=True)
    if match.transfer_syntax == EXPLICIT_LITTLE:
        return service.decoded(found)
    return service.transcoded(found, match.transfer_syntax)


def _as_stored(found: Found, match: FrameMatch) -> bool:
    if match.transfer_syntax == EXPLICIT_LITTLE:
        return not found.pixels.encapsulated
    return match.transfer_syntax == found.instance.transfer_syntax_uid


def _parts(frames: Iterable[Frame], match: FrameMatch, where: Place) -> Iterator[Part]:
    base = base_url()
    for frame in frames:
        yield Part(_content_type(match), frame.chunks, frame_url(base, where, frame.number), frame.length)


def _content_type(match: FrameMatch) -> str:
    """Name the transfer syntax always: viewers choose the decoder by it."""
    return part_content_type(match.media_type, match.transfer_syntax)
