"""The bytes that a picture is made of: the head of an instance and a stored frame, by as few reads as may be.

Heads hold look-up tables, overlays and functional groups, and may be longer than a frame; those of
multi-frame images are kept for the next frame.
"""

from __future__ import annotations

from archive.errors import NotDecodable
from archive.imaging import encapsulated, native
from archive.imaging.runs import Range
from archive.imaging.syntaxes import MAX_FRAME_LENGTH
from archive.model.instance import Pixels, StoredInstance
from archive.services.frames import Found, FramesService
from archive.services.kept import Kept
from storage.contract import ObjectStore
from storage.errors import ObjectDamaged

MAX_HEAD = 2**26
"""Bytes of the longest head that is read to make a picture, and of the longest data set without pixels."""
_TOGETHER = 2**22
_KEPT = 2**24
_TOTAL_LENGTH = b"\xe0\x7f\x03\x00UV\x00\x00\x08\x00\x00\x00"
_PIXEL_HEADER = 12  # bytes of the element that encapsulated pixels are the value of


class RenderedSource:
    """Reads heads and frames."""

    def __init__(self, objects: ObjectStore, frames: FramesService, most: int) -> None:
        """Keep at most `most` bytes of heads."""
        self.objects = objects
        self.frames = frames
        self._heads: Kept[bytes] = Kept(min(most, _KEPT), len)

    def head_and_frame(self, found: Found) -> tuple[bytes, bytes]:
        """Return the head and the first frame of `found` as stored, native frames little endian."""
        instance, number = found.instance, found.numbers[0]
        head, frame = _head_range(instance), self.frames.range_of(found)
        if frame[1] > MAX_FRAME_LENGTH:
            raise NotDecodable(f"frame {number} is too long to be rendered; it can be retrieved as stored")
        stop = frame[0] + frame[1]
        if found.pixels.frames > 1 or stop - head[0] > _TOGETHER:
            return self.head(instance), self._frame(found, frame, self._read(instance, frame))
        data = self._read(instance, (head[0], stop - head[0]))
        return data[: head[1]], self._frame(found, frame, data[frame[0] - head[0] :])

    def head(self, instance: StoredInstance) -> bytes:
        """Return the data set from its first element up to its pixels."""
        return self._heads.get(instance.object_key, lambda: self._read(instance, _head_range(instance)))

    def data_set(self, instance: StoredInstance) -> bytes:
        """Return the whole data set of an instance without pixels."""
        key, start = _key(instance), instance.dataset_offset
        size = instance.size if instance.inflated_key is None else self.objects.size(key)
        return self._read(instance, _bounded(start, size - start))

    def video_length(self, instance: StoredInstance) -> int | None:
        """Return Encapsulated Pixel Data Value Total Length (7FE0,0003), None where it is not there.

        It stands right before the pixels, and says which byte at the end of the stream is padding.
        """
        pixels = _pixels(instance)
        size = len(_TOTAL_LENGTH) + 8
        at = pixels.offset - _PIXEL_HEADER - size
        if at < instance.dataset_offset:
            return None
        data = self._read(instance, (at, size))
        return int.from_bytes(data[-8:], "little") if data.startswith(_TOTAL_LENGTH) else None

    def _frame(self, found: Found, range_: Range, part: bytes) -> bytes:
        number = found.numbers[0]
        if len(part) != range_[1]:
            raise ObjectDamaged(f"{_key(found.instance)} ends before frame {number}")
        if found.pixels.encapsulated:
            return encapsulated.frame_value(part, number)
        return native.frame_value(found.pixels, number, part)

    def _read(self, instance: StoredInstance, range_: Range) -> bytes:
        return self.objects.read(_key(instance), *range_)


def _key(instance: StoredInstance) -> str:
    return instance.inflated_key or instance.object_key


def _head_range(instance: StoredInstance) -> Range:
    """Return where the head stands: up to the value of the pixels, whose element readers stop at."""
    start = instance.dataset_offset
    return _bounded(start, _pixels(instance).offset - start)


def _bounded(start: int, length: int) -> Range:
    if length > MAX_HEAD:
        raise NotDecodable(
            f"the data set has {length} bytes beside the pixels; at most {MAX_HEAD} are read to render it"
        )
    return start, length


def _pixels(instance: StoredInstance) -> Pixels:
    if instance.pixels is None:
        raise NotDecodable("the instance has no pixels")
    return instance.pixels
