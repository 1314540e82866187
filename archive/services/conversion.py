"""Stored instances as Explicit VR Little Endian: streamed, frames decoded one at a time (PS3.18 8.7.3)."""

from __future__ import annotations

from collections.abc import Iterator

from archive.dicom.convert import DecodedFrames, to_explicit_little_endian
from archive.imaging.decode import decoded_attributes, decoded_bits
from archive.model.instance import StoredInstance
from archive.services.begun import begun
from archive.services.frames import Found, FramesService
from archive.services.object_source import ObjectSource
from storage.contract import ObjectStore


class Conversion:
    """Reads the stored object again as another one; nothing is kept."""

    def __init__(self, objects: ObjectStore, frames: FramesService) -> None:
        self.objects = objects
        self.frames = frames

    def explicit_little_endian(self, instance: StoredInstance) -> Iterator[bytes]:
        """Give the chunks of the converted file.

        The first frame is decoded at once: an instance that cannot be decoded raises NotDecodable here.
        """
        key = instance.inflated_key or instance.object_key
        size = self.objects.size(key) if instance.inflated_key else instance.size
        return to_explicit_little_endian(
            ObjectSource(self.objects, key, size),
            instance.dataset_offset,
            instance.transfer_syntax_uid,
            instance.identity,
            self._decoded(instance),
        )

    def _decoded(self, instance: StoredInstance) -> DecodedFrames | None:
        pixels = instance.pixels
        if pixels is None or not pixels.encapsulated:
            return None
        found = Found(instance, pixels, range(1, pixels.frames + 1), None)
        frames = begun(b"".join(frame.chunks) for frame in self.frames.decoded(found))
        syntax = instance.transfer_syntax_uid
        return DecodedFrames(pixels, frames, decoded_bits(pixels, syntax), decoded_attributes(pixels, syntax))
