"""Instances for the tests of archive/rendering: a file to its head, the bytes of its frames, a picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource, StreamSource
from archive.imaging import encapsulated, native
from archive.imaging.decode import decode_frame
from archive.imaging.syntaxes import native_photometric
from archive.model.instance import Pixels
from archive.model.rendering import Rendering
from archive.rendering.frame import Native, render_frame
from archive.rendering.header import read_head
from archive.rendering.output import Picture


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as the archive has it; `data` is inflated where the file is Deflated."""

    data: bytes
    syntax: str
    head: bytes
    ds: Dataset
    pixels: Pixels
    blocks: tuple[object, ...]

    @property
    def photometric(self) -> str:
        """The photometric interpretation once frames are decoded."""
        return native_photometric(self.pixels, self.syntax)

    @property
    def encoded(self) -> bool:
        return self.pixels.encapsulated

    def stored_frame(self, frame: int = 1) -> bytes:
        """Return a frame as it is stored."""
        if not self.encoded:
            offset, length = native.frame_range(self.pixels, frame)
            return native.frame_value(self.pixels, frame, self.data[offset : offset + length])
        offset, length = encapsulated.frame_range(self.blocks, frame)  # type: ignore[arg-type]
        return encapsulated.frame_value(self.data[offset : offset + length], frame)

    def native_frame(self, frame: int = 1) -> bytes:
        """Return a frame decoded."""
        stored = self.stored_frame(frame)
        return decode_frame(stored, self.syntax, self.pixels, frame) if self.encoded else stored

    def native(self, frame: int = 1) -> Native:
        """Return a frame as it is drawn from."""
        return Native(self.ds, frame, self.native_frame(frame), self.pixels, self.photometric)


def load(file: Path | bytes) -> Instance | None:
    """Read an instance; None where it has no pixels."""
    data = file if isinstance(file, bytes) else file.read_bytes()
    found = read_instance(BytesSource(data), bulk_threshold=1024, max_inflated=2**28)
    reading = found.reading
    if found.inflated is not None:
        source = StreamSource(found.inflated)
        data = source.read_at(0, source.size)
        found.inflated.close()
    if reading.pixels is None:
        return None
    head = data[reading.dataset_offset : reading.pixels.offset]
    ds = read_head(head, reading.transfer_syntax_uid)
    return Instance(data, reading.transfer_syntax_uid, head, ds, reading.pixels, reading.frame_blocks)


PNG = Rendering(media_type="image/png")


def render(instance: Instance, frame: int = 1, rendering: Rendering = PNG) -> Picture:
    """Render a frame of an instance."""
    return render_frame(instance.native(frame), rendering)


def levels(picture: Picture) -> NDArray[np.uint8]:
    """Return the pixels of a picture."""
    return np.asarray(Image.open(io.BytesIO(picture.data)))
