"""The samples of a waveform instance as physical values (PS3.3 C.10.9).

Owns multiplex groups, sample interpretations, sensitivity, baseline and padding. Samples are kept as stored
and converted piece by piece, so that a day of recording costs no more memory than its bytes. How they are
drawn is left to archive/rendering/waveform_picture.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from archive.errors import NotDecodable
from archive.rendering.codes import code_words, unit_words
from archive.rendering.values import data, first_item, integer, items, number, text
from archive.rendering.wording import joined, number_words

Floats = NDArray[np.float64]
MOST_CHANNELS = 128
_SLOWEST, _FASTEST = 1e-6, 1e9  # samples a second
_SMALLEST, _LARGEST = 1e-15, 1e15  # of what a step may mean: a number beyond is a mistake

_INTEGERS = {
    "SB": "i1",
    "UB": "u1",
    "SS": "<i2",
    "US": "<u2",
    "SL": "<i4",
    "UL": "<u4",
    "SV": "<i8",
    "UV": "<u8",
}
_BY_BITS = {8: "i1", 16: "<i2", 32: "<i4", 64: "<i8"}  # where the interpretation is missing
_LEAD = re.compile(r"lead\s+(?P<name>[^\s,(]*[^\s\d,(][^\s,(]*)", re.IGNORECASE)
_MILLIVOLTS = {"nV": 1e-6, "uV": 1e-3, "mV": 1.0, "V": 1e3}


def _expanded(law: str) -> Floats:
    """Return the 256 values of μ-law (MB) or A-law (AB) samples, as 16 bit numbers (ITU-T G.711)."""
    coded = np.arange(256) ^ (0xFF if law == "MB" else 0x55)
    exponent, mantissa = coded >> 4 & 7, coded & 15
    if law == "MB":
        sizes = ((mantissa << 3) + 0x84 << exponent) - 0x84
        return np.where(coded & 0x80, -sizes, sizes).astype(np.float64)
    sizes = np.where(exponent, (mantissa << 4) + 0x108 << np.maximum(exponent - 1, 0), (mantissa << 4) + 8)
    return np.where(coded & 0x80, sizes, -sizes).astype(np.float64)


_COMPANDED = {"MB": _expanded("MB"), "AB": _expanded("AB")}


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """One channel: `scale` and `offset` turn its samples into `unit`.

    Without `calibrated` nobody knows what a sample means, and values are as stored. `unit` is a UCUM code,
    `unit_name` the same for people, `filters` a line about them.
    """

    name: str
    unit: str
    unit_name: str
    calibrated: bool
    scale: float
    offset: float
    filters: str
    samples: NDArray[Any]
    padding: int | None
    expansion: Floats | None

    def values(self, start: int = 0, stop: int | None = None) -> Floats:
        """Return a run of physical values; NaN where there is padding."""
        stored = self.samples[start:stop]
        expanded = stored.astype(np.float64) if self.expansion is None else self.expansion[stored]
        values = expanded * self.scale + self.offset
        if self.padding is not None:
            values[stored == self.padding] = np.nan
        return values

    @property
    def to_millivolts(self) -> float | None:
        """What makes millivolts of the values, None where they are no known voltage."""
        return _MILLIVOLTS.get(self.unit) if self.calibrated else None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Channels that were sampled together: `rate` in samples a second, `length` in samples."""

    label: str
    rate: float
    length: int
    start: float
    interpretation: str
    channels: tuple[Channel, ...]
    notes: tuple[str, ...]

    @property
    def duration(self) -> float:
        """How long it lasts, in seconds."""
        return self.length / self.rate


def waveform_groups(ds: Dataset) -> list[Group]:
    """Return the multiplex groups that have samples; raise NotDecodable where none has."""
    groups: list[Group] = []
    problems: list[str] = []
    for item in items(ds, "WaveformSequence"):
        try:
            groups.append(_group(item))
        except NotDecodable as error:  # one bad group spoils none of the others
            problems.append(str(error))
    if not groups:
        raise NotDecodable(next(iter(problems), "WaveformSequence (5400,0100) is missing or empty"))
    return groups


def _group(item: Dataset) -> Group:
    channels, stated = (
        integer(item, "NumberOfWaveformChannels") or 0,
        integer(item, "NumberOfWaveformSamples"),
    )
    rate = number(item, "SamplingFrequency") or 0.0
    if channels < 1:
        raise NotDecodable("NumberOfWaveformChannels (003A,0005) is missing or not a number of channels")
    if not _SLOWEST <= rate <= _FASTEST:
        raise NotDecodable("SamplingFrequency (003A,001A) is missing or not a frequency")
    kind, bits = (
        text(item, "WaveformSampleInterpretation").upper(),
        integer(item, "WaveformBitsAllocated") or 0,
    )
    if kind not in _INTEGERS and kind not in _COMPANDED and bits not in _BY_BITS:
        raise NotDecodable("WaveformSampleInterpretation (5400,1006) is none that the standard knows")
    dtype = np.dtype("u1" if kind in _COMPANDED else _INTEGERS.get(kind) or _BY_BITS[bits])
    stored = data(item, "WaveformData")
    length = len(stored) // (dtype.itemsize * channels)
    notes = []
    if stated is not None and 0 < stated < length:
        length = stated  # what follows is the byte that makes the value even
    elif stated is not None and stated > length:
        notes.append(f"{length:,} of {stated:,} samples are there")
    if length < 1:
        raise NotDecodable("WaveformData (5400,1010) is missing or has not one sample a channel")
    if channels > MOST_CHANNELS:
        notes.append(f"{MOST_CHANNELS} of {channels} channels are shown")
    samples = np.frombuffer(stored, dtype, length * channels).reshape(length, channels)
    padding = data(item, "WaveformPaddingValue")[: dtype.itemsize]
    pad = int(np.frombuffer(padding, dtype)[0]) if len(padding) == dtype.itemsize else None
    definitions = [*items(item, "ChannelDefinitionSequence"), *([Dataset()] * channels)]
    return Group(
        label=text(item, "MultiplexGroupLabel"),
        rate=rate,
        length=length,
        start=(number(item, "MultiplexGroupTimeOffset") or 0.0) / 1000,  # milliseconds
        interpretation=kind,
        channels=tuple(
            _channel(definitions[at], at, samples[:, at], pad, _COMPANDED.get(kind))
            for at in range(min(channels, MOST_CHANNELS))
        ),
        notes=tuple(notes),
    )


def _channel(
    item: Dataset, at: int, samples: NDArray[Any], padding: int | None, expansion: Floats | None
) -> Channel:
    scale, offset = _calibration(item)
    return Channel(
        name=_name(item) or f"Channel {at + 1}",
        unit=text(first_item(item, "ChannelSensitivityUnitsSequence"), "CodeValue"),
        unit_name=unit_words(item, "ChannelSensitivityUnitsSequence"),
        calibrated=scale is not None,
        scale=1.0 if scale is None else scale,
        offset=0.0 if scale is None else offset,
        filters=_filters(item),
        samples=samples,
        padding=padding,
        expansion=expansion,
    )


def _calibration(item: Dataset) -> tuple[float | None, float]:
    """Return what a step and no step mean; the first is None where nobody can know."""
    sensitivity = number(item, "ChannelSensitivity")
    correction = number(item, "ChannelSensitivityCorrectionFactor")
    baseline = number(item, "ChannelBaseline") or 0.0
    scale = (sensitivity or 0.0) * (1.0 if correction is None else correction)
    known = _SMALLEST <= abs(scale) <= _LARGEST and abs(baseline) <= _LARGEST
    return (scale, baseline) if known else (None, 0.0)


def _name(item: Dataset) -> str:
    """Return what a channel is called: its label, else its source; "I" rather than "Lead I (Einthoven)"."""
    label = text(item, "ChannelLabel")
    if label:
        return label
    source = code_words(first_item(item, "ChannelSourceSequence"))
    lead = _LEAD.match(source)
    return lead["name"] if lead else source.split(",")[0]


def _filters(item: Dataset) -> str:
    low, high = number(item, "FilterLowFrequency"), number(item, "FilterHighFrequency")
    notch = number(item, "NotchFilterFrequency")
    band = " to ".join(number_words(each) for each in (low, high) if each)
    return joined((f"{band} Hz" if band else "", f"notch {number_words(notch)} Hz" if notch else ""), ", ")
