"""What an instance can be rendered as, and the choice among it (PS3.18 8.7.2, 8.7.4 and 8.7.5).

Owns the table of media types by category. Leaves which codecs are there to the caller, and the ranking of
what a client accepts to negotiation.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from archive.dicomweb.headers import MediaRange
from archive.dicomweb.media_types import DICOM, XML, Kind, transfer_syntax
from archive.dicomweb.negotiation import Container, Offer, best_offer, not_acceptable_of
from archive.errors import InvalidRequest
from archive.model.instance import Pixels, StoredInstance

JPEG, PNG, GIF, MP4 = "image/jpeg", "image/png", "image/gif", "video/mp4"
PICTURES = (JPEG, PNG, GIF)
THUMBNAILS = (JPEG, PNG)
MOVING = (GIF, MP4)
RENDERED = (
    *PICTURES,
    MP4,
    "video/mpeg",
    "video/H265",
    "text/html",
    "text/plain",
    "text/xml",
    "image/svg+xml",
    "application/pdf",
    "audio/wav",
    "model/stl",
    "model/obj",
    "model/mtl",
)
"""All that there is; what of it an instance can be depends on its category and SOP Class."""

MAX_ANIMATED_FRAMES = 512
MAX_ANIMATED_PIXELS = 2**27
"""A longer multi-frame image is offered as pictures of single frames only."""

_STATE = "1.2.840.10008.5.1.4.1.1.11."  # with what follows, the SOP Classes of presentation states


class Category(Enum):
    """What kind of thing an instance is: those of Table 8.7.2-1, told apart further by what can be made."""

    IMAGE = "a single-frame image"
    FRAMES = "a multi-frame image"
    VIDEO = "a video"
    STATE = "a presentation state"
    DOCUMENT = "an object without pixels"


def category_of(instance: StoredInstance) -> Category:
    """Return the category of a stored instance."""
    if instance.pixels is None:
        is_state = instance.identity.sop_class_uid.startswith(_STATE)
        return Category.STATE if is_state else Category.DOCUMENT
    if transfer_syntax(instance.transfer_syntax_uid).kind is Kind.VIDEO:
        return Category.VIDEO
    return Category.FRAMES if instance.pixels.frames > 1 else Category.IMAGE


def can_move(pixels: Pixels) -> bool:
    """Tell whether a multi-frame image is short enough to become one moving picture."""
    size = pixels.rows * pixels.columns * pixels.frames
    return pixels.frames <= MAX_ANIMATED_FRAMES and size <= MAX_ANIMATED_PIXELS


def representative(frames: int) -> int:
    """Return the number of the frame that stands for all: the middle one, from 1."""
    return (frames + 1) // 2


def choose_one(accept: Sequence[MediaRange], media_types: Sequence[str], what: str) -> Offer:
    """Choose the form of one rendering; single-part to those who accept anything.

    Raise NotAcceptable saying what is offered for `what`.
    """
    refuse_mixed(accept)
    offers = [
        *(Offer(Container.SINGLE, name) for name in media_types),
        *(Offer(Container.MULTIPART, name) for name in media_types),
    ]
    return _chosen(accept, offers, what)


def choose_part(accept: Sequence[MediaRange], media_types: Sequence[str], what: str) -> Offer:
    """Choose the form of one rendering among several: a part, also for those who name the bare media type."""
    refuse_mixed(accept)
    return _chosen(accept, [Offer(Container.MULTIPART, name, loose=True) for name in media_types], what)


def choose_single(accept: Sequence[MediaRange], media_types: Sequence[str], what: str) -> Offer:
    """Choose the form of what is always one thing by itself: a thumbnail, an answer of WADO-URI."""
    refuse_mixed(accept)
    return _chosen(accept, [Offer(Container.SINGLE, name) for name in media_types], what)


def _chosen(accept: Sequence[MediaRange], offers: Sequence[Offer], what: str) -> Offer:
    found = best_offer(accept, offers)
    if not offers:
        raise not_acceptable_of(offers, f"{what} cannot be rendered here; it can be retrieved as stored")
    if found is None:
        raise not_acceptable_of(offers, f"{what} cannot be rendered as what Accept names")
    return found


def refuse_mixed(accept: Sequence[MediaRange]) -> None:
    """Refuse those who accept DICOM and rendered types at once, as 8.7.5 says.

    JSON does not count: common libraries always name it among others.
    """
    liked = {each.media.get("type") or each.media.name for each in accept if each.q > 0}
    dicom = liked & {DICOM, XML}
    if dicom and any("*" not in name for name in liked - dicom):
        raise InvalidRequest(
            "Accept names DICOM media types and rendered ones; ask for one kind", where="accept"
        )
