"""Recorded sound (PS3.3 A.34.2, A.34.11) as a WAV file.

Owns the way from samples of any interpretation to linear PCM of 8 or 16 bits, which every player knows.
"""

from __future__ import annotations

import wave
from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset

from archive.errors import NotDecodable
from archive.rendering.waveform import Group, waveform_groups

MOST_BYTES = 256 * 2**20
_FASTEST = 1_000_000  # samples a second


def audio_document(ds: Dataset) -> bytes:
    """Return the first multiplex group as a WAV file; raise NotDecodable where it has no samples."""
    group = waveform_groups(ds)[0]
    if group.rate > _FASTEST:
        raise NotDecodable("SamplingFrequency (003A,001A) is beyond what is sound")
    width = 1 if group.interpretation in {"SB", "UB"} else 2
    if group.length * len(group.channels) * width > MOST_BYTES:
        raise NotDecodable(f"the sound is longer than the {MOST_BYTES // 2**20} MiB that are made")
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(group.channels))
        file.setsampwidth(width)
        file.setframerate(max(1, round(group.rate)))
        file.writeframes(_linear(group, width))
    return out.getvalue()


def _linear(group: Group, width: int) -> bytes:
    """Return interleaved samples: unsigned where they are of 8 bits, signed of 16, as RIFF has them."""
    columns = []
    for channel in group.channels:
        bits = channel.samples.dtype.itemsize * 8
        # What is finer than 16 bits is cut off.
        values = (channel.samples >> max(bits - 16, 0)).astype(np.int64)
        if channel.expansion is not None:
            values = channel.expansion[channel.samples].astype(np.int64)
        elif group.interpretation.startswith("U"):
            values -= 1 << min(bits, 16) - 1
        columns.append(values + 128 if width == 1 else values)
    return np.column_stack(columns).astype("u1" if width == 1 else "<i2").tobytes()
