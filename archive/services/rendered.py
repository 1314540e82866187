"""Instances rendered for people: pictures, moving ones and documents, made in the sandbox and kept a while.

The index is asked first, with who is asking; only then what is kept. A result is kept under the SHA-256 of
the object, the frame and the rendering, so that what it shows is always what the object holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any

from archive.dicomweb.rendered_types import (
    MOVING,
    PICTURES,
    Category,
    category_of,
    representative,
)
from archive.dicomweb.uris import MAX_FRAMES
from archive.errors import Conflict, NotDecodable, NotFound
from archive.index.engine import Database
from archive.index.frames import instance_with_block
from archive.index.rendered import instances_in_study, number_of_frames, representative_instance
from archive.index.retrieve import CHUNK
from archive.model.instance import FrameBlock, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal
from archive.model.rendering import Rendering
from archive.sandbox.pool import Sandbox
from archive.services.frames import Found, FramesService, Span
from archive.services.kept import Kept
from archive.services.metadata import MetadataService
from archive.services.presentation_references import Reference, references
from archive.services.rendered_source import RenderedSource
from archive.services.rendered_subject import Subject, Target
from storage.contract import ObjectStore

_OVERHEAD = 512  # bytes that keeping a result takes beside its own
LATEST_OF_VIDEO = 100  # every frame before one has to be decoded as well


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
        metadata: MetadataService,
        sandbox: Sandbox,
        most: int,
    ) -> None:
        """Keep at most `most` bytes of results."""
        self.database = database
        self.frames = frames
        self.metadata = metadata
        self.sandbox = sandbox
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

    def targets(self, principal: Principal, state: Subject) -> Iterator[Target]:
        """Give the frames that a presentation state is about, those that are here.

        Of an image whose frames it does not name it is the one that stands for it. Raise Conflict where none
        of them is here, NotDecodable where it names more than MAX_FRAMES.
        """
        (attributes,) = self.metadata.as_datasets(principal, state.place, "")
        about = list(islice(references(attributes), MAX_FRAMES + 1))
        if sum(len(each.frames) or 1 for each in about) > MAX_FRAMES:
            raise NotDecodable(
                f"{state.place} is about more than {MAX_FRAMES} frames: ask for those of interest"
            )
        found = 0
        for start in range(0, len(about), CHUNK):
            for target in self._targets(principal, state, about[start : start + CHUNK]):
                found += 1
                yield target
        if not found:
            raise Conflict(f"none of the images that {state.place} is about is in this archive")

    def _targets(self, principal: Principal, state: Subject, about: Sequence[Reference]) -> Iterator[Target]:
        uids = {each.sop_uid for each in about}
        stored = instances_in_study(self.database, principal, state.place.study_uid, uids)
        subjects = {uid: self.subject(each) for uid, each in stored.items() if each.pixels is not None}
        counts = {uid: self.frames_of(subject) for uid, subject in subjects.items()}
        for each in about:
            subject, count = subjects.get(each.sop_uid), counts.get(each.sop_uid, 0)
            if subject is not None:
                frames = each.frames or (_standing(subject, count),)
                yield from (Target(subject, frame) for frame in frames if frame <= count)

    def is_about(self, principal: Principal, state: Subject, subject: Subject) -> bool:
        """Tell whether a presentation state refers to an instance."""
        (attributes,) = self.metadata.as_datasets(principal, state.place, "")
        return any(each.sop_uid == subject.place.sop_uid for each in references(attributes))

    def frames_of(self, subject: Subject) -> int:
        """Return how many frames an instance has; raise NotFound where it has no pixels."""
        if subject.category is Category.VIDEO:
            return number_of_frames(self.database, subject.instance)
        return subject.pixels.frames

    def frame_of(self, subject: Subject) -> int:
        """Return the frame that stands for an instance: the middle one, but none far into a video."""
        return _standing(subject, self.frames_of(subject))

    def check_frames(self, subject: Subject, numbers: Iterable[int]) -> None:
        """Raise NotFound for a frame that is not there."""
        most = self.frames_of(subject)
        for number in numbers:
            if number > most:
                raise NotFound(f"frame {number} does not exist: {subject.place} has {most}")

    def rendered(self, principal: Principal, subject: Subject, rendering: Rendering, base: str) -> Rendered:
        """Make the one thing that shows an instance, in the media type of the rendering.

        `base` is the address of the DICOMweb root, for links in documents.
        """
        if subject.category is Category.STATE and rendering.media_type in PICTURES:
            target = next(self.targets(principal, subject))
            return self.picture(target.subject, target.frame, rendering, subject)
        if subject.instance.pixels is None:
            return self.document(subject, rendering, base)
        if subject.category is Category.FRAMES and rendering.media_type in MOVING:
            return self.moving(subject, rendering)
        return self.picture(subject, self.frame_of(subject), rendering)

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

    def picture(
        self, subject: Subject, frame: int, rendering: Rendering, state: Subject | None = None
    ) -> Rendered:
        """Make a picture of a frame that is there, as a presentation state has it where one is given.

        Raise NotDecodable where it cannot be made.
        """
        key = (subject.instance.sha256, frame, rendering, state and state.instance.sha256)
        return self.kept.get(key, partial(self._picture, subject, frame, rendering, state))

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
            "media_type": rendering.media_type,
            "base": base,
            "annotations": rendering.annotations,
            "fit": _fit(rendering),
        }
        with self.sandbox.turn(subject.instance.size):
            return self._made("document", options, self.source.data_set(subject.instance))

    def _picture(self, subject: Subject, frame: int, rendering: Rendering, state: Subject | None) -> Rendered:
        pixels = subject.pixels
        # A video is one stream, kept as its first frame, whatever frame of it is shown.
        task, stored_as = ("render_video", 1) if subject.category is Category.VIDEO else ("render", frame)
        found = Found(subject.instance, pixels, (stored_as,), subject.block)
        options = _options(subject, rendering) | {"frame": frame}
        with self.sandbox.turn(pixels.offset + pixels.length // pixels.frames):  # and what is before it
            blobs = self.source.head_and_frame(found)
            if state is None:
                return self._made(task, options, *blobs)
            options["presentation"] = state.instance.transfer_syntax_uid
            return self._made(task, options, *blobs, self.source.data_set(state.instance))

    def _moving(self, subject: Subject, rendering: Rendering) -> Rendered:
        pixels = subject.pixels
        found = Found(subject.instance, pixels, range(1, pixels.frames + 1), subject.block)
        options = _options(subject, rendering) | {"frames": list(found.numbers)}
        with self.sandbox.turn(pixels.offset + pixels.length):
            head = self.source.head(subject.instance)
            frames = [b"".join(frame.chunks) for frame in self.frames.stored(found)]
            return self._made("animate", options, head, *frames)

    def _made(self, task: str, options: dict[str, Any], *blobs: bytes) -> Rendered:
        answer, (data,) = self.sandbox.run(task, options, *blobs)
        return Rendered(str(answer["media_type"]), data)


def _standing(subject: Subject, frames: int) -> int:
    middle = representative(frames)
    return min(middle, LATEST_OF_VIDEO) if subject.category is Category.VIDEO else middle


def _fit(rendering: Rendering) -> tuple[int, int] | None:
    if rendering.viewport is not None:
        return rendering.viewport.width, rendering.viewport.height
    side = rendering.longest_side
    return None if side is None else (side, side)


def _options(subject: Subject, rendering: Rendering) -> dict[str, Any]:
    return {
        "syntax": subject.instance.transfer_syntax_uid,
        "pixels": asdict(subject.pixels),
        "rendering": asdict(rendering),
    }
