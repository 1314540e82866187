"""Waveforms to scale: sample interpretations, units, and where on the sheet a sample is (PS3.3 C.10.9)."""

from __future__ import annotations

import re
import wave
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from archive.errors import NotDecodable
from archive.rendering.document import render_document
from archive.rendering.waveform import waveform_groups
from archive.rendering.waveform_picture import SPEED
from archive.rendering.waveform_sheet import LEFT, points_of, ticks, time_ticks
from tests.builders import BIG_ENDIAN
from tests.rendering.documents import BASE, ECG, EEG, HEMODYNAMIC, VOICE, Seen, code, document, stored
from tests.samples import pydicom_file

_DTYPES = {
    f"{sign}{letter}": f"<{kind}{width}"
    for sign, kind in ("Si", "Uu")
    for letter, width in ("B1", "S2", "L4", "V8")
}


def channel(name: str, unit: str = "uV", sensitivity: float | None = 1.0, **values: Any) -> Dataset:
    ds = Dataset()
    ds.ChannelLabel = name
    if sensitivity is not None:
        ds.ChannelSensitivity, ds.ChannelSensitivityUnitsSequence = (
            str(sensitivity),
            [code(unit, unit, "UCUM")],
        )
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def group(
    samples: NDArray[Any], channels: list[Dataset], *, rate: float = 250, kind: str = "SS", **values: Any
) -> Dataset:
    """Return a multiplex group of samples of shape (samples, channels)."""
    ds, coded = Dataset(), samples.astype(_DTYPES.get(kind, "u1"))
    ds.NumberOfWaveformSamples, ds.NumberOfWaveformChannels = coded.shape
    ds.SamplingFrequency, ds.WaveformSampleInterpretation = str(rate), kind
    ds.WaveformBitsAllocated = coded.dtype.itemsize * 8
    ds.ChannelDefinitionSequence = channels
    ds.add_new("WaveformData", "OB" if coded.dtype.itemsize == 1 else "OW", coded.tobytes())
    for keyword, value in values.items():
        if keyword == "WaveformPaddingValue":
            ds.add_new(keyword, "OW", value)
        else:
            setattr(ds, keyword, value)
    return ds


def waveform(*groups: Dataset, kind: str = ECG, **values: Any) -> Dataset:
    return document(kind, WaveformSequence=list(groups), **values)


def beats(seconds: float, rate: float = 250, height: float = 1000) -> NDArray[np.float64]:
    """Return one lead with a beat a second: a narrow peak in the middle of each."""
    t = np.arange(round(seconds * rate)) / rate
    return np.asarray(height * np.exp(-(((t % 1 - 0.5) / 0.02) ** 2)))[:, None]


@pytest.mark.parametrize("kind", sorted(_DTYPES))
def test_every_linear_interpretation_is_read(kind: str) -> None:
    limits = np.iinfo(_DTYPES[kind])
    samples = np.array([[limits.min, 1], [3, limits.max], [5, 7]], _DTYPES[kind])
    read = [each.values() for each in waveform_groups(waveform(group(samples, [], kind=kind)))[0].channels]
    assert np.array_equal(np.column_stack(read), samples.astype(np.float64))


@pytest.mark.parametrize("kind", ["SB", "UB", "SS", "US"])
def test_big_endian_samples_are_read(kind: str) -> None:
    samples = np.array([[-3, 1], [3, 100]]) if kind.startswith("S") else np.array([[250, 1], [3, 100]])
    made = group(samples, [], kind=kind)
    made.WaveformData = samples.astype(_DTYPES[kind].replace("<", ">")).tobytes()
    read = waveform_groups(waveform(made, syntax=BIG_ENDIAN))[0].channels
    assert np.array_equal(np.column_stack([each.values() for each in read]), samples)


def test_companded_samples_are_expanded() -> None:
    coded = np.array([[0x80], [0x00], [0xFF], [0x7F]])
    mu = waveform_groups(waveform(group(coded, [channel("A", sensitivity=None)], kind="MB")))[0]
    assert mu.channels[0].values().tolist() == [32124, -32124, 0, 0]
    a = waveform_groups(waveform(group(np.array([[0xD5], [0x55], [0xAA], [0x2A]]), [], kind="AB")))[0]
    assert a.channels[0].values().tolist() == [8, -8, 32256, -32256]


def test_sensitivity_correction_and_baseline_make_the_unit() -> None:
    made = channel("A", "mV", 0.5, ChannelSensitivityCorrectionFactor="2", ChannelBaseline="10")
    found = waveform_groups(waveform(group(np.array([[-4], [6]]), [made])))[0].channels[0]
    assert found.values().tolist() == [6, 16]
    assert found.to_millivolts == 1


def test_padding_is_a_gap() -> None:
    samples = np.array([[1], [-32768], [3], [4]])
    ds = waveform(group(samples, [channel("A")], WaveformPaddingValue=b"\0\x80"))
    assert np.isnan(waveform_groups(ds)[0].channels[0].values()).tolist() == [False, True, False, False]
    svg = render_document(ds, "image/svg+xml").decode()
    trace = re.search(r'class="w-trace"[^>]* d="([^"]*)"', svg)
    assert trace
    assert trace[1].count("M") == 2


def traces(svg: bytes) -> list[NDArray[np.float64]]:
    """Return the traces of a picture as points in millimetres."""
    found = []
    for path in fromstring(svg).iter("{http://www.w3.org/2000/svg}path"):
        if path.get("class") == "w-trace":
            numbers = [int(each) for each in re.findall(r"-?\d+", path.get("d"))]
            found.append(np.cumsum(np.array(numbers).reshape(-1, 2), axis=0) / 100)
    return found


@pytest.mark.parametrize(("unit", "sensitivity"), [("uV", 1), ("uV", 2.5), ("mV", 0.001), ("V", 1e-6)])
def test_an_ecg_is_drawn_at_25_mm_a_second_and_10_mm_a_millivolt(unit: str, sensitivity: float) -> None:
    lead = beats(10)
    ds = waveform(
        group(lead / {"V": 1, "mV": 1, "uV": sensitivity}[unit], [channel("II", unit, sensitivity)])
    )
    (points,) = traces(render_document(ds, "image/svg+xml"))
    assert points[:, 1].max() - points[:, 1].min() == pytest.approx(10, abs=0.05)
    peaks = points[points[:, 1] < points[:, 1].min() + 0.02, 0]
    assert peaks[0] == pytest.approx(LEFT + 0.5 * SPEED, abs=0.05)
    assert peaks[-1] == pytest.approx(LEFT + 9.5 * SPEED, abs=0.05)


def test_a_known_sample_of_a_real_ecg_is_where_it_belongs() -> None:
    from_file = document_of("waveform_ecg.dcm")
    lead = waveform_groups(from_file)[0].channels[1]
    values = lead.values() / 1000
    points = traces(render_document(from_file, "image/svg+xml"))[1]
    top, peak = points[:, 1].min(), int(values.argmax())
    assert (points[:, 1].max() - top) / 10 == pytest.approx(values.max() - values.min(), abs=0.01)
    assert points[points[:, 1].argmin(), 0] == pytest.approx(LEFT + peak / 1000 * SPEED, abs=0.15)


def document_of(name: str) -> Dataset:
    return stored(pydicom_file(name).read_bytes())


def test_pixels_show_the_same_scale() -> None:
    ds = waveform(group(beats(10), [channel("II")]))
    with Image.open(BytesIO(render_document(ds, "image/png"))) as picture:
        dark = np.asarray(picture.convert("L")) < 90
    scale = dark.shape[1] / 278  # pixels a millimetre
    row = dark[round(18 * scale) :, round(30 * scale) : round(270 * scale)]  # below the words
    high = np.flatnonzero(row.any(axis=1))
    assert (high[-1] - high[0]) / scale == pytest.approx(10, abs=0.6)
    columns = np.flatnonzero(row[high[0] : high[0] + round(scale)].any(axis=0))
    assert (columns[-1] - columns[0]) / scale == pytest.approx(9 * SPEED, abs=0.6)


def test_a_large_amplitude_gets_a_smaller_scale_that_is_said() -> None:
    svg = render_document(waveform(group(beats(10, height=20_000), [channel("II")])), "image/svg+xml")
    assert b"2.5 mm/mV" in svg
    (points,) = traces(svg)
    assert points[:, 1].max() - points[:, 1].min() == pytest.approx(50, abs=0.1)


def test_an_ecg_without_sensitivity_says_that_it_is_not_to_scale() -> None:
    svg = render_document(waveform(group(beats(3), [channel("1", sensitivity=None)])), "image/svg+xml")
    assert b"not to scale" in svg
    assert b"mm/mV" not in svg


@pytest.mark.parametrize("sensitivity", [0, 1e300, 1e-300])
def test_a_sensitivity_that_can_not_be_is_none(sensitivity: float) -> None:
    ds = waveform(group(beats(3), [channel("I", "uV", sensitivity)]))
    assert b"not to scale" in render_document(ds, "image/svg+xml")


def test_long_recordings_go_on_in_rows_below_an_overview() -> None:
    svg = render_document(waveform(group(beats(35), [channel("II")])), "image/svg+xml").decode()
    assert [f"From {each} s" in svg for each in (0, 10, 20, 30, 40)] == [True, True, True, True, False]
    day = render_document(waveform(group(beats(7200, 100), [channel("II")], rate=100)), "image/svg+xml")
    assert b"All of it, 2:00:00 h" in day
    assert len(day) < 2**20
    assert len(traces(day)) == 1 + 6


def test_no_peak_is_lost_where_samples_lie_too_close() -> None:
    samples = np.zeros((200_001, 1))
    samples[123_456] = 30_000
    found = waveform_groups(waveform(group(samples, [channel("A")], rate=20_000)))[0].channels[0]
    points = points_of(found, 0, 200_001, 250)
    assert len(points) < 12_000
    assert points[:, 1].max() == 30_000
    assert points[points[:, 1].argmax(), 0] == pytest.approx(123_456 / 200_001 * 250, abs=0.2)


@pytest.mark.parametrize("kind", [HEMODYNAMIC, EEG])
def test_other_waveforms_have_axes_with_their_units(kind: str) -> None:
    pressure = channel("ART", "mm[Hg]", 0.1)
    ds = waveform(group(np.hstack((beats(12), beats(12))), [channel("II"), pressure]), kind=kind)
    svg = render_document(ds, "image/svg+xml").decode()
    assert "ART (mmHg)" in svg
    assert ("10 mm/mV" in svg) == (kind == HEMODYNAMIC)


def test_the_page_says_first_what_was_found() -> None:
    statement, interval, mark = Dataset(), Dataset(), Dataset()
    statement.UnformattedTextValue, statement.ReferencedWaveformChannels = "Sinus <rhythm>", [1, 0]
    interval.ConceptNameCodeSequence, interval.NumericValue = [code("QT", "QT Interval")], "368"
    interval.MeasurementUnitsCodeSequence = [code("ms", "milliseconds", "UCUM")]
    mark.ConceptNameCodeSequence, mark.TemporalRangeType = [code("R", "Fiducial Point")], "POINT"
    mark.ReferencedSamplePositions, mark.ReferencedWaveformChannels = [501], [1, 1]
    ds = waveform(group(beats(4), [channel("aVF")]), WaveformAnnotationSequence=[statement, interval, mark])
    text = Seen(render_document(ds, "text/html", base=BASE)).text
    assert text.index("Sinus <rhythm>") < text.index("25 mm/s")
    assert "QT Interval 368 ms" in text
    assert "Fiducial Point 2 s aVF" in text


def test_only_who_asks_sees_the_patient_in_the_picture() -> None:
    ds = waveform(group(beats(2), [channel("I")]), PatientName="Ray<b>^Rita")
    assert b"Ray" not in render_document(ds, "image/svg+xml")
    assert b"Ray&lt;b&gt;, Rita" in render_document(ds, "image/svg+xml", annotations=["patient"])


@pytest.mark.parametrize("fit", [(200, 200), (64, 500), (3000, 100)])
def test_pictures_fit_into_what_is_asked(fit: tuple[int, int]) -> None:
    ds = waveform(group(beats(10), [channel("I")]))
    with Image.open(BytesIO(render_document(ds, "image/jpeg", fit=fit))) as picture:
        assert picture.width <= fit[0] + 1
        assert picture.height <= fit[1] + 1
        assert picture.width >= fit[0] - 2 or picture.height >= fit[1] - 2


@pytest.mark.parametrize("kind", ["UB", "SB", "SS", "US", "SL", "UL", "MB", "AB"])
def test_voices_become_sound(kind: str) -> None:
    limits = np.iinfo(_DTYPES.get(kind, "u1"))
    ds = waveform(group(np.array([[limits.min], [limits.max]]), [], rate=8000, kind=kind), kind=VOICE)
    with wave.open(BytesIO(render_document(ds, "audio/wav"))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (8000, 1, 2)
        low, high = np.frombuffer(sound.readframes(2), "u1" if sound.getsampwidth() == 1 else "<i2").tolist()
    if kind in {"UB", "SB"}:
        assert (low, high) == (0, 255)
    elif kind not in {"MB", "AB"}:
        assert (low, high) == (-32768, 32767)


def test_the_page_of_a_voice_leads_to_its_sound() -> None:
    ds = waveform(group(beats(1), [], rate=8000), kind=VOICE)
    assert [
        each.endswith("/rendered?accept=audio%2Fwav")
        for each in Seen(render_document(ds, "text/html", base=BASE)).links
    ] == [True]


@pytest.mark.parametrize(
    ("values", "attribute"),
    [
        ({"SamplingFrequency": None}, "SamplingFrequency"),
        ({"SamplingFrequency": "0"}, "SamplingFrequency"),
        ({"SamplingFrequency": "1e-320"}, "SamplingFrequency"),
        ({"NumberOfWaveformChannels": None}, "NumberOfWaveformChannels"),
        ({"NumberOfWaveformChannels": 60_000}, "WaveformData"),
        ({"WaveformSampleInterpretation": "XX", "WaveformBitsAllocated": 12}, "WaveformSampleInterpretation"),
        ({"WaveformData": b""}, "WaveformData"),
    ],
)
def test_what_is_missing_is_named(values: dict[str, Any], attribute: str) -> None:
    with pytest.raises(NotDecodable, match=attribute):
        render_document(waveform(group(beats(1), [], **values)), "image/png")


def test_one_broken_group_spoils_none_of_the_others() -> None:
    ds = waveform(group(beats(1), [], SamplingFrequency=None), group(beats(1), [channel("V1")]))
    assert b"V1" in render_document(ds, "image/svg+xml")


def test_samples_that_are_cut_off_are_counted() -> None:
    ds = waveform(group(beats(1), [channel("I")], NumberOfWaveformSamples=1000))
    assert b"250 of 1,000 samples are there" in render_document(ds, "image/svg+xml")


def test_ticks_are_round() -> None:
    assert ticks(0, 1, 4) == [0, 0.5, 1]
    assert ticks(-37, 84, 4) == [0, 50]
    assert time_ticks(0, 86_400) == [7200.0 * each for each in range(13)]
