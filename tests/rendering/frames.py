"""Instances for the tests of archive/rendering: a file to its head, the bytes of its frames, a picture."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from archive.dicom.read import read_instance
from archive.dicom.source import BytesSource, StreamSource
from archive.imaging import encapsulated, native
from archive.imaging.decode import decode_frame
from archive.imaging.syntaxes import native_photometric
from archive.model.instance import Pixels
from archive.model.rendering import Rendering
from archive.rendering.frame import Native, render_frame
from archive.rendering.header import Head, read_head
from archive.rendering.output import Picture


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as the archive has it; `data` is inflated where the file is Deflated.

    `ds` is pydicom's reading of the head, for tests to change; `read` is what it was at first.
    """

    data: bytes
    syntax: str
    head: bytes
    ds: Dataset
    read: Dataset
    pixels: Pixels
    blocks: tuple[object, ...]

    @property
    def shown(self) -> Head:
        """The head as it is rendered: as it stands in the file, where no test has changed it."""
        with warnings.catch_warnings(action="ignore"):
            same = self.ds == self.read
        return read_head(self.head, self.syntax) if same else head(self.ds)

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
        return Native(self.shown, frame, self.native_frame(frame), self.pixels, self.photometric)


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
    stored = data[reading.dataset_offset : reading.pixels.offset]
    ds, read = (_by_pydicom(stored, reading.transfer_syntax_uid) for _ in range(2))
    return Instance(data, reading.transfer_syntax_uid, stored, ds, read, reading.pixels, reading.frame_blocks)


def _by_pydicom(head: bytes, syntax: str) -> Dataset:
    implicit = not head[4:6].isalpha()
    big = syntax == "1.2.840.10008.1.2.2"
    return read_dataset(io.BytesIO(head), implicit, not big, stop_when=lambda tag, *_: tag >= 0x7FE00000)


def head(ds: Dataset) -> Head:
    """Return a data set of pydicom's as rendering reads one: written, and read again.

    Elements that pydicom has not looked into are written as they are, whatever is wrong with them.
    """
    raw = [ds.get_item(tag) for tag in ds.keys()]  # noqa: SIM118  a Dataset gives its elements otherwise
    plain = [one for one in raw if isinstance(one, RawDataElement) and one.VR and one.is_little_endian]
    written = Dataset()
    written._dict.update({one.tag: one for one in raw if one not in plain})
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = False, True
    with warnings.catch_warnings(action="ignore"):
        write_dataset(file, written)
    rest = (element(one.tag, str(one.VR), one.value or b"") for one in plain)
    return read_head(file.getvalue() + b"".join(rest), "1.2.840.10008.1.2.1")


def element(tag: int, vr: str, value: bytes) -> bytes:
    """Return an element as it stands in an Explicit VR file, with an odd length where the value has one."""
    long = vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
    length = struct.pack("<HL", 0, len(value)) if long else struct.pack("<H", len(value))
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode() + length + value


PNG = Rendering(media_type="image/png")


def render(instance: Instance, frame: int = 1, rendering: Rendering = PNG) -> Picture:
    """Render a frame of an instance."""
    return render_frame(instance.native(frame), rendering)


def levels(picture: Picture) -> NDArray[np.uint8]:
    """Return the pixels of a picture."""
    return np.asarray(Image.open(io.BytesIO(picture.data)))
