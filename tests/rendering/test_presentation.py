"""Softcopy presentation states (PS3.3 C.10, C.11; PS3.4 N.2) over small images, and against DCMTK."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from archive.errors import NotDecodable
from archive.model.rendering import Rendering, Viewport, Window
from archive.rendering.document_types import GRAYSCALE, PSEUDO_COLOR
from archive.rendering.frame import render_frame
from archive.rendering.presentation import read_presentation
from tests.rendering.frames import PNG, Instance, head, levels, load
from tests.rendering.images import image
from tests.samples import sample

GREY = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))
UID = "1.2.3.4"
PLAIN = image(GREY)


def item(**values: Any) -> Dataset:
    """Return a data set with these attributes."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def images(*frames: int, uid: str = UID) -> list[Dataset]:
    """Return a Referenced Image Sequence."""
    ds = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid)
    if frames:
        ds.ReferencedFrameNumber = list(frames)
    return [ds]


def state(**values: Any) -> Dataset:
    """Return a grayscale softcopy presentation state."""
    series = item(SeriesInstanceUID="1.2.3", ReferencedImageSequence=images())
    return item(
        **{
            "SOPClassUID": GRAYSCALE,
            "ReferencedSeriesSequence": [series],
            "PresentationLUTShape": "IDENTITY",
            **values,
        }
    )


def presented(
    ds: Dataset, instance: Instance | None = None, rendering: Rendering = PNG, frame: int = 1
) -> NDArray[np.uint8]:
    """Return the picture of an image as the state has it."""
    shown = instance or PLAIN
    presentation = read_presentation(head(ds), UID, frame)
    return levels(render_frame(shown.native(frame), rendering, presentation))


def test_a_state_that_says_nothing_changes_nothing() -> None:
    assert (presented(state()) == GREY).all()


def test_windows_of_the_state_replace_those_of_the_image() -> None:
    window = item(WindowCenter=100.5, WindowWidth=41)
    other = item(WindowCenter=1, WindowWidth=2, ReferencedImageSequence=images(uid="9.9"))
    instance = image(GREY, WindowCenter=7, WindowWidth=3, RescaleSlope=2, RescaleIntercept=-50)
    wanted = np.rint(np.clip((GREY - 100.0) / 40 + 0.5, 0, 1) * 255)
    assert np.abs(presented(state(SoftcopyVOILUTSequence=[other, window]), instance) - wanted).max() <= 1
    rescaled = state(SoftcopyVOILUTSequence=[window], RescaleSlope=1, RescaleIntercept=20)
    wanted = np.rint(np.clip((GREY - 80.0) / 40 + 0.5, 0, 1) * 255)
    assert np.abs(presented(rescaled, instance) - wanted).max() <= 1


def test_the_window_that_is_asked_for_wins() -> None:
    asked = Rendering("image/png", window=Window(127.5, 255, "linear-exact"))
    ds = state(SoftcopyVOILUTSequence=[item(WindowCenter=1, WindowWidth=2)])
    assert (presented(ds, rendering=asked) == GREY).all()


def test_windows_of_frames() -> None:
    frames = np.stack([GREY, GREY])
    instance = image(GREY, NumberOfFrames=2, PixelData=frames.tobytes())
    windows = [
        item(WindowCenter=1000, WindowWidth=2, ReferencedImageSequence=images(1)),
        item(WindowCenter=-1000, WindowWidth=2, ReferencedImageSequence=images(2)),
    ]
    ds = state(SoftcopyVOILUTSequence=windows)
    assert [int(presented(ds, instance, frame=frame).max()) for frame in (1, 2)] == [0, 255]


def test_the_state_says_the_polarity_whatever_the_image_is() -> None:
    monochrome1 = image(GREY, PhotometricInterpretation="MONOCHROME1")
    assert (presented(state(), monochrome1) == GREY).all()
    assert (presented(state(PresentationLUTShape="INVERSE"), monochrome1) == 255 - GREY).all()


def test_a_presentation_lut() -> None:
    lut = Dataset()
    lut.LUTDescriptor = [256, 0, 8]
    lut.add_new("LUTData", "OW", bytes((level * 7) % 256 for level in range(256)))
    ds = state(PresentationLUTSequence=[lut])
    del ds.PresentationLUTShape
    assert (presented(ds) == (GREY.astype(int) * 7) % 256).all()


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flip", ["Y", "N"])
def test_turns_then_flips(quarters: int, flip: str) -> None:
    array = np.random.default_rng(6).integers(0, 256, (20, 30), dtype=np.uint8)
    found = presented(state(ImageRotation=quarters * 90, ImageHorizontalFlip=flip), image(array))
    wanted = np.rot90(array, -quarters)
    assert (found == (wanted[:, ::-1] if flip == "Y" else wanted)).all()


def displayed(*corners: float, **values: Any) -> Dataset:
    """Return a state with a displayed area."""
    area = item(
        DisplayedAreaTopLeftHandCorner=[int(one) for one in corners[:2]],
        DisplayedAreaBottomRightHandCorner=[int(one) for one in corners[2:]],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    for keyword, value in values.items():
        setattr(area, keyword, value)
    return state(DisplayedAreaSelectionSequence=[area])


def test_the_displayed_area() -> None:
    assert (presented(displayed(11, 6, 40, 25)) == GREY[5:25, 10:40]).all()
    assert (presented(displayed(40, 25, 11, 6)) == GREY[5:25, 10:40]).all()  # turned by 180 degrees
    beyond = presented(displayed(-9, 1, 60, 40))
    assert beyond.shape == (40, 70)
    assert not beyond[:, :10].any()
    assert (beyond[:, 10:] == GREY).all()
    fitted = presented(displayed(11, 6, 40, 25), rendering=Rendering("image/png", viewport=Viewport(60, 60)))
    assert fitted.shape == (40, 60)


def test_magnification_and_aspect() -> None:
    ds = displayed(1, 1, 60, 40, PresentationSizeMode="MAGNIFY", PresentationPixelMagnificationRatio=2.0)
    assert presented(ds).shape == (80, 120)
    assert presented(displayed(1, 1, 60, 40, PresentationPixelAspectRatio=[2, 1])).shape == (80, 60)


def test_shutters() -> None:
    edges = {
        "ShutterLeftVerticalEdge": 11,
        "ShutterRightVerticalEdge": 50,
        "ShutterUpperHorizontalEdge": 6,
        "ShutterLowerHorizontalEdge": 35,
    }
    found = presented(state(ShutterShape="RECTANGULAR", ShutterPresentationValue=65535, **edges))
    opened = np.zeros(GREY.shape, dtype=bool)
    opened[5:35, 10:50] = True
    assert (found == np.where(opened, GREY, 255)).all()
    circle = presented(
        state(ShutterShape="CIRCULAR", CenterOfCircularShutter=[21, 31], RadiusOfCircularShutter=10)
    )
    row, column = np.indices(GREY.shape)
    far = np.hypot(row - 20, column - 30)
    assert (circle[far < 9] == GREY[far < 9]).all()
    assert not circle[far > 11].any()
    triangle = presented(state(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[1, 1, 1, 41, 40, 1]))
    assert (triangle[2, 2], triangle[39, 59]) == (GREY[2, 2], 0)
    both = state(ShutterShape=["RECTANGULAR", "CIRCULAR"], **edges)
    both.CenterOfCircularShutter, both.RadiusOfCircularShutter = [21, 31], 10
    assert (presented(both) == circle).all()


def drawing(kind: str, *numbers: float, **values: Any) -> dict[str, Any]:
    """Return a graphic object on a layer of green."""
    graphic = item(
        GraphicAnnotationUnits=values.get("units", "PIXEL"),
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(numbers) // 2,
        GraphicData=list(numbers),
        GraphicType=kind,
        GraphicFilled=values.get("filled", "N"),
    )
    layer = item(
        GraphicLayer="L",
        GraphicLayerOrder=1,
        GraphicLayerRecommendedDisplayCIELabValue=[57000, 10800, 54500],
    )
    annotation = item(GraphicLayer="L", GraphicObjectSequence=[graphic])
    if "frames" in values:
        annotation.ReferencedImageSequence = images(*values["frames"])
    return {"GraphicAnnotationSequence": [annotation], "GraphicLayerSequence": [layer]}


def green(array: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels are green."""
    wide = array.astype(int)
    return np.asarray((wide[..., 1] > wide[..., 0] + 60) & (wide[..., 1] > wide[..., 2] + 60))


@pytest.mark.parametrize(
    ("kind", "numbers", "on", "off"),
    [
        ("POLYLINE", (5, 20, 55, 20), [(20, 5), (20, 30), (20, 54)], [(20, 58), (25, 30)]),
        ("CIRCLE", (30, 20, 40, 20), [(20, 40), (10, 30), (20, 20)], [(20, 30)]),
        ("ELLIPSE", (10, 20, 50, 20, 30, 10, 30, 30), [(20, 50), (30, 30)], [(20, 30)]),
        ("POINT", (30, 20), [(20, 30)], [(10, 30)]),
        ("INTERPOLATED", (5, 20, 30, 10, 55, 20), [(10, 30), (20, 54)], [(25, 30)]),
    ],
)
def test_graphics_are_drawn_where_they_are_said_to_be(kind: str, numbers: Any, on: Any, off: Any) -> None:
    found = green(presented(state(**drawing(kind, *numbers))))
    for row, column in on:
        assert found[row - 1 : row + 2, column - 1 : column + 2].any(), (row, column)
    for row, column in off:
        assert not found[row - 1 : row + 2, column - 1 : column + 2].any(), (row, column)


def test_graphics_follow_turns_and_sizes() -> None:
    ds = state(**drawing("POINT", 10, 5), ImageRotation=90)
    found = green(presented(ds, rendering=Rendering("image/png", viewport=Viewport(80, 120))))
    row, column = np.argwhere(found).mean(axis=0)
    assert (abs(row - 20) < 2, abs(column - 70) < 2) == (True, True)


def test_graphics_in_parts_of_the_display_and_filled_ones() -> None:
    found = green(presented(state(**drawing("CIRCLE", 0.5, 0.5, 0.75, 0.5, units="DISPLAY", filled="Y"))))
    assert found[20, 30]
    assert not found[2, 2]


def test_graphics_of_another_frame_are_not_drawn() -> None:
    assert presented(state(**drawing("POINT", 10, 5, frames=(2,)))).ndim == 2


def test_text_stands_in_its_box() -> None:
    words = item(
        BoundingBoxAnnotationUnits="PIXEL",
        UnformattedTextValue="HERE",
        BoundingBoxTopLeftHandCorner=[5.0, 20.0],
        BoundingBoxBottomRightHandCorner=[55.0, 35.0],
        BoundingBoxTextHorizontalJustification="LEFT",
        AnchorPoint=[50.0, 5.0],
        AnchorPointVisibility="Y",
        AnchorPointAnnotationUnits="PIXEL",
    )
    ds = state(GraphicAnnotationSequence=[item(GraphicLayer="L", TextObjectSequence=[words])])
    found = presented(ds, image(np.zeros((40, 60), np.uint8)))
    assert found[20:36, 5:30].max() == 255
    assert found[5, 50] == 255  # the line to what it speaks of
    assert not found[:4].any()


def test_overlays_are_shown_where_the_state_activates_them() -> None:
    instance = image(GREY)
    for group, column in ((0x6000, 3), (0x6002, 7)):
        instance.ds.add_new((group, 0x0010), "US", 1)
        instance.ds.add_new((group, 0x0011), "US", 1)
        instance.ds.add_new((group, 0x0050), "SS", [1, column])
        instance.ds.add_new((group, 0x3000), "OW", b"\x01\x00")
    assert np.argwhere(presented(state(), instance) == 255).tolist() == []
    ds = state()
    ds.add_new((0x6002, 0x1001), "CS", "LAYER")
    assert np.argwhere(presented(ds, instance) == 255).tolist() == [[0, 6]]


def test_pseudo_color() -> None:
    ds = state(SOPClassUID=PSEUDO_COLOR)
    del ds.PresentationLUTShape
    for at, colour in enumerate(("Red", "Green", "Blue")):
        ds.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [256, 0, 8])
        table = bytes(range(256)) if at == 0 else bytes(256)
        ds.add_new(f"{colour}PaletteColorLookupTableData", "OW", table)
    found = presented(ds)
    assert (found[..., 0] == GREY).all()
    assert not found[..., 1:].any()


def test_states_that_cannot_be_applied() -> None:
    with pytest.raises(NotDecodable, match="SOP Class UID"):
        read_presentation(head(state(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.4")), UID, 1)


_TAGS = (
    *(0x20500020, 0x20500010, 0x00283110, 0x00700042, 0x00700041, 0x0070005A, 0x00700001, 0x00700060),
    *(0x00181600, 0x00181602, 0x00181604, 0x00181606, 0x00181608, 0x00181610, 0x00181612, 0x00181620),
    *(0x00181622, 0x00181623, 0x00181624, 0x00700052, 0x00700053, 0x00700103, 0x60001001, 0x60003000),
)
_VRS = ("CS", "SQ", "US", "IS", "FL", "SL")
_TEXTS = (b"CIRCULAR", b"POLYGONAL ", b"BITMAP", b"90", b"1e300\\5", b"1\\2\\3\\4\\5\\6", b"nan", b"Y ")


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(_TAGS),
        st.tuples(st.sampled_from(_VRS), st.one_of(st.sampled_from(_TEXTS), st.binary(max_size=40))),
        max_size=8,
    )
)
def test_whatever_a_state_says_there_is_a_picture(values: dict[int, tuple[str, bytes]]) -> None:
    ds = state()
    for tag, (vr, value) in values.items():
        ds[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    assert presented(ds).size


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["POINT", "POLYLINE", "CIRCLE", "ELLIPSE", "INTERPOLATED", "BEZIER"]),
    st.lists(st.floats(width=32), max_size=9),
    st.sampled_from(["PIXEL", "DISPLAY"]),
    st.sampled_from(["Y", "N"]),
)
def test_whatever_a_graphic_says_there_is_a_picture(
    kind: str, numbers: list[float], units: str, filled: str
) -> None:
    assert presented(state(**drawing(kind, *numbers, units=units, filled=filled))).size


@pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="no dcmp2pgm of DCMTK")
@pytest.mark.parametrize(("state_name", "image_name"), [("prLUTs", "imageForPrLUTs")])
def test_levels_are_those_of_dcmtk(state_name: str, image_name: str, tmp_path: Path) -> None:
    files = [sample(f"objects/weasis-dicom-tools__{name}.dcm") for name in (state_name, image_name)]
    picture = tmp_path / "picture.pgm"
    subprocess.run(["dcmp2pgm", "-p", *map(str, files), str(picture)], check=True, capture_output=True)
    wanted = np.asarray(Image.open(io.BytesIO(picture.read_bytes())))
    instance = load(files[1])
    assert instance is not None
    presentation = read_presentation(head(dcmread(files[0])), str(instance.ds.SOPInstanceUID), 1)
    found = render_frame(instance.native(), PNG, presentation)
    assert (levels(found) == wanted).all()
