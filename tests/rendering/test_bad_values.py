"""Whatever a data set says, a frame has a picture or an error that names the attribute: nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword

from archive.errors import InvalidRequest, NotDecodable
from archive.model.rendering import Rendering, Viewport, Window
from archive.rendering.frame import Native, render_frame
from archive.rendering.header import read_head
from archive.rendering.output import Picture
from tests.rendering.frames import Instance, element
from tests.rendering.images import image

GREY = image(np.arange(64, dtype=np.uint16).reshape(8, 8) * 50, BitsStored=12, HighBit=11)
COLOUR = image(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
_PIXEL_HEADER = 12  # bytes at the end of a head
_PALETTES = [
    f"{colour}PaletteColorLookupTable{tail}"
    for colour in ("Red", "Green", "Blue")
    for tail in ("Descriptor", "Data")
]
ATTRIBUTES = (
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence"),
    *("RescaleSlope", "RescaleIntercept", "PresentationLUTShape", "PixelPaddingValue", "HighBit"),
    *("PixelPaddingRangeLimit", "PixelSpacing", "PixelAspectRatio", "ICCProfile", "OpticalPathSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelPresentation"),
    *("SegmentSequence", "SegmentationType", "MaximumFractionalValue", "ColorSpace", *_PALETTES),
    *("PatientName", "PatientBirthDate", "SpecificCharacterSet", "SOPClassUID", "StudyDate", "KVP"),
)
_LUT_ITEM = (
    b"\xfe\xff\x00\xe0\x1e\x00\x00\x00"
    b"\x28\x00\x02\x30US\x06\x00\x04\x00\x00\x00\x10\x00"
    b"\x28\x00\x06\x30US\x08\x00\x00\x00\xff\x0f\x00\x00\x01\x00"
)
VALUES = (
    *(b"", b" ", b"nan", b"NAN\\inf", b"0", b"-1", b"1e400", b"1\\2\\3", b"abc", b"\\", b"1,5", b"\xff\xfe"),
    *(b"\x00", b"\x00\x00", b"\xff" * 6, b"\x00\x01\x00\x00\x08\x00", b"\xfe\xff\x00\xe0", _LUT_ITEM),
    *(_LUT_ITEM[:-5], b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3, b"acsp" * 60, b"1.2.840.10008.5.1.4.1.1.66.4"),
)
EVERYTHING = Rendering(
    "image/png", viewport=Viewport(20, 20), annotations=("patient", "technique"), icc_profile="srgb"
)


def _element(keyword: str, value: bytes) -> bytes:
    tag = tag_for_keyword(keyword) or 0
    return element(tag, dictionary_VR(tag).split(" or ")[0], value)


def tried(instance: Instance, values: dict[str, bytes], **pixels: Any) -> Picture | None:
    """Render with raw values as a file would have them; None where they are refused by name."""
    raw = b"".join(_element(keyword, value) for keyword, value in values.items())
    try:
        ds = read_head(instance.head[:-_PIXEL_HEADER] + raw, instance.syntax)
    except NotDecodable:
        return None  # sequences end where no file could have been stored
    described = replace(instance.pixels, **pixels)
    try:
        native = Native(ds, 1, instance.native_frame(), described, described.photometric_interpretation)
        return render_frame(native, EVERYTHING)
    except NotDecodable as error:
        assert any(word[0].isupper() for word in str(error).split())  # noqa: PT017
    except InvalidRequest as error:
        assert error.where  # noqa: PT017
    return None


def test_values_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """pydicom quotes in its log what it cannot read: that can be a name."""
    tried(GREY, {"WindowCenter": b"Secret^Name", "InstanceNumber": b"Secret^Name", "KVP": b"Secret"})
    assert not caplog.records


@pytest.mark.parametrize("keyword", ATTRIBUTES)
def test_each_attribute_with_each_bad_value(keyword: str) -> None:
    for value in VALUES:
        for instance in (GREY, COLOUR):
            assert tried(instance, {keyword: value}) is not None


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(ATTRIBUTES), st.one_of(st.sampled_from(VALUES), st.binary(max_size=40)), max_size=6
    ),
    st.sampled_from(["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "YBR_FULL", "RGB", "HSV", ""]),
    st.booleans(),
)
def test_several_bad_values_at_once(values: dict[str, bytes], photometric: str, colour: bool) -> None:
    tried(COLOUR if colour else GREY, values, photometric_interpretation=photometric)


@pytest.mark.parametrize(
    "pixels",
    [
        {"rows": 0},
        {"columns": 60000},
        {"samples_per_pixel": 2},
        {"samples_per_pixel": 4},
        {"bits_allocated": 12},
        {"bits_allocated": 0},
        {"bits_allocated": 64},
        {"bits_stored": 0},
        {"bits_stored": 99},
        {"bits_stored": 1, "pixel_representation": 1},
        {"pixel_representation": 7},
        {"planar_configuration": 9},
        {"tag": "7FE00008"},
        {"frames": 0},
    ],
)
def test_pixels_that_make_no_sense(pixels: dict[str, Any]) -> None:
    for instance in (GREY, COLOUR):
        tried(instance, {}, **pixels)


@settings(max_examples=60, deadline=None)
@given(st.floats(), st.floats(), st.sampled_from(["linear", "linear-exact", "sigmoid"]))
def test_any_window_that_is_asked_for(centre: float, width: float, function: str) -> None:
    rendering = Rendering("image/png", window=Window(centre, width, function))
    render_frame(GREY.native(), rendering)


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"]),
)
def test_any_bytes_are_a_head_or_none(data: bytes, syntax: str) -> None:
    for bytes_ in (data, GREY.head[:200] + data, data + GREY.head):
        try:
            ds = read_head(bytes_, syntax)
        except NotDecodable:
            continue
        try:
            render_frame(replace(GREY.native(), ds=ds), EVERYTHING)
        except (NotDecodable, InvalidRequest):
            continue
