"""GET …/rendered of a study or a series (PS3.18 10.4.1.1.3): a part for each instance, sent as it is made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from flask import Response, request

from archive.dicomweb.headers import MediaRange
from archive.dicomweb.negotiation import Container, Offer, not_acceptable_of
from archive.dicomweb.rendered import parse_rendering
from archive.dicomweb.rendered_types import MOVING, RENDERED, Category, choose_part, refuse_mixed
from archive.dicomweb.warnings import warning_header
from archive.errors import (
    Conflict,
    FilmroomError,
    InvalidRequest,
    NotAcceptable,
    NotDecodable,
    NotFound,
    Overtime,
)
from archive.model.level import Place
from archive.model.rendering import Rendering
from archive.services.rendered import Rendered
from archive.services.rendered_subject import Subject, media_types
from archive.web.access_log import note
from archive.web.caching import etag_of_made, not_modified, validated
from archive.web.context import accept, base_url, place, principal, services
from archive.web.rendered import checked, described, one, part
from archive.web.streams import multipart_response

_log = logging.getLogger(__name__)

_OFFERED = tuple(Offer(Container.MULTIPART, name, loose=True) for name in RENDERED)
_ITS_OWN_FAULT = (NotDecodable, NotAcceptable, Conflict, NotFound)
"""What one instance may fail with, without harm to the others."""

Chosen = tuple[Subject, Rendering]
Made = tuple[Subject, Rendered | FilmroomError]


def rendered(**_: str) -> Response:
    """Answer with what shows each instance of a study or a series; the only one goes by itself.

    What cannot be rendered as the client accepts is left out, and counted in a Warning.
    """
    where, accepted = place(), accept()
    rendering = parse_rendering(tuple(request.args.items(multi=True)))
    refuse_mixed(accepted)
    etag = etag_of_made(*_revisions(where), repr(accepted), repr(rendering), base_url())
    if not_modified(etag):
        return validated(Response(status=304), etag)
    count, left_out, first = _counted(_chosen(where, rendering, accepted))
    if first is None:
        raise not_acceptable_of(_OFFERED, f"nothing of {where} can be rendered as what Accept names")
    alone = count == 1
    response = one(first[0], rendering) if alone else _several(_chosen(where, rendering, accepted))
    note(parts=count, left_out=left_out)
    if left_out:
        told = f"{left_out} of {count + left_out} instances cannot be rendered as what Accept names"
        response.headers["Warning"] = warning_header([told])
    return validated(response, etag)


def _revisions(where: Place) -> tuple[str, ...]:
    """Return what changes with the place, and with its study: states show images of other series in it."""
    revision = services().retrieve.revision
    return str(where), *(
        revision(principal(), each) for each in dict.fromkeys((where, Place(where.study_uid)))
    )


def _chosen(where: Place, rendering: Rendering, accepted: Sequence[MediaRange]) -> Iterator[Chosen | None]:
    """Give each instance with the rendering it is to have, None for each that cannot have one.

    To those who take pictures a multi-frame image is one here: that of the frame that stands for it.
    """
    service = services().rendered
    for instance in services().retrieve.instances(principal(), where):
        subject = service.subject(instance)
        offered = sorted(media_types(subject), key=MOVING.__contains__)
        try:
            offer = choose_part(accepted, offered, described(subject))
            yield subject, checked(subject, rendering, offer)
        except NotAcceptable:
            yield None
        except InvalidRequest:
            if subject.category is not Category.STATE:
                raise
            yield None  # it cannot have a window that its neighbours can


def _counted(chosen: Iterable[Chosen | None]) -> tuple[int, int, Chosen | None]:
    """Count those that are sent and those that are left out, and give the first that is sent."""
    count = left_out = 0
    first = None
    for each in chosen:
        if each is None:
            left_out += 1
        else:
            first, count = first or each, count + 1
    return count, left_out, first


def _several(chosen: Iterable[Chosen | None]) -> Response:
    """Answer with a part for each; at least one must turn out well."""
    make = partial(services().rendered.rendered, principal(), base=base_url())
    works = (partial(_made, make, *each) for each in chosen if each is not None)
    parts = _well(services().sandbox.each(works))
    first = next(parts, None)
    if first is None:
        raise NotDecodable("none of the instances can be rendered; the log says why")
    sent = (part(subject.place, made) for subject, made in chain((first,), parts))
    return multipart_response(first[1].media_type, sent)


def _made(make: Callable[[Subject, Rendering], Rendered], subject: Subject, rendering: Rendering) -> Made:
    try:
        return subject, make(subject, rendering)
    except _ITS_OWN_FAULT as error:
        return subject, error


def _well(made: Iterable[Made]) -> Iterator[tuple[Subject, Rendered]]:
    """Give what could be made; what could not is logged and has no part.

    Where that was for want of time, raise Overtime at the end: the ETag is that of an answer with all parts.
    """
    failed = 0
    late: Overtime | None = None
    for subject, result in made:
        if isinstance(result, Rendered):
            yield subject, result
        else:
            failed += 1
            late = result if isinstance(result, Overtime) else late
            note(failed=failed)
            _log.warning("%s is left out of what is rendered: %s", subject.place, result)
    if late is not None:
        raise late
