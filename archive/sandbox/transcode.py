"""The tasks that decode a frame, or compress it to another transfer syntax."""

from __future__ import annotations

from typing import Any

from archive.imaging.decode import decode_frame
from archive.imaging.transcode import transcode_frame
from archive.model.instance import Pixels
from archive.sandbox.messages import Answer


def decode(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Decode a stored frame: {syntax, pixels, frame}, [stored] -> {}, [native]."""
    pixels = Pixels(**options["pixels"])
    return {}, [decode_frame(blobs[0], options["syntax"], pixels, options["frame"])]


def transcode(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Compress a stored frame to another syntax: {syntax, target, pixels, frame}, [stored] -> {}, [encoded].

    A native frame is given little endian, beginning on a byte.
    """
    pixels = Pixels(**options["pixels"])
    value = transcode_frame(blobs[0], options["syntax"], options["target"], pixels, options["frame"])
    return {}, [value]
