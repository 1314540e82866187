"""GET of a study, a series or an instance: multipart, single part or zip (PS3.18 10.4.1.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from flask import Response

from archive.dicomweb.matching import match_instance
from archive.dicomweb.media_types import DICOM, EXPLICIT_LITTLE, ZIP
from archive.dicomweb.multipart import part_content_type
from archive.dicomweb.negotiation import (
    AS_STORED,
    UNNAMED,
    Container,
    InstanceChoice,
    Resource,
    choose_instances,
    not_acceptable,
)
from archive.imaging.encode import encodable, refusal
from archive.imaging.syntaxes import can_decode
from archive.model.instance import StoredInstance
from archive.model.level import Level
from archive.services.begun import begun
from archive.services.retrieve import Body
from archive.web.caching import etag_of, etag_of_made, not_modified, validated
from archive.web.context import accept, base_url, place, principal, services
from archive.web.streams import Part, multipart_response, ranged_response, single_response
from archive.web.zipping import zip_chunks

_NOT_ENCODED = frozenset((UNNAMED, AS_STORED, EXPLICIT_LITTLE))


def retrieve(**_: str) -> Response:
    """Answer with the instances at a place."""
    where, who = place(), principal()
    choice = choose_instances(accept(), where.level)
    service = services().retrieve
    if where.level is Level.INSTANCE:
        return send_instance(next(service.instances(who, where)), choice)
    etag = etag_of_made(service.revision(who, where), str(choice), base_url())
    if not_modified(etag):
        return validated(Response(status=304), etag)
    if not _may_fall_back(choice):
        for each in service.instances(who, where):  # what cannot be sent is told before anything is
            syntax_of(each, choice)
    instances = service.instances(who, where)
    bodies = begun(
        service.bodies(
            instances, lambda instance: syntax_of(instance, choice), stored_if_broken=_may_fall_back(choice)
        )
    )
    if choice.container is Container.ZIP:
        names = services().download.names(who, where)
        files = ((names(body.instance), body.chunks) for body in bodies)
        response = single_response(ZIP, zip_chunks(files), None)
        response.headers["Content-Disposition"] = f'attachment; filename="{where.study_uid}.zip"'
    else:
        response = multipart_response(DICOM, _parts(bodies))
    return validated(response, etag)


def send_instance(instance: StoredInstance, choice: InstanceChoice) -> Response:
    """Answer with one instance."""
    syntax = syntax_of(instance, choice)
    tag = etag_of if syntax == instance.transfer_syntax_uid else etag_of_made
    etag = tag(instance.sha256, syntax, choice.container.value)
    if not_modified(etag):
        return validated(Response(status=304), etag)
    if choice.container is Container.SINGLE and syntax == instance.transfer_syntax_uid:
        return validated(_stored(instance, etag), etag)
    body = services().retrieve.body(instance, syntax, stored_if_broken=_may_fall_back(choice))
    if choice.container is Container.ZIP:
        files = ((f"{instance.identity.sop_uid}.dcm", body.chunks),)
        return validated(single_response(ZIP, zip_chunks(files), None), etag)
    if choice.container is Container.MULTIPART:
        return validated(multipart_response(DICOM, tuple(_parts((body,)))), etag)
    return validated(single_response(_content_type(body), body.chunks, body.length), etag)


def _stored(instance: StoredInstance, etag: str) -> Response:
    """Answer with the bytes as stored, or with the range of them that is asked for."""
    content_type = part_content_type(DICOM, instance.transfer_syntax_uid)
    return ranged_response(content_type, instance.size, etag, partial(services().retrieve.stored, instance))


def syntax_of(instance: StoredInstance, choice: InstanceChoice) -> str:
    """Return the transfer syntax in which an instance is sent; raise NotAcceptable saying why in none."""
    stored, pixels = instance.transfer_syntax_uid, instance.pixels
    length = pixels.frame_length * pixels.frames if pixels is not None and pixels.encapsulated else 0
    targets = encodable(choice.transfer_syntaxes, pixels, stored)
    matches = (match_instance(tier, stored, native_length=length, targets=targets) for tier in choice.tiers)
    syntax = next((uid for uid in matches if uid is not None), None)
    if syntax not in {None, stored} and pixels is not None and pixels.encapsulated and not can_decode(stored):
        syntax = stored if _may_fall_back(choice) else None
    if syntax is None:
        reasons = (
            refusal(uid, pixels, stored) for uid in choice.transfer_syntaxes if uid not in _NOT_ENCODED
        )
        message = f"an instance stored in {stored} cannot be sent in what Accept names"
        raise not_acceptable(Resource.INSTANCE, ": ".join((message, *filter(None, reasons))))
    return syntax


def _may_fall_back(choice: InstanceChoice) -> bool:
    return not set(choice.transfer_syntaxes).isdisjoint({UNNAMED, AS_STORED})


def _parts(bodies: Iterable[Body]) -> Iterator[Part]:
    for body in bodies:
        yield Part(_content_type(body), body.chunks, length=body.length)


def _content_type(body: Body) -> str:
    return part_content_type(DICOM, body.transfer_syntax_uid)
