"""What can be made of video and of moving pictures here, asked without loading PyAV.

PyAV takes 20 MB of every process that imports it, and a worker only wants to know what to offer. Leaves
making and reading streams to video.py.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib.util import find_spec

from archive.dicomweb.rendered_types import GIF, MP4

ENCODER = "libx264"
_QUESTION = f"from av.codec import Codec; import sys; sys.exit(not Codec({ENCODER!r}, 'w').is_encoder)"


def can_decode_video() -> bool:
    """Tell whether streams have pictures here."""
    return find_spec("av") is not None


def can_encode_video() -> bool:
    """Tell whether MP4 can be made here."""
    return can_decode_video() and _has_encoder()


def animation_types() -> tuple[str, ...]:
    """Return the media types that moving pictures can be made in here."""
    return (GIF, MP4) if can_encode_video() else (GIF,)


@cache
def _has_encoder() -> bool:
    """Ask a process of its own, once; a PyAV that was built without x264 does not know the codec."""
    asked = subprocess.run(  # noqa: S603 our own command
        [sys.executable, "-P", "-c", _QUESTION], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return asked.returncode == 0
