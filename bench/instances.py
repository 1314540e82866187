"""Synthetic instances of any size, made as they are sent."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests import builders

_BLOCK = bytes(range(256)) * 4096


def big_instance(frames: int, rows: int, columns: int, *, number: int = 1) -> tuple[int, Iterator[bytes]]:
    """Return length and pieces of a native 16-bit multi-frame instance, deterministic."""
    ds = builders.dataset(
        SOPInstanceUID=builders.uid("bench", "big", number),
        StudyInstanceUID=builders.uid("bench", "big study", number),
        SeriesInstanceUID=builders.uid("bench", "big series", number),
        NumberOfFrames=frames,
        Rows=rows,
        Columns=columns,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelData=None,
    )
    head = builders.part10(ds)
    length = frames * rows * columns * 2
    head += struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, length)

    def pieces() -> Iterator[bytes]:
        yield head
        left = length
        while left:
            yield _BLOCK[: min(left, len(_BLOCK))]
            left -= min(left, len(_BLOCK))

    return len(head) + length, pieces()


def small_instance(number: int, series: str) -> bytes:
    """Return one small instance of a series."""
    return builders.part10(
        builders.dataset(
            SOPInstanceUID=builders.uid("bench", series, number),
            StudyInstanceUID=builders.uid("bench study", series),
            SeriesInstanceUID=builders.uid("bench series", series),
            InstanceNumber=number,
        )
    )


def multipart(instances: Iterator[bytes] | list[bytes], boundary: str = "bench") -> Iterator[bytes]:
    """Return a STOW body, one piece a part."""
    for instance in instances:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + instance + b"\r\n"
    yield f"--{boundary}--\r\n".encode()


STOW = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=bench'}
