"""Colour: RGB and YBR against their formulas, palettes, supplemental palettes and segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from archive.errors import NotDecodable
from archive.model.rendering import Rendering, Viewport
from archive.rendering.colours import from_cielab
from tests.rendering.frames import levels, render
from tests.rendering.images import image, shown

RGB = np.random.default_rng(3).integers(0, 256, (8, 10, 3), dtype=np.uint8)
INDEX = np.arange(64, dtype=np.uint8).reshape(8, 8)


def from_ybr(ybr: np.ndarray) -> np.ndarray:
    """Invert C.7.6.3.1.2, YBR_FULL."""
    y, b, r = (ybr[..., index].astype(float) for index in range(3))
    rgb = np.stack(
        [y + 1.402 * (r - 128), y - 0.34414 * (b - 128) - 0.71414 * (r - 128), y + 1.772 * (b - 128)], -1
    )
    return np.clip(np.rint(rgb), 0, 255)


def test_rgb_by_pixel_and_by_plane() -> None:
    assert (shown(RGB) == RGB).all()
    planes = np.ascontiguousarray(RGB.transpose(2, 0, 1))
    assert (shown(RGB, PixelData=planes.tobytes(), PlanarConfiguration=1) == RGB).all()


def test_rgb_of_16_bits_and_of_12_in_16() -> None:
    deep = RGB.astype(np.uint16) * 257
    assert (shown(deep) == RGB).all()
    twelve = ((RGB.astype(np.uint32) * 4095 + 127) // 255).astype(np.uint16)
    assert (shown(twelve | 0xF000, BitsStored=12, HighBit=11) == RGB).all()


def test_ybr_full() -> None:
    found = shown(RGB, PhotometricInterpretation="YBR_FULL")
    assert np.abs(found - from_ybr(RGB)).max() <= 1


def test_ybr_full_422_has_two_samples_a_pixel() -> None:
    y = RGB[..., 0]
    chroma = RGB[:, ::2, 1:]
    packed = np.stack([y[:, ::2], y[:, 1::2], chroma[..., 0], chroma[..., 1]], -1)
    found = shown(RGB, PhotometricInterpretation="YBR_FULL_422", PixelData=packed.tobytes())
    whole = np.stack([y, *np.repeat(chroma, 2, axis=1).transpose(2, 0, 1)], -1)
    assert np.abs(found - from_ybr(whole)).max() <= 1


def test_ybr_full_422_that_has_all_samples_is_believed() -> None:
    found = shown(RGB, PhotometricInterpretation="YBR_FULL_422")
    assert np.abs(found - from_ybr(RGB)).max() <= 1


def test_ybr_partial_has_black_at_16_and_white_at_235() -> None:
    array = np.array([[[16, 128, 128], [235, 128, 128]], [[81, 90, 240], [41, 240, 110]]], dtype=np.uint8)
    found = shown(array, PhotometricInterpretation="YBR_PARTIAL_420")
    wanted = np.array([[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [0, 0, 255]]])
    assert np.abs(found - wanted).max() <= 2


@pytest.mark.parametrize("kind", ["HSV", "CMYK", "ARGB"])
def test_colour_of_another_kind_is_named(kind: str) -> None:
    with pytest.raises(NotDecodable, match="Photometric Interpretation"):
        shown(RGB, PhotometricInterpretation=kind)


def palette(tables: Any, first: int = 0, bits: int = 16, *, segmented: bool = False) -> dict[str, Any]:
    """Return the attributes of a palette: three lists of entries, or of segments."""
    ds = Dataset()
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        entries = 256 if segmented else len(table)
        data = np.array(table, dtype="<u2" if bits == 16 else np.uint8).tobytes()
        name = f"{colour}PaletteColorLookupTable"
        ds.add_new(f"{name}Descriptor", "SS" if first < 0 else "US", [entries, first, bits])
        ds.add_new(f"Segmented{name}Data" if segmented else f"{name}Data", "OW", data + bytes(len(data) % 2))
    return {"PhotometricInterpretation": "PALETTE COLOR", **{e.keyword: e for e in ds}}


def coloured(array: np.ndarray, attributes: dict[str, Any], **values: Any) -> np.ndarray:
    """Return the picture of an array with a palette."""
    instance = image(array, PhotometricInterpretation="PALETTE COLOR", **values)
    for element in attributes.values():
        if not isinstance(element, str):
            instance.ds[element.tag] = element
    return levels(render(instance))


TABLES = np.random.default_rng(4).integers(0, 256, (3, 256))


@pytest.mark.parametrize("scale", [256, 257])
def test_palette_of_16_bits(scale: int) -> None:
    found = coloured(INDEX, palette(TABLES * scale))
    assert (found == TABLES.T[INDEX]).all()


def test_palette_of_8_bits_in_bytes_and_in_words() -> None:
    assert (coloured(INDEX, palette(TABLES, bits=8)) == TABLES.T[INDEX]).all()
    assert (coloured(INDEX, palette(TABLES)) == TABLES.T[INDEX]).all()  # says 16 bits, uses 8


def test_palette_of_signed_values_begins_below_0() -> None:
    array = np.arange(-32, 32, dtype=np.int16).reshape(8, 8)
    found = coloured(array, palette(TABLES * 257, first=-20))
    assert (found == TABLES.T[np.clip(array + 20, 0, 255)]).all()


def test_segmented_palette_of_discrete_linear_and_indirect_segments() -> None:
    # 2 entries, then 6 on a line to 800, then both segments again (C.7.9.2): the offset is in bytes.
    segments = [0, 2, 256, 512, 1, 6, 2048, 2, 2, 0, 0]
    wanted = [1, 2, 3, 4, 5, 6, 7, 8] * 2
    array = np.arange(16, dtype=np.uint8).reshape(4, 4)
    found = coloured(array, palette([segments] * 3, segmented=True))
    assert found[..., 0].reshape(-1).tolist() == wanted


@pytest.mark.parametrize("segments", [[], [2, 9, 0, 0], [7, 7, 7, 7], [0, 65535], [2, 1, 0, 0, 2, 1, 0, 0]])
def test_a_segmented_palette_without_entries_is_named(segments: list[int]) -> None:
    with pytest.raises(NotDecodable, match="PaletteColorLookupTableData"):
        coloured(INDEX, palette([segments] * 3, segmented=True))


def test_a_segmented_palette_that_breaks_off_goes_on_with_its_last_entry() -> None:
    found = coloured(INDEX, palette([[0, 9, 256, 512, 7]] * 3, segmented=True))
    assert found[0, :3, 0].tolist() == [1, 2, 0]
    assert not found[1:].any()


@pytest.mark.parametrize(
    "missing", ["GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData"]
)
def test_a_palette_of_which_something_is_missing_is_named(missing: str) -> None:
    attributes = palette(TABLES)
    del attributes[missing]
    with pytest.raises(NotDecodable, match=missing):
        coloured(INDEX, attributes)


def test_supplemental_palette_colours_only_the_values_from_its_first_on() -> None:
    array = np.array([[10, 20, 100, 101]], dtype=np.uint16)
    attributes = palette([[65535, 0], [0, 65535], [0, 0]], first=100)
    del attributes["PhotometricInterpretation"]
    instance = image(array, PixelPresentation="COLOR", WindowCenter=20.5, WindowWidth=41)
    for element in attributes.values():
        instance.ds[element.tag] = element
    assert levels(render(instance))[0].tolist() == [[64, 64, 64], [128, 128, 128], [255, 0, 0], [0, 255, 0]]


def segments(kind: str, *colours: Any, **values: Any) -> dict[str, Any]:
    """Return the attributes of a segmentation with these CIELab colours."""
    items = []
    for number, colour in enumerate(colours, 1):
        item = Dataset()
        item.SegmentNumber = number
        item.SegmentLabel = f"segment {number}"
        if colour:
            item.RecommendedDisplayCIELabValue = list(colour)
        items.append(item)
    frame, which = Dataset(), Dataset()
    which.ReferencedSegmentNumber = values.pop("shows", 1)
    frame.SegmentIdentificationSequence = [which]
    return {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4",
        "SegmentationType": kind,
        "SegmentSequence": items,
        "PerFrameFunctionalGroupsSequence": [frame],
        **values,
    }


RED, DARK = (35579, 53664, 50857), (2000, 32896, 32896)


def test_cielab_is_the_colour_that_it_names() -> None:
    """sRGB red is L 54.3, a 80.8, b 69.9 at D50."""
    assert np.abs(np.array(from_cielab(*RED)) - (255, 0, 0)).max() <= 3
    assert from_cielab(65535, 32896, 32896) == (255, 255, 255)
    assert from_cielab(0, 32896, 32896, least=0) == (0, 0, 0)


def test_a_segment_is_drawn_in_its_colour_on_black() -> None:
    bits = np.array([[1, 0, 1, 0, 1, 0, 0, 0]] * 2, dtype=np.uint8)
    data = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    found = shown(
        bits,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelData=data,
        **segments("BINARY", DARK, RED, shows=2),
    )
    assert np.abs(found[0, 0].astype(int) - (255, 0, 0)).max() <= 3
    assert not found[bits == 0].any()
    dark = shown(bits, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=data, **segments("BINARY", DARK))
    assert dark[0, 0].min() > 80  # lightened, so that it can be seen


def test_fractions_fade() -> None:
    found = shown(
        np.array([[0, 50, 100, 200]], np.uint8), **segments("FRACTIONAL", None, MaximumFractionalValue=100)
    )
    assert found[0].tolist() == [[0, 0, 0], [115, 80, 0], [230, 159, 0], [230, 159, 0]]


def test_labels_have_their_colours_and_are_not_mixed() -> None:
    array = np.array([[0, 1], [2, 3]], dtype=np.uint16)
    attributes = segments("LABELMAP", RED, None, None, SOPClassUID="1.2.840.10008.5.1.4.1.1.66.7")
    found = shown(array, Rendering("image/png", viewport=Viewport(20, 20)), **attributes)
    assert {tuple(one) for one in found.reshape(-1, 3).tolist()} == {
        (0, 0, 0),
        from_cielab(*RED),
        (86, 180, 233),
        (0, 158, 115),
    }
