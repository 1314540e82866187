"""POST /studies and /studies/{study}: where a STOW request enters (PS3.18 10.5).

The body is parsed as it comes; each part is staged, read and on its way to the object store before the next
one has arrived. archive/services/store.py makes it durable; the answer is sent after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from flask import Response, request

from archive.dicomweb import store as grammar
from archive.dicomweb.headers import MediaType
from archive.dicomweb.media_types import DICOM, XML
from archive.dicomweb.multipart import Data, MultipartParser, PartBegin, PartEnd
from archive.dicomweb.negotiation import Resource, choose_text
from archive.dicomweb.store import BodyKind, StoreBody
from archive.dicomweb.warnings import warning_header
from archive.errors import InvalidRequest
from archive.model.store import Failed, FailureReason, Outcome, Stored
from archive.services.staging import Staged
from archive.services.store_session import StoreSession
from archive.web.access_log import note, request_id
from archive.web.context import accept, base_url, place, principal, services
from archive.web.request_body import body_chunks
from archive.web.store_metadata import take_separate_parts

_LONGEST_HEADER = 1024  # bytes of X-Already-Stored; beyond it is left out


def store(**_: str) -> Response:
    """Store what the body holds and tell what became of each instance."""
    where = place()
    grammar.refuse_content_encoding(request.headers.get("Content-Encoding", ""))
    body = grammar.parse_store_content_type(request.headers.get("Content-Type", ""))
    offer = choose_text(accept(), Resource.STORE)  # before the body, so that nothing is stored in vain
    settings = services().settings
    chunks = body_chunks(settings.max_body)
    with services().store.begin(principal(), where.study_uid, request_id()) as session:
        if body.kind is BodyKind.DICOM_SINGLE:
            _take_single(session, chunks)
        elif body.kind is BodyKind.DICOM_MULTIPART:
            _take_parts(session, _events(body, chunks))
        else:
            take_separate_parts(session, body.kind, _events(body, chunks), f"{base_url()}/studies/")
        outcomes = session.finish()
    _count(outcomes)
    return _answer(outcomes, offer.media_type)


def _events(body: StoreBody, chunks: Iterable[memoryview]) -> Iterator[PartBegin | Data | PartEnd]:
    parser = MultipartParser(body.boundary, max_parts=services().settings.max_parts)
    for chunk in chunks:
        yield from parser.feed(chunk)
    parser.close()


def _take_single(session: StoreSession, chunks: Iterable[memoryview]) -> None:
    staged = session.stage()
    try:
        for chunk in chunks:
            staged.write(chunk)
    except BaseException:
        staged.close()
        raise
    if not staged.size:
        staged.close()
        raise InvalidRequest("the body is empty", where="body")
    session.add(staged)


def _take_parts(session: StoreSession, events: Iterable[PartBegin | Data | PartEnd]) -> None:
    """Stage each part and hand it over when it is whole; a part of another type fails by itself."""
    staged: Staged | None = None
    try:
        for event in events:
            if isinstance(event, Data):
                if staged is not None:
                    staged.write(event.data)
            elif isinstance(event, PartBegin):
                staged = session.stage() if _is_dicom(event) else None
                if staged is None:
                    session.refuse(_wrong_type())
            elif staged is not None:
                whole, staged = staged, None
                session.add(whole)
    finally:
        if staged is not None:
            staged.close()


def _is_dicom(part: PartBegin) -> bool:
    """Tell whether a part claims to be DICOM; one that claims nothing is looked at."""
    return _is_dicom_type(part.headers.get("content-type", ""))


@lru_cache(maxsize=64)
def _is_dicom_type(value: str) -> bool:
    if not value:
        return True
    try:
        return MediaType.parse(value).name in {DICOM, "application/octet-stream"}
    except InvalidRequest:
        return False


def _wrong_type() -> Failed:
    return Failed(
        FailureReason.CANNOT_UNDERSTAND, "a part's Content-Type is not application/dicom, so it was not read"
    )


def _count(outcomes: list[Outcome]) -> None:
    stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    already = sum(outcome.already for outcome in stored)
    note(stored=len(stored) - already, already=already, failed=len(outcomes) - len(stored))


def _answer(outcomes: list[Outcome], media_type: str) -> Response:
    base = base_url()
    if media_type == XML:
        chunks = grammar.response_xml(outcomes, base)
    else:
        chunks = grammar.response_json(outcomes, base)
    response = Response(chunks, status=grammar.status_of(outcomes), content_type=media_type)
    told = [line for outcome in outcomes for line in grammar.sentences(outcome)]
    if told:
        response.headers["Warning"] = warning_header(told, more=f"/api/requests/{request_id()}")
    already = _ranges(
        [part for part, each in enumerate(outcomes, 1) if isinstance(each, Stored) and each.already]
    )
    if already and len(already) <= _LONGEST_HEADER:
        response.headers["X-Already-Stored"] = already
    response.headers["Cache-Control"] = "no-store"
    return response


def _ranges(numbers: list[int]) -> str:
    """Write ascending numbers as 1-3,7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
