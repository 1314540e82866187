"""GET …/rendered of an instance, or of frames of it (PS3.18 10.4.1.1.3).

Studies and series, which are many renderings, are in rendered_series.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from flask import Response, request

from archive.dicomweb.negotiation import Container, Offer
from archive.dicomweb.rendered import for_media_type, for_presentation_state, parse_rendering
from archive.dicomweb.rendered_types import PICTURES, Category, choose_one, choose_part
from archive.dicomweb.uris import frame_url, parse_frames, place_url
from archive.model.level import Place
from archive.model.rendering import Rendering
from archive.services.begun import begun
from archive.services.rendered import Rendered
from archive.services.rendered_subject import Subject, frame_media_types, media_types
from archive.web.access_log import note
from archive.web.caching import etag_of_made, not_modified, validated
from archive.web.context import accept, base_url, place, principal, services
from archive.web.streams import Part, multipart_response, ranged_response, single_response

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""What a stored document may do in the browser: show itself, and nothing else."""
_PASSIVE = ("image/jpeg", "image/png", "image/gif", "video/", "audio/", "application/pdf", "model/")
_UTF8 = frozenset({"text/html", "text/plain"})


def rendered(**_: str) -> Response:
    """Answer with what shows an instance."""
    where, rendering = place(), parse_rendering(tuple(request.args.items(multi=True)))
    return one(services().rendered.find(principal(), where), rendering)


def one(subject: Subject, rendering: Rendering) -> Response:
    """Answer with what shows one instance."""
    offer = choose_one(accept(), media_types(subject), described(subject))
    return send(subject, offer, checked(subject, rendering, offer))


def described(subject: Subject) -> str:
    """Say what an instance is, for those who asked for something else."""
    return f"{subject.category.value} stored in {subject.instance.transfer_syntax_uid}"


def checked(subject: Subject, rendering: Rendering, offer: Offer) -> Rendering:
    """Return a rendering in the form that has been chosen; raise InvalidRequest where it cannot be had so."""
    if subject.category is Category.STATE:
        for_presentation_state(rendering)
    return for_media_type(rendering, offer.media_type)


def send(
    subject: Subject,
    offer: Offer,
    rendering: Rendering,
    frame: int | None = None,
    state: Subject | None = None,
) -> Response:
    """Answer with an instance, or a frame of it, in a form that has been chosen.

    `state` is a presentation state that is applied to the frame.
    """
    if subject.category is Category.STATE and offer.media_type in PICTURES:
        return _send_state(subject, offer, rendering)
    shown = [subject, *([] if state is None else [state])]
    etag = _etag(shown, offer, rendering, str(frame))
    if not_modified(etag):
        return validated(Response(status=304), etag)
    note(rendered=offer.media_type)
    if subject.category is Category.VIDEO and offer.media_type not in PICTURES:
        return validated(_video(subject, offer, etag), etag)
    service = services().rendered
    if frame is None:
        made = service.rendered(principal(), subject, rendering, base_url())
    else:
        made = service.picture(subject, frame, rendering, state)
    return _send_one(made, offer, etag, part(subject.place, made, frame))


def _send_one(made: Rendered, offer: Offer, etag: str, alone: Part) -> Response:
    if offer.container is Container.MULTIPART:
        response = multipart_response(offer.media_type, (alone,))
    else:
        read = partial(_slice, made.data)
        response = ranged_response(alone.content_type, len(made.data), etag, read)
    return validated(protected(response, made.media_type), etag)


def _send_state(state: Subject, offer: Offer, rendering: Rendering) -> Response:
    """Answer with the first image that a presentation state is about, or in parts with each of them."""
    service = services().rendered
    found = service.targets(principal(), state)
    targets = [next(found), *(found if offer.container is Container.MULTIPART else ())]
    shown = [state, *(target.subject for target in targets)]
    etag = _etag(shown, offer, rendering, str([target.frame for target in targets]))
    if not_modified(etag):
        return validated(Response(status=304), etag)
    note(rendered=offer.media_type, parts=len(targets))
    pictures = services().sandbox.each(
        partial(service.picture, target.subject, target.frame, rendering, state) for target in targets
    )
    if len(targets) == 1:
        made = next(pictures)
        return _send_one(made, offer, etag, part(state.place, made))
    parts = begun(part(state.place, made) for made in pictures)
    return validated(multipart_response(offer.media_type, parts), etag)


def _etag(shown: Iterable[Subject], offer: Offer, rendering: Rendering, which: str) -> str:
    """Cover all that an answer depends on: what is shown, how, by which release, and links in it."""
    objects = (subject.instance.sha256 for subject in shown)
    return etag_of_made(*objects, str(offer), repr(rendering), which, base_url())


def protected(response: Response, media_type: str) -> Response:
    """Forbid a document from a stored object whatever it might try in a browser."""
    if not media_type.startswith(_PASSIVE):
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def content_type(media_type: str) -> str:
    """Name the characters of a text; XML does that itself."""
    return f"{media_type}; charset=utf-8" if media_type in _UTF8 else media_type


def _slice(data: bytes, start: int, length: int) -> Iterable[bytes]:
    return (data[start : start + length],)


def part(where: Place, made: Rendered, frame: int | None = None) -> Part:
    """Return a rendering as one of several, with its own address."""
    base = base_url()
    address = place_url(base, where) if frame is None else frame_url(base, where, frame)
    return Part(content_type(made.media_type), (made.data,), f"{address}/rendered", len(made.data))


def _video(subject: Subject, offer: Offer, etag: str) -> Response:
    """Answer with the stream as it is stored, or with the range of it that players ask for."""
    service = services()
    found = service.rendered.video(subject)
    if offer.container is Container.MULTIPART or found is None:
        pieces = service.rendered.video_pieces(subject)
        if offer.container is Container.SINGLE:
            return single_response(offer.media_type, pieces, None)
        where = f"{place_url(base_url(), subject.place)}/rendered"
        return multipart_response(offer.media_type, (Part(offer.media_type, pieces, where),))
    read = partial(service.frames.read_span, found.span)
    return ranged_response(offer.media_type, found.length, etag, read)


def rendered_frames(**_: str) -> Response:
    """Answer with frames of an instance, in the order of the list."""
    where, rendering = place(), parse_rendering(tuple(request.args.items(multi=True)))
    numbers = parse_frames((request.view_args or {})["frames"])
    service = services().rendered
    subject = service.find(principal(), where)
    service.check_frames(subject, numbers)
    offered = frame_media_types(subject)
    if len(numbers) == 1:
        offer = choose_one(accept(), offered, f"a frame of {described(subject)}")
        return send(subject, offer, for_media_type(rendering, offer.media_type), numbers[0])
    offer = choose_part(accept(), offered, f"frames of {described(subject)}")
    return _send_frames(subject, offer, for_media_type(rendering, offer.media_type), numbers)


def _send_frames(subject: Subject, offer: Offer, rendering: Rendering, numbers: Sequence[int]) -> Response:
    etag = _etag([subject], offer, rendering, str(numbers))
    if not_modified(etag):
        return validated(Response(status=304), etag)
    note(rendered=offer.media_type, parts=len(numbers))
    picture = services().rendered.picture
    pictures = services().sandbox.each(partial(picture, subject, number, rendering) for number in numbers)
    parts = (part(subject.place, made, number) for number, made in zip(numbers, pictures, strict=True))
    return validated(multipart_response(offer.media_type, begun(parts)), etag)
