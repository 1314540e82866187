"""What a picture is encoded as, the colour space it is in, and the text burned into it."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from pydicom import dcmread
from pydicom.dataset import Dataset

from archive.errors import NotAcceptable
from archive.model.rendering import Rendering, Viewport
from archive.rendering.annotate import annotate, cut, fitting_font, patient_lines, technique_lines
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head
from archive.rendering.icc_profiles import PROFILES, colorants, profile
from tests.rendering.frames import head, levels, render
from tests.rendering.images import image
from tests.samples import sample

GREY = np.tile(np.arange(200, dtype=np.uint8), (150, 1))
COLOUR = np.stack([GREY, GREY[:, ::-1], np.full_like(GREY, 90)], -1)


def opened(array: Any, rendering: Rendering, **values: Any) -> Image.Image:
    """Return the picture of an array as Pillow reads it."""
    picture = render(image(array, **values), 1, rendering)
    assert picture.media_type == rendering.media_type
    found = Image.open(io.BytesIO(picture.data))
    assert found.size == (picture.width, picture.height)
    return found


@pytest.mark.parametrize(
    ("media_type", "kind"), [("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/gif", "GIF")]
)
def test_media_types(media_type: str, kind: str) -> None:
    grey, colour = (opened(array, Rendering(media_type)) for array in (GREY, COLOUR))
    assert grey.format == kind
    assert np.abs(np.asarray(grey.convert("L")).astype(int) - GREY).max() <= 3
    assert grey.mode == "L" or kind == "GIF"
    assert colour.format == kind
    apart = np.abs(np.asarray(colour.convert("RGB")).astype(int) - COLOUR)
    assert apart.mean() < 4


def test_other_media_types_are_refused_with_those_there_are() -> None:
    with pytest.raises(NotAcceptable) as caught:
        opened(GREY, Rendering("image/webp"))
    assert caught.value.offered == ("image/jpeg", "image/png", "image/gif")


def test_quality_costs_bytes_and_gives_likeness() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (64, 64), dtype=np.uint8)
    found = [render(image(noise), 1, Rendering(quality=quality)) for quality in (1, 50, 100)]
    sizes = [len(one.data) for one in found]
    apart = [np.abs(levels(one).astype(int) - noise).mean() for one in found]
    assert sizes == sorted(sizes)
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] < 1


def test_profiles_are_such_as_the_colour_engine_makes() -> None:
    """The matrix of sRGB is that of IEC 61966-2-1, as lcms has it, to 4 decimals."""
    known = ImageCms.createProfile("sRGB")
    wanted = np.array([known.red_colorant[0], known.green_colorant[0], known.blue_colorant[0]]).T
    assert np.abs(colorants(PROFILES["srgb"]) - wanted).max() < 1e-3
    for name in PROFILES:
        made = ImageCms.ImageCmsProfile(io.BytesIO(profile(name)))
        assert np.abs(colorants(PROFILES[name]).sum(axis=1) - (0.9642, 1.0, 0.8249)).max() < 1e-3
        assert ImageCms.getProfileDescription(made).strip() == PROFILES[name].title


@pytest.mark.parametrize("name", ["adobergb", "rommrgb", "displayp3"])
def test_a_named_space_shows_the_same_colours(name: str) -> None:
    """What a viewer that heeds the profile shows is what it was."""
    found = opened(COLOUR, Rendering("image/png", icc_profile=name))
    embedded = found.info["icc_profile"]
    assert embedded == profile(name)
    assert (np.asarray(found) != COLOUR).any()
    source = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
    back = ImageCms.profileToProfile(found, source, ImageCms.createProfile("sRGB"))
    assert back is not None
    apart = np.abs(np.asarray(back).astype(int) - COLOUR)
    assert apart.mean() < 0.7
    assert apart.max() <= 10  # where a colour is all but black, one level there is many here


def test_no_profile_unless_asked_for() -> None:
    for asked in (None, "no"):
        found = opened(COLOUR, Rendering("image/png", icc_profile=asked), ICCProfile=profile("adobergb"))
        assert "icc_profile" not in found.info
        assert (np.asarray(found) == COLOUR).all()


def test_yes_embeds_the_profile_of_the_image() -> None:
    stored = profile("adobergb")
    for media_type in ("image/png", "image/jpeg"):
        found = opened(COLOUR, Rendering(media_type, icc_profile="yes"), ICCProfile=stored)
        assert found.info["icc_profile"] == stored


def test_the_profile_of_the_optical_path_of_the_frame_counts() -> None:
    """BC-119."""
    paths = []
    for name in ("srgb", "displayp3"):
        path = Dataset()
        path.OpticalPathIdentifier, path.ICCProfile = name, profile(name)
        paths.append(path)
    group, which = Dataset(), Dataset()
    which.OpticalPathIdentifier = "displayp3"
    group.OpticalPathIdentificationSequence = [which]
    asked = Rendering("image/png", icc_profile="yes")
    first = opened(COLOUR, asked, OpticalPathSequence=paths)
    assert first.info["icc_profile"] == profile("srgb")
    named = opened(COLOUR, asked, OpticalPathSequence=paths, SharedFunctionalGroupsSequence=[group])
    assert named.info["icc_profile"] == profile("displayp3")


@pytest.mark.parametrize("stored", [b"", b"rubbish" * 100, profile("srgb")[:140] + bytes(400)])
def test_a_broken_profile_is_as_if_it_was_srgb(stored: bytes) -> None:
    for asked in ("yes", "srgb"):
        found = opened(COLOUR, Rendering("image/png", icc_profile=asked), ICCProfile=stored)
        assert found.info["icc_profile"] == profile("srgb")
        assert (np.asarray(found) == COLOUR).all()


def test_color_space_names_the_space_of_an_image_without_a_profile() -> None:
    found = opened(COLOUR, Rendering("image/png", icc_profile="yes"), ColorSpace="ADOBERGB")
    assert found.info["icc_profile"] == profile("adobergb")


def test_grey_pictures_have_no_profile() -> None:
    assert "icc_profile" not in opened(GREY, Rendering("image/png", icc_profile="srgb")).info


WHO = {
    "PatientName": "Ödegård^Åsa^^Dr.",
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientID": "4711",
    "PatientBirthDate": "19700131",
    "PatientSex": "F",
}


def test_lines_are_written_for_people() -> None:
    ds = image(GREY, KVP="120", SliceThickness="2.5", SeriesDescription="Abdomen", **WHO).shown
    assert patient_lines(ds) == ["Ödegård, Dr. Åsa", "4711", "born 31 Jan 1970, female"]
    assert technique_lines(Frame(ds, 1)) == [
        "CT  Abdomen",
        "31 Jan 2024  10:11:12",
        "slice 2.5 mm  120 kV",
        "series 1  image 1",
    ]


@pytest.mark.parametrize("array", [np.zeros((300, 400), np.uint8), np.full((300, 400), 255, np.uint8)])
def test_annotations_can_be_read_on_black_and_on_white(array: np.ndarray) -> None:
    plain = Rendering("image/png", annotations=("patient",))
    found = np.asarray(opened(array, plain, **WHO))
    assert (found[:100, :200] == 255).any()
    assert (found[:100, :200] == 0).any()
    assert (found[150:] == array[150:]).all()
    both = np.asarray(opened(array, Rendering("image/png", annotations=("patient", "technique"))))
    assert (both[200:] != array[200:]).any()


def test_text_is_cut_to_the_width_of_a_small_picture() -> None:
    rendering = Rendering("image/png", viewport=Viewport(40, 40), annotations=("patient", "technique"))
    assert opened(GREY, rendering, PatientName="A" * 60).size == (40, 30)


@pytest.mark.parametrize("letter", ["W", "Å", "山"])
def test_text_without_end_is_cut_at_once(letter: str) -> None:
    """Letter by letter that took minutes, and Pillow takes no million."""
    ds = Head(("utf_8",))
    ds.add(0x00100020, "LO", (letter * 1_200_000).encode(), big=False)
    begun = time.process_time()
    annotate(Image.new("L", (400, 300)), Frame(ds, 1), ("patient",))
    assert time.process_time() - begun < 5


def test_text_is_cut_where_the_picture_ends() -> None:
    line = "Wi" * 40
    font, _ = fitting_font(line, 20)
    for width in (0, 10, 40, 100, 400):
        shown = cut(line, font, width)
        assert font.getlength(shown) <= width
        assert font.getlength(f"{line[: len(shown)]}…") > width
    assert cut(line, font, 10_000) == line


def test_text_in_any_script_is_drawn() -> None:
    for text in ("Ärger", "\u041b\u044e\u043a", "山田 太郎", "김희중", "\U0001f600", "a\u0301", "\ud800x"):
        font, shown = fitting_font(text, 20)
        assert font.getlength(shown) > 0


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_drawn(text: str) -> None:
    instance = image(GREY, SpecificCharacterSet="ISO_IR 192")
    instance.ds.PatientID = text
    annotate(Image.new("L", (100, 60)), Frame(instance.shown, 1), ("patient",))


def test_the_name_in_its_character_set() -> None:
    ds = image(GREY).ds
    for file, wanted in (
        ("charsets/pydicom__chrGerm.dcm", "Äneas, Rüdiger"),
        ("charsets/pydicom__chrFren.dcm", "Buc, Jérôme"),
    ):
        other = dcmread(sample(file))
        ds.SpecificCharacterSet, ds.PatientName = other.SpecificCharacterSet, other.PatientName
        assert patient_lines(head(ds))[0] == wanted


def test_an_unknown_character_set_harms_nothing() -> None:
    instance = image(GREY)
    instance.ds.SpecificCharacterSet = "ISO_IR 999"
    picture = annotate(Image.new("L", (200, 200)), Frame(instance.shown, 1), ("patient",))
    assert np.asarray(picture).any()
