"""Instances rendered for people: pictures, moving ones and documents, made in the sandbox and kept a while.

The index is asked first, with who is asking; only then what is kept. A result is kept under the SHA-256 of
the object, the frame and the rendering, so that what it shows is always what the object holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from archive.dicomweb.media_types import transfer_syntax
from archive.dicomweb.rendered_types import (
    JPEG,
    MOVING,
    PICTURES,
    PNG,
    THUMBNAILS,
    Category,
    can_move,
    category_of,
    representative,
)
from archive.errors import NotFound
from archive.imaging.decode import can_decode
from archive.index.engine import Database
from archive.index.frames import instance_with_block
from archive.index.rendered import number_of_frames, representative_instance
from archive.model.instance import FrameBlock, Pixels, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal
from archive.model.rendering import Rendering
from archive.rendering.animate import animation_types
from archive.rendering.document_types import document_media_types
from archive.rendering.video import can_decode_video
from archive.sandbox.pool import Sandbox
from archive.services.frames import Found, FramesService, Span
from archive.services.kept import Kept
from archive.services.rendered_source import RenderedSource
from storage.contract import ObjectStore

T = TypeVar("T")

_OVERHEAD = 512  # bytes that keeping a result takes beside its own
_LATEST_OF_VIDEO = 100  # every frame before one has to be decoded as well
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
        identity = self.instance.identity
        return Place(identity.study_uid, identity.series_uid, identity.sop_uid)

    @property
    def pixels(self) -> Pixels:
        """Its pixels; raise NotFound where it has none."""
        if self.instance.pixels is None:
            raise NotFound(f"{self.place} has no pixel data")
        return self.instance.pixels


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was made."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Video:
    """Where a stored stream stands; `length` is that of the stream, without the padding of its item."""

    span: Span
    length: int


class RenderedService:
    """Finds what is to be shown and makes it."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        frames: FramesService,
        sandbox: Sandbox,
        executor: Executor,
        most: int,
    ) -> None:
        """Keep at most `most` bytes of results."""
        self.database = database
        self.frames = frames
        self.sandbox = sandbox
        self.executor = executor
        self.source = RenderedSource(objects, frames, most)
        self.kept: Kept[Rendered] = Kept(most, lambda rendered: len(rendered.data) + _OVERHEAD)

    def find(self, principal: Principal, place: Place) -> Subject:
        """Find the instance at a place; raise NotFound or Gone."""
        instance, block = instance_with_block(self.database, principal, place, 1)
        return self.subject(instance, block)

    def subject(self, instance: StoredInstance, block: FrameBlock | None = None) -> Subject:
        """Return an instance that was found elsewhere as what is to be shown."""
        return Subject(instance, category_of(instance), block)

    def representative(self, principal: Principal, place: Place) -> Subject | None:
        """Find the instance that stands for a study or a series; None where none of it has pixels."""
        instance = representative_instance(self.database, principal, place)
        return None if instance is None else self.subject(instance)

    def frames_of(self, subject: Subject) -> int:
        """Return how many frames an instance has; raise NotFound where it has no pixels."""
        if subject.category is Category.VIDEO:
            return number_of_frames(self.database, subject.instance)
        return subject.pixels.frames

    def frame_of(self, subject: Subject) -> int:
        """Return the frame that stands for an instance: the middle one, but none far into a video."""
        middle = representative(self.frames_of(subject))
        return min(middle, _LATEST_OF_VIDEO) if subject.category is Category.VIDEO else middle

    def check_frames(self, subject: Subject, numbers: Iterable[int]) -> None:
        """Raise NotFound for a frame that is not there."""
        most = self.frames_of(subject)
        for number in numbers:
            if number > most:
                raise NotFound(f"frame {number} does not exist: {subject.place} has {most}")

    def media_types(self, subject: Subject) -> tuple[str, ...]:
        """Return what an instance can be rendered as, the default first; nothing where it cannot be."""
        if subject.instance.pixels is None:
            return document_media_types(subject.instance.identity.sop_class_uid)
        stills = self.frame_media_types(subject)
        if subject.category is Category.VIDEO:
            return (transfer_syntax(subject.instance.transfer_syntax_uid).media_type, *stills)
        if subject.category is Category.FRAMES and stills:
            moving = animation_types() if _can_move(subject.pixels) else ()
            return (*moving[:1], JPEG, PNG, *moving[1:])
        return stills

    def frame_media_types(self, subject: Subject) -> tuple[str, ...]:
        """Return what a single frame of an instance can be rendered as; raise NotFound where it has none."""
        if subject.category is Category.VIDEO:
            return PICTURES if can_decode_video() else ()
        native = not subject.pixels.encapsulated
        return PICTURES if native or can_decode(subject.instance.transfer_syntax_uid) else ()

    def thumbnail_media_types(self, subject: Subject) -> tuple[str, ...]:
        """Return what a thumbnail of an instance can be; raise NotFound where there is nothing to see."""
        found = tuple(name for name in THUMBNAILS if name in self.media_types(subject))
        if not found and subject.instance.pixels is None:
            raise NotFound(f"{subject.place} has no image, and so no thumbnail")
        return found

    def rendered(self, subject: Subject, rendering: Rendering, base: str) -> Rendered:
        """Make the one thing that shows an instance, in the media type of the rendering.

        `base` is the address of the DICOMweb root, for links in documents.
        """
        if subject.instance.pixels is None:
            return self.document(subject, rendering, base)
        if subject.category is Category.FRAMES and rendering.media_type in MOVING:
            return self.moving(subject, rendering)
        return self.picture(subject, self.frame_of(subject), rendering)

    def each(self, works: Iterable[Callable[[], T]]) -> Iterator[T]:
        """Give what each piece of work gives, in order; the next are done while one is used.

        Whoever leaves early closes the iterator, and what was not begun is not done.
        """
        ahead: deque[Future[T]] = deque()
        try:
            for work in works:
                ahead.append(self.executor.submit(work))
                if len(ahead) > self.sandbox.processes:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def video(self, subject: Subject) -> Video | None:
        """Find the stored stream of a video; None where it is not one row of bytes."""
        found = Found(subject.instance, subject.pixels, (1,), subject.block)
        span = self.frames.span(found)
        if span is None:
            return None
        told = self.source.video_length(subject.instance)
        padded = told is not None and span.length - 1 <= told <= span.length
        return Video(span, told if padded and told is not None else span.length)

    def video_pieces(self, subject: Subject) -> Iterable[bytes]:
        """Give the stored stream of a video whose fragments have to be joined."""
        found = Found(subject.instance, subject.pixels, (1,), subject.block)
        (frame,) = self.frames.stored(found)
        return frame.chunks

    def picture(self, subject: Subject, frame: int, rendering: Rendering) -> Rendered:
        """Make a picture of a frame that is there; raise NotDecodable where it cannot be made."""
        key = (subject.instance.sha256, frame, rendering)
        return self.kept.get(key, partial(self._picture, subject, frame, rendering))

    def moving(self, subject: Subject, rendering: Rendering) -> Rendered:
        """Make one moving picture of all frames."""
        key = (subject.instance.sha256, 0, rendering)
        return self.kept.get(key, partial(self._moving, subject, rendering))

    def document(self, subject: Subject, rendering: Rendering, base: str) -> Rendered:
        """Make a document of an instance without pixels."""
        key = (subject.instance.sha256, rendering, base)
        return self.kept.get(key, partial(self._document, subject, rendering, base))

    def _document(self, subject: Subject, rendering: Rendering, base: str) -> Rendered:
        options = {
            "syntax": subject.instance.transfer_syntax_uid,
            "accept": [rendering.media_type],
            "base": base,
            "annotations": rendering.annotations,
            "fit": _fit(rendering),
        }
        return self._made("document", options, self.source.data_set(subject.instance))

    def _picture(self, subject: Subject, frame: int, rendering: Rendering) -> Rendered:
        # A video is one stream, kept as its first frame, whatever frame of it is shown.
        stored_as = 1 if subject.category is Category.VIDEO else frame
        found = Found(subject.instance, subject.pixels, (stored_as,), subject.block)
        head, stored = self.source.head_and_frame(found)
        return self._made("render", _options(subject, rendering) | {"frame": frame}, head, stored)

    def _moving(self, subject: Subject, rendering: Rendering) -> Rendered:
        pixels = subject.pixels
        found = Found(subject.instance, pixels, range(1, pixels.frames + 1), subject.block)
        head = self.source.head(subject.instance)
        frames = [b"".join(frame.chunks) for frame in self.frames.stored(found)]
        options = _options(subject, rendering) | {"frames": list(found.numbers)}
        return self._made("animate", options, head, *frames)

    def _made(self, task: str, options: dict[str, Any], *blobs: bytes) -> Rendered:
        answer, (data,) = self.sandbox.run(task, options, *blobs)
        return Rendered(str(answer["media_type"]), data)


def _fit(rendering: Rendering) -> tuple[int, int] | None:
    if rendering.viewport is not None:
        return rendering.viewport.width, rendering.viewport.height
    side = rendering.longest_side
    return None if side is None else (side, side)


def _can_move(pixels: Pixels) -> bool:
    return can_move(pixels) and pixels.length <= _MOST_MOVING


def _options(subject: Subject, rendering: Rendering) -> dict[str, Any]:
    return {
        "syntax": subject.instance.transfer_syntax_uid,
        "pixels": asdict(subject.pixels),
        "rendering": asdict(rendering),
    }
