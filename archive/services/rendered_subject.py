"""An instance as what is to be shown, and what it can be rendered as (PS3.18 Table 8.7.4-1).

Owns the question that only codecs can answer. Leaves the categories to archive/dicomweb/rendered_types.py and
what documents there are to archive/rendering/document_types.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from archive.dicomweb.media_types import transfer_syntax
from archive.dicomweb.rendered_types import JPEG, PICTURES, PNG, THUMBNAILS, Category, can_move
from archive.errors import NotFound
from archive.imaging.syntaxes import can_decode
from archive.model.instance import FrameBlock, Pixels, StoredInstance
from archive.model.level import Place
from archive.rendering.document_types import APPLIED_STATES, document_media_types
from archive.rendering.moving_types import animation_types, can_decode_video

_MOST_MOVING = 2**28  # bytes of stored frames that are made one moving picture


@dataclass(frozen=True, slots=True)
class Subject:
    """An instance that is to be shown; `block` saves a second look-up for its first frames."""

    instance: StoredInstance
    category: Category
    block: FrameBlock | None = None

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.instance.identity.place

    @property
    def pixels(self) -> Pixels:
        """Its pixels; raise NotFound where it has none."""
        if self.instance.pixels is None:
            raise NotFound(f"{self.place} has no pixel data")
        return self.instance.pixels


@dataclass(frozen=True, slots=True)
class Target:
    """A frame that a presentation state is applied to."""

    subject: Subject
    frame: int


def media_types(subject: Subject) -> tuple[str, ...]:
    """Return what an instance can be rendered as, the default first; nothing where it cannot be."""
    if subject.instance.pixels is None:
        documents = document_media_types(subject.instance.identity.sop_class_uid)
        return (*PICTURES, *documents) if can_apply(subject) else documents
    stills = frame_media_types(subject)
    if subject.category is Category.VIDEO:
        return (transfer_syntax(subject.instance.transfer_syntax_uid).media_type, *stills)
    if subject.category is Category.FRAMES and stills:
        moving = animation_types() if _can_move(subject.pixels) else ()
        return (*moving[:1], JPEG, PNG, *moving[1:])
    return stills


def can_apply(subject: Subject) -> bool:
    """Tell whether an instance is a presentation state of a kind that can be applied to images."""
    return subject.category is Category.STATE and subject.instance.identity.sop_class_uid in APPLIED_STATES


def frame_media_types(subject: Subject) -> tuple[str, ...]:
    """Return what a single frame of an instance can be rendered as; raise NotFound where it has none."""
    if subject.category is Category.VIDEO:
        return PICTURES if can_decode_video() else ()
    native = not subject.pixels.encapsulated
    return PICTURES if native or can_decode(subject.instance.transfer_syntax_uid) else ()


def thumbnail_media_types(subject: Subject) -> tuple[str, ...]:
    """Return what a thumbnail of an instance can be; raise NotFound where there is nothing to see."""
    offered = media_types(subject)
    found = tuple(name for name in THUMBNAILS if name in offered)
    if not found and subject.instance.pixels is None:
        raise NotFound(f"{subject.place} has no image, and so no thumbnail")
    return found


def _can_move(pixels: Pixels) -> bool:
    return can_move(pixels) and pixels.length <= _MOST_MOVING
