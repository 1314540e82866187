"""Stored instances in another transfer syntax: streamed, frames made one at a time (PS3.18 8.7.3)."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

from archive.dicom.convert import to_encapsulated, to_explicit_little_endian
from archive.dicom.derivation import Derivation, derived_uid
from archive.dicom.pixel_value import DecodedFrames, EncodedFrames
from archive.dicomweb.media_types import EXPLICIT_LITTLE, Kind, transfer_syntax
from archive.imaging import native
from archive.imaging.encode import ENCODERS, LOSSY, QUALITY, encoded_attributes
from archive.imaging.syntaxes import decoded_attributes, decoded_bits
from archive.model.instance import Identity, Pixels, StoredInstance
from archive.services.begun import begun
from archive.services.frames import Found, FramesService
from archive.services.object_source import ObjectSource
from storage.contract import ObjectStore

_HELD = 2**24  # bytes of lossy frames that wait in memory for the header before them; more wait on disk
_METHOD = "ISO_10918_1"  # JPEG (PS3.3 C.7.6.1.1.5.1)


class Conversion:
    """Reads the stored object again as another one; nothing is kept."""

    def __init__(self, objects: ObjectStore, frames: FramesService) -> None:
        self.objects = objects
        self.frames = frames

    def converted(self, instance: StoredInstance, target: str) -> Iterator[bytes]:
        """Give the chunks of the instance as a file in Explicit VR Little Endian, or one of ENCODERS.

        The first frame and the first chunk are made at once, of lossy ones all: what cannot be made raises
        NotDecodable here.
        """
        if target == EXPLICIT_LITTLE:
            return begun(self._native(instance))
        if instance.pixels is None:
            return begun(to_encapsulated(*self._source(instance), target, None))
        found = _whole(instance, instance.pixels)
        return begun(self._lossy(found, target) if target in LOSSY else self._lossless(found, target))

    def _lossless(self, found: Found, target: str) -> Iterator[bytes]:
        frames = begun(self._frames(found, target))
        encoded = EncodedFrames(found.pixels, frames, _attributes(found, target))
        return to_encapsulated(*self._source(found.instance), target, encoded)

    def _native(self, instance: StoredInstance) -> Iterator[bytes]:
        pixels, syntax = instance.pixels, instance.transfer_syntax_uid
        decoded = None
        if pixels is not None and pixels.encapsulated:
            frames = begun(b"".join(frame.chunks) for frame in self.frames.decoded(_whole(instance, pixels)))
            bits, attributes = decoded_bits(pixels, syntax), decoded_attributes(pixels, syntax)
            decoded = DecodedFrames(pixels, frames, bits, attributes)
        return to_explicit_little_endian(*self._source(instance), decoded)

    def _lossy(self, found: Found, target: str) -> Iterator[bytes]:
        """Compress all frames first: their ratio stands in the header, before them (PS3.3 C.7.6.1.1.5.2)."""
        with SpooledTemporaryFile(_HELD, prefix="filmroom-") as held:
            lengths = []
            for frame in self._frames(found, target):
                held.write(frame)
                lengths.append(len(frame))
            held.seek(0)
            encoded = EncodedFrames(
                found.pixels,
                (held.read(length) for length in lengths),
                _attributes(found, target),
                _derivation(found, target, sum(lengths)),
            )
            yield from to_encapsulated(*self._source(found.instance), target, encoded)

    def _frames(self, found: Found, target: str) -> Iterator[bytes]:
        for frame in self.frames.transcoded(found, target):
            yield b"".join(frame.chunks)

    def _source(self, instance: StoredInstance) -> tuple[ObjectSource, int, str, Identity]:
        key = instance.inflated_key or instance.object_key
        size = self.objects.size(key) if instance.inflated_key else instance.size
        source = ObjectSource(self.objects, key, size)
        return source, instance.dataset_offset, instance.transfer_syntax_uid, instance.identity


def _whole(instance: StoredInstance, pixels: Pixels) -> Found:
    """Return all frames of an instance; raise NotDecodable where a native value ends before the last one."""
    if not pixels.encapsulated:
        native.frame_range(pixels, pixels.frames)
    return Found(instance, pixels, range(1, pixels.frames + 1), None)


def _attributes(found: Found, target: str) -> dict[str, str | int]:
    return dict(encoded_attributes(found.pixels, found.instance.transfer_syntax_uid, target))


def _derivation(found: Found, target: str, length: int) -> Derivation:
    instance, pixels = found.instance, found.pixels
    syntax = instance.transfer_syntax_uid
    bits = decoded_bits(pixels, syntax) if pixels.encapsulated else native.bits_per_frame(pixels)
    ratio = pixels.frames * bits / 8 / length
    return Derivation(
        source=instance.identity,
        sop_uid=derived_uid(instance.identity.sop_uid, instance.sha256, target, QUALITY),
        method=_METHOD,
        ratio=ratio,
        description=f"Lossy compression: {ENCODERS[target].name}, quality {QUALITY}, ratio {ratio:.4g} to 1",
        was_lossy=transfer_syntax(syntax).kind is Kind.LOSSY,
    )
