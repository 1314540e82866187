"""What is sent for what a client accepts (PS3.18 8.7): tables of offers, and the choice among them.

The order of preference is the client's q, then how specific the range is, then the client's order, then ours.
What of an instance fits the choice, given how it is stored, is found by matching.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import groupby

from archive.dicomweb.headers import MediaRange, is_utf8
from archive.dicomweb.media_types import (
    DICOM,
    FRAME_MEDIA_TYPES,
    JSON,
    MULTIPART,
    NEVER_MADE,
    OCTET_STREAM,
    WADL,
    XML,
    ZIP,
)
from archive.errors import NotAcceptable
from archive.model.level import Level

AS_STORED = "*"
UNNAMED = ""
"""In place of a transfer syntax: the client names none, so the default of PS3.18 8.7.3 holds."""


_remembered = lru_cache(maxsize=256)
"""For choices: they follow from what is accepted alone, and a client accepts the same in every request."""


class Container(Enum):
    """How data sets or frames are put into a body."""

    MULTIPART = "multipart"
    SINGLE = "single"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class Offer:
    """One form in which a resource can be sent. `loose`: also to those who ask for the bare media type."""

    container: Container
    media_type: str
    loose: bool = False

    def __str__(self) -> str:
        return (
            f'{MULTIPART}; type="{self.media_type}"'
            if self.container is Container.MULTIPART
            else self.media_type
        )


class Resource(Enum):
    """The kinds of answer, each with a row of OFFERS."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"
    METADATA = "metadata"
    SEARCH = "search"
    STORE = "store"
    FRAMES = "frames"
    FRAME = "frame"
    BULKDATA = "bulkdata"
    PIXELDATA = "pixeldata"
    CAPABILITIES = "capabilities"


_MANY = (Offer(Container.MULTIPART, DICOM), Offer(Container.ZIP, ZIP))
_LISTS = (Offer(Container.SINGLE, JSON), Offer(Container.MULTIPART, XML, loose=True))
_FRAMES = tuple(Offer(Container.MULTIPART, name) for name in FRAME_MEDIA_TYPES)

OFFERS: dict[Resource, tuple[Offer, ...]] = {
    Resource.STUDY: _MANY,
    Resource.SERIES: _MANY,
    Resource.INSTANCE: (_MANY[0], Offer(Container.SINGLE, DICOM), _MANY[1]),
    Resource.METADATA: _LISTS,
    Resource.SEARCH: _LISTS,
    Resource.STORE: (Offer(Container.SINGLE, JSON), Offer(Container.SINGLE, XML)),
    Resource.FRAMES: _FRAMES,
    Resource.FRAME: (*_FRAMES, *(Offer(Container.SINGLE, name) for name in FRAME_MEDIA_TYPES)),
    Resource.BULKDATA: (Offer(Container.MULTIPART, OCTET_STREAM), Offer(Container.SINGLE, OCTET_STREAM)),
    Resource.PIXELDATA: _FRAMES,
    Resource.CAPABILITIES: (Offer(Container.SINGLE, WADL), Offer(Container.SINGLE, JSON)),
}
"""The first of a row is what a client gets that accepts anything, except that BULKDATA and FRAME depend."""


def not_acceptable(resource: Resource, message: str = "") -> NotAcceptable:
    """Return the error that says what is offered for a resource."""
    return not_acceptable_of(
        OFFERS[resource], message or f"{resource.value} cannot be sent in what Accept names"
    )


def not_acceptable_of(offers: Sequence[Offer], message: str) -> NotAcceptable:
    """Return the error that says which of some offers there are."""
    return NotAcceptable(message, offered=tuple(str(offer) for offer in offers))


def fits(pattern: str, name: str) -> int | None:
    """Return how specific a range of media types is that a name fits (3 the name, 1 anything), or None."""
    if pattern == name:
        return 3
    if pattern == "*/*":
        return 1
    return 2 if pattern.endswith("/*") and name.startswith(pattern[:-1]) else None


def _wanted(accepted: MediaRange) -> tuple[Container | None, str]:
    """Return the container that a range asks for, None if any, and the range of what is in it."""
    name = accepted.media.name
    if name == "*/*":
        return None, name
    if name == "multipart/*":
        return Container.MULTIPART, "*/*"
    if name == MULTIPART:
        return Container.MULTIPART, accepted.media.get("type") or "*/*"
    return Container.SINGLE, name


def _specificity(accepted: MediaRange, offer: Offer) -> int | None:
    container, pattern = _wanted(accepted)
    if container is None:
        return 0
    wants_parts = container is Container.MULTIPART
    if wants_parts != (offer.container is Container.MULTIPART) and not (offer.loose and not wants_parts):
        return None
    charset = accepted.media.get("charset")
    if charset is not None and offer.media_type in {JSON, XML} and not is_utf8(charset):
        return None
    return fits(pattern, offer.media_type)


def _ranges_for(accept: Sequence[MediaRange], offer: Offer) -> list[tuple[int, MediaRange]]:
    """Return the liked ranges that an offer fits, each with how specific it is, the most specific first.

    The most specific range decides how much the offer is liked, and whether at all (RFC 9110 12.5.1).
    """
    fitting = [(fit, each) for each in accept if (fit := _specificity(each, offer)) is not None]
    fitting.sort(key=lambda pair: (-pair[0], -pair[1].q))
    if not fitting or fitting[0][1].q == 0:
        return []
    return [(fit, each) for fit, each in fitting if each.q > 0]


def _ranked(accept: Sequence[MediaRange], offers: Sequence[Offer]) -> list[Offer]:
    """Return the acceptable offers, the best first."""
    scored = []
    for place, offer in enumerate(offers):
        ranges = _ranges_for(accept, offer)
        if ranges:
            fit, best = ranges[0]
            scored.append((-best.q, -fit, accept.index(best), place, offer))
    return [offer for *_, offer in sorted(scored, key=lambda row: row[:4])]


def best_offer(accept: Sequence[MediaRange], offers: Sequence[Offer]) -> Offer | None:
    """Return the best liked of some offers, the first of them where the client likes them alike."""
    return next(iter(_ranked(accept, offers)), None)


@_remembered
def choose_text(accept: Sequence[MediaRange], resource: Resource) -> Offer:
    """Choose the form of metadata, search results, a store response or capabilities."""
    best = best_offer(accept, OFFERS[resource])
    if best is None:
        raise not_acceptable(resource)
    return best


@dataclass(frozen=True, slots=True)
class InstanceChoice:
    """How instances are sent; `tiers` are transfer syntaxes liked alike, with AS_STORED and UNNAMED."""

    container: Container
    tiers: tuple[tuple[str, ...], ...]

    @property
    def transfer_syntaxes(self) -> tuple[str, ...]:
        """All of them, in order of preference."""
        return tuple(uid for tier in self.tiers for uid in tier)


_BY_LEVEL = {Level.STUDY: Resource.STUDY, Level.SERIES: Resource.SERIES, Level.INSTANCE: Resource.INSTANCE}


@_remembered
def choose_instances(accept: Sequence[MediaRange], level: Level) -> InstanceChoice:
    """Choose the container and the transfer syntaxes of a study, a series or an instance."""
    resource = _BY_LEVEL[level]
    for offer in _ranked(accept, OFFERS[resource]):
        tiers = tuple(_tiers(_ranges_for(accept, offer)))
        if tiers:
            return InstanceChoice(offer.container, tiers)
    message = (
        f"{resource.value} is sent as application/dicom; frames and bulk data have addresses of their own"
    )
    raise not_acceptable(resource, message)


def _tiers(ranges: Sequence[tuple[int, MediaRange]]) -> Iterator[tuple[str, ...]]:
    seen = set(NEVER_MADE)
    for _, alike in groupby(ranges, key=lambda pair: (pair[0], pair[1].q)):
        named = dict.fromkeys(uid for _, each in alike for uid in _syntaxes(each) if uid not in seen)
        seen.update(named)
        if named:
            yield tuple(named)


def _syntaxes(accepted: MediaRange) -> tuple[str, ...]:
    return tuple(uid.strip() for uid in accepted.media.get_all("transfer-syntax")) or (UNNAMED,)


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """One acceptable form of frames: a range of media types, and a transfer syntax, AS_STORED or UNNAMED.

    `tier` is the same for those that are liked alike, and lower for those that are liked better.
    """

    container: Container
    pattern: str
    syntax: str
    tier: int = 0


@_remembered
def choose_frames(
    accept: Sequence[MediaRange],
    count: int,
    resource: Resource = Resource.FRAMES,
    *,
    anything: Container = Container.MULTIPART,
) -> tuple[FrameChoice, ...]:
    """Return the acceptable forms of frames, the best liked first; several frames are always multipart.

    `anything` is the container for those who accept any media type.
    """
    liked = [each for each in accept if each.q > 0]
    liked.sort(key=_dislike)
    choices = tuple(
        choice
        for tier, (_, alike) in enumerate(groupby(liked, key=_dislike))
        for each in alike
        for choice in _frame_choices(each, count, anything, tier)
    )
    if not choices:
        raise not_acceptable(Resource.FRAME if count == 1 else resource)
    return choices


def _dislike(accepted: MediaRange) -> tuple[float, int]:
    return -accepted.q, _wanted(accepted)[1].count("*")


def _frame_choices(accepted: MediaRange, count: int, anything: Container, tier: int) -> Iterator[FrameChoice]:
    container, pattern = _wanted(accepted)
    if container is Container.SINGLE and count != 1:
        return
    if any(fits(pattern, name) for name in FRAME_MEDIA_TYPES):
        for syntax in _syntaxes(accepted):
            yield FrameChoice(container or anything, pattern, syntax, tier)


def choose_bulk(accept: Sequence[MediaRange], count: int = 1, media_type: str = OCTET_STREAM) -> Offer:
    """Choose the form of bulk values; `media_type` is what a single value is known to be (a PDF document).

    One value goes single-part to those who accept anything, so that a link to it works; several are always
    multipart.
    """
    names = tuple(dict.fromkeys((media_type, OCTET_STREAM)))
    offers = [Offer(Container.MULTIPART, name) for name in names]
    if count == 1:
        offers = [*(Offer(Container.SINGLE, name) for name in names), *offers]
    best = best_offer(accept, offers)
    if best is None:
        raise not_acceptable(Resource.BULKDATA)
    return best
