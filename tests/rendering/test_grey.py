"""Grey transformations against the formulas of PS3.3 C.11, computed here value by value."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from archive.errors import NotDecodable
from archive.model.rendering import Rendering, Window
from archive.rendering.frame import render_frame
from tests.rendering.frames import levels, render
from tests.rendering.images import image, shown

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def linear(x: float, c: float, w: float) -> float:
    """C.11.2.1.2.1, as it is written there, to 0 … 255."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 255.0
    return ((x - (c - 0.5)) / (w - 1) + 0.5) * 255


def exact(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.2."""
    if x <= c - w / 2:
        return 0.0
    if x > c + w / 2:
        return 255.0
    return ((x - c) / w + 0.5) * 255


def sigmoid(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.1."""
    return 255 / (1 + math.exp(-4 * (x - c) / w))


def expected(function: Any, values: Any, c: float, w: float) -> np.ndarray:
    """Apply a formula to each value."""
    flat = [round(function(float(x), c, w)) for x in np.asarray(values).reshape(-1)]
    return np.array(flat).reshape(np.shape(values))


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    """Levels may differ by one where a half is rounded."""
    apart = np.abs(found.astype(int) - wanted)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01


def sequence(**values: Any) -> list[Dataset]:
    """Return one item with these attributes."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return [ds]


def table_of(descriptor: list[int], table: Any) -> list[Dataset]:
    """Return a LUT Sequence of one item."""
    ds = Dataset()
    ds.add_new("LUTDescriptor", "SS" if descriptor[1] < 0 else "US", descriptor)
    ds.add_new("LUTData", "OW", np.asarray(table, dtype="<u2").tobytes())
    return [ds]


@pytest.mark.parametrize(
    ("name", "function"), [("LINEAR", linear), ("LINEAR_EXACT", exact), ("SIGMOID", sigmoid)]
)
@pytest.mark.parametrize(("centre", "width"), [(2048, 4096), (1000, 401), (40, 1), (100.5, 2.5)])
def test_window_functions(name: str, function: Any, centre: float, width: float) -> None:
    found = shown(RAMP, WindowCenter=centre, WindowWidth=width, VOILUTFunction=name)
    close(found, expected(function, RAMP, centre, width))


def test_a_window_without_a_function_is_linear_and_comes_after_the_rescale() -> None:
    found = shown(RAMP, WindowCenter=40, WindowWidth=400, RescaleSlope=2, RescaleIntercept=-1024)
    close(found, expected(linear, RAMP * 2.0 - 1024, 40, 400))


@pytest.mark.parametrize(
    ("window", "function"),
    [
        (Window(300, 700), linear),
        (Window(300, 700, "linear-exact"), exact),
        (Window(300, 700, "sigmoid"), sigmoid),
    ],
)
def test_the_window_asked_for_replaces_the_stored_one(window: Window, function: Any) -> None:
    rendering = Rendering("image/png", window=window)
    found = shown(RAMP, rendering, WindowCenter=40, WindowWidth=400, RescaleSlope=1, RescaleIntercept=-1024)
    close(found, expected(function, RAMP - 1024.0, 300, 700))


def test_the_first_usable_window_of_several_counts() -> None:
    found = shown(RAMP, WindowCenter=["500", "1000"], WindowWidth=["0", "401"])
    close(found, expected(linear, RAMP, 1000, 401))


def test_monochrome1_is_inverted_once_after_the_window() -> None:
    for values in ({}, {"PresentationLUTShape": "INVERSE"}):
        found = shown(
            RAMP, PhotometricInterpretation="MONOCHROME1", WindowCenter=1000, WindowWidth=401, **values
        )
        close(found, 255 - expected(linear, RAMP, 1000, 401))
    asked = Rendering("image/png", window=Window(300, 700))
    found = shown(RAMP, asked, PhotometricInterpretation="MONOCHROME1")
    close(found, 255 - expected(linear, RAMP, 300, 700))
    assert found[0, 0] > found[-1, -1] == 0


def test_monochrome1_without_a_window_shows_its_least_value_white() -> None:
    found = shown(RAMP, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    assert (found[0, 0], found[-1, -1]) == (255, 0)


def test_inverse_shape_inverts_monochrome2() -> None:
    found = shown(RAMP, PresentationLUTShape="INVERSE", WindowCenter=1000, WindowWidth=401)
    close(found, 255 - expected(linear, RAMP, 1000, 401))


def test_voi_lut_wins_over_a_window() -> None:
    table = [((index * 37) % 4096) for index in range(256)]
    lut = table_of([256, 100, 12], table)
    found = shown(RAMP, VOILUTSequence=lut, WindowCenter=40, WindowWidth=400)
    index = np.clip(RAMP.astype(int) - 100, 0, 255)
    close(found, np.rint(np.array(table)[index] * 255 / 4095).astype(int))


def test_voi_lut_of_all_65536_entries_has_0_in_its_descriptor() -> None:
    item = table_of([0, 0, 12], np.arange(65536) // 16)
    close(shown(RAMP, VOILUTSequence=item), np.rint((RAMP // 16) * 255 / 4095).astype(int))


def test_voi_lut_after_a_rescale_has_a_signed_first_value() -> None:
    table = list(range(0, 4096, 16))
    for first in (-24, 65536 - 24):  # as SS, and as US by writers that know no SS here
        item = table_of([256, first, 12], table)
        found = shown(RAMP, VOILUTSequence=item, RescaleIntercept=-1024, RescaleSlope=1)
        index = np.clip(RAMP.astype(int) - 1024 + 24, 0, 255)
        close(found, np.rint(np.array(table)[index] * 255 / 4095).astype(int))


@pytest.mark.parametrize("kept", [100, 1])
def test_a_voi_lut_that_is_too_short_goes_on_with_its_last_entry(kept: int) -> None:
    table = list(range(0, 4096, 16))[-kept:]
    found = shown(RAMP, VOILUTSequence=table_of([256, 0, 12], table))
    index = np.clip(RAMP.astype(int), 0, kept - 1)
    close(found, np.rint(np.array(table)[index] * 255 / 4095).astype(int))


def test_a_voi_lut_that_says_16_bits_and_has_8_is_not_black() -> None:
    found = shown(RAMP, VOILUTSequence=table_of([256, 0, 16], range(256)))
    close(found, np.clip(RAMP.astype(int), 0, 255))


def test_modality_lut_wins_over_a_rescale() -> None:
    table = [4095 - index for index in range(4096)]
    lut = table_of([4096, 0, 16], table)
    lut[0].ModalityLUTType = "US"
    found = shown(
        RAMP, ModalityLUTSequence=lut, RescaleSlope=3, RescaleIntercept=9, WindowCenter=1000, WindowWidth=401
    )
    close(found, expected(linear, 4095 - RAMP.astype(int), 1000, 401))


def test_the_default_window_goes_from_the_least_to_the_largest_value() -> None:
    array = np.array([[100, 600], [1100, 350]], dtype=np.uint16)
    found = shown(array)
    assert found.tolist() == [[0, 128], [255, 64]]


def test_the_default_window_leaves_padding_out() -> None:
    array = np.array([[-2000, -2000], [-1900, 100], [600, 1100]], dtype=np.int16)
    ranged = shown(array, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1900, RescaleSlope=2)
    assert ranged.tolist() == [[0, 0], [0, 0], [128, 255]]


def test_a_padding_value_of_the_wrong_sign_is_understood() -> None:
    array = np.array([[-2000, 100], [600, 1100]], dtype=np.int16)
    instance = image(array)
    instance.ds.add_new("PixelPaddingValue", "US", 65536 - 2000)
    assert levels(render(instance)).tolist() == [[0, 0], [128, 255]]


def test_eight_bits_without_a_window_are_shown_as_they_are() -> None:
    array = np.arange(40, 240, 2, dtype=np.uint8).reshape(10, 10)
    assert (shown(array) == array).all()


def test_eight_bits_that_use_hardly_any_of_their_range_are_stretched() -> None:
    assert shown(np.array([[0, 1], [2, 3]], dtype=np.uint8)).tolist() == [[0, 85], [170, 255]]


def test_an_image_of_one_value_is_black_or_of_8_bits_as_it_is() -> None:
    assert set(shown(np.full((3, 3), 700, np.uint16)).reshape(-1)) == {0}
    assert set(shown(np.full((3, 3), 70, np.uint8)).reshape(-1)) == {70}


@pytest.mark.parametrize("high", [11, 15, 13])
def test_bits_beside_the_stored_ones_are_ignored(high: int) -> None:
    """BC-128: 16 bits allocated, 12 stored, rubbish in the rest."""
    rubbish = np.random.default_rng(1).integers(0, 65536, RAMP.shape, dtype=np.uint16)
    keep = np.uint16(0xFFF << (high - 11))
    array = (RAMP << (high - 11)) | (rubbish & ~keep)
    found = shown(array, BitsStored=12, HighBit=high, WindowCenter=2048, WindowWidth=4096)
    close(found, expected(linear, RAMP, 2048, 4096))


def test_signed_values_of_an_odd_depth_are_extended() -> None:
    values = np.arange(-256, 256, dtype=np.int16).reshape(16, 32)
    array = (values & 0x1FF).astype(np.uint16)
    found = shown(array, BitsStored=9, HighBit=8, PixelRepresentation=1, WindowCenter=0.5, WindowWidth=512)
    close(found, expected(linear, values, 0.5, 512))


@pytest.mark.parametrize("kind", ["<u4", "<i4", "<i8"])
def test_values_of_32_and_64_bits(kind: str) -> None:
    """RT Dose has such."""
    array = (np.arange(100).reshape(10, 10) * 20_000_000).astype(kind)
    found = shown(array, SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2")
    close(found, np.rint(np.arange(100).reshape(10, 10) * 255 / 99).astype(int))


@pytest.mark.parametrize(("kind", "keyword"), [("<f4", "FloatPixelData"), ("<f8", "DoubleFloatPixelData")])
def test_floats_with_values_that_are_none(kind: str, keyword: str) -> None:
    array = np.array([[0.0, 0.5, 1.0], [np.nan, np.inf, -np.inf]], dtype=kind)
    found = shown(
        array,
        PixelData=None,
        BitsStored=None,
        HighBit=None,
        PixelRepresentation=None,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.30",
        **{keyword: array.tobytes()},
    )
    assert found.tolist() == [[0, 128, 255], [0, 255, 0]]


def test_a_linear_window_over_floats_is_exact() -> None:
    """A parametric map of 0 to 1 has a window of 0.5 and 1: LINEAR by its letter would be all white."""
    array = np.array([[0.0, 0.25, 0.5, 1.0]], dtype="<f4")
    values = {"BitsStored": None, "HighBit": None, "PixelRepresentation": None, "PixelData": None}
    found = shown(array, WindowCenter=0.5, WindowWidth=1, FloatPixelData=array.tobytes(), **values)
    assert found.tolist() == [[0, 64, 128, 255]]


def test_one_bit_is_black_and_white() -> None:
    bits = np.random.default_rng(2).integers(0, 2, (16, 16), dtype=np.uint8)
    data = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    found = shown(bits, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=data)
    assert (found == bits * 255).all()


def group(**values: Any) -> list[Dataset]:
    """Return a functional group with a rescale and a window."""
    item = Dataset()
    item.PixelValueTransformationSequence = sequence(
        RescaleIntercept=values["intercept"], RescaleSlope=1, RescaleType="HU"
    )
    item.FrameVOILUTSequence = sequence(WindowCenter=values["centre"], WindowWidth=values["width"])
    return [item]


def test_functional_groups_of_the_frame_win_over_shared_ones_and_these_over_the_top_level() -> None:
    """BC-124."""
    frames = np.stack([RAMP[:8, :8]] * 2)
    shared, own = group(intercept=-10, centre=100, width=50), group(intercept=5, centre=30, width=41)
    for per_frame, wanted in (
        ([Dataset(), own[0]], (5, 30, 41)),
        ([own[0], Dataset()], (-10, 100, 50)),
        ([], (-10, 100, 50)),
    ):
        instance = image(
            frames[0],
            NumberOfFrames=2,
            PixelData=frames.tobytes(),
            WindowCenter=7,
            WindowWidth=3,
            SharedFunctionalGroupsSequence=shared,
            PerFrameFunctionalGroupsSequence=per_frame,
        )
        close(levels(render(instance, 2)), expected(linear, RAMP[:8, :8] + float(wanted[0]), *wanted[1:]))


def test_a_frame_that_is_too_short_says_so() -> None:
    instance = image(RAMP)
    with pytest.raises(NotDecodable, match="Rows and Columns"):
        render_frame(replace(instance.native(), data=bytes(100)), Rendering())
