"""The parameters of rendered resources (PS3.18 8.3.5), and which form a client gets (8.7.4, 8.7.5)."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from archive.dicomweb.headers import parse_accept
from archive.dicomweb.negotiation import Container
from archive.dicomweb.rendered import (
    Parameters,
    for_media_type,
    for_presentation_state,
    parse_rendering,
    parse_thumbnail,
)
from archive.dicomweb.rendered_types import (
    GIF,
    JPEG,
    MP4,
    PICTURES,
    PNG,
    THUMBNAILS,
    choose_one,
    choose_part,
    choose_single,
    representative,
)
from archive.errors import InvalidRequest, NotAcceptable
from archive.model.rendering import Rendering, Viewport, Window

S, M = Container.SINGLE, Container.MULTIPART


def test_nothing_asked_for() -> None:
    assert parse_rendering([]) == Rendering()
    assert parse_rendering([("foo", "bar"), ("accept", "image/png"), ("Window", "x")]) == Rendering()


GOOD = [
    ("viewport", "256,128", Rendering(viewport=Viewport(256, 128))),
    ("viewport", " 256 , 128 ", Rendering(viewport=Viewport(256, 128))),
    ("viewport", "512,512,,,512,512", Rendering(viewport=Viewport(512, 512, 0, 0, 512, 512))),
    ("viewport", "10,20,1.5,2.5,30,-40.25", Rendering(viewport=Viewport(10, 20, 1.5, 2.5, 30, -40.25))),
    ("viewport", "10,20,-1,-2,-3e1,4", Rendering(viewport=Viewport(10, 20, 1, 2, -30, 4))),
    ("viewport", "10,20,,,,", Rendering(viewport=Viewport(10, 20))),
    ("viewport", "10,20,5,6", Rendering(viewport=Viewport(10, 20, 5, 6))),
    ("viewport", "10,20,5", Rendering(viewport=Viewport(10, 20, 5))),
    ("viewport", "8192,1", Rendering(viewport=Viewport(8192, 1))),
    ("quality", "1", Rendering(quality=1)),
    ("quality", "100", Rendering(quality=100)),
    ("window", "40,400,linear", Rendering(window=Window(40, 400, "linear"))),
    ("window", "-600.5,1500,linear-exact", Rendering(window=Window(-600.5, 1500, "linear-exact"))),
    ("window", "0, 0.5, SIGMOID", Rendering(window=Window(0, 0.5, "sigmoid"))),
    ("window", "1e3,1,linear", Rendering(window=Window(1000, 1, "linear"))),
    ("annotation", "patient", Rendering(annotations=("patient",))),
    ("annotation", "technique,patient", Rendering(annotations=("patient", "technique"))),
    *(
        ("iccprofile", word, Rendering(icc_profile=word))
        for word in ("no", "yes", "srgb", "adobergb", "rommrgb")
    ),
]


@pytest.mark.parametrize(("name", "value", "rendering"), GOOD)
def test_each_parameter(name: str, value: str, rendering: Rendering) -> None:
    assert parse_rendering([(name, value)]) == rendering


BAD = [
    *(
        ("viewport", value)
        for value in (
            "",
            "256",
            ",",
            "0,0",
            "256,",
            "-1,5",
            "1.5,2",
            "99999,99999",
            "8193,1",
            "a,b",
            "1,2,3,4,5,6,7",
            "1,2,x",
            "1,2,,,0,1",
            "1,2,,,1,0",
            "1,2,nan",
            "1,2,inf",
            "1,2,1e999",
            "256 256",
            "²,1",
        )
    ),
    *(("quality", value) for value in ("", "0", "101", "90.5", "-1", "best", "1e1", "99999999999", "٣")),
    *(
        ("window", value)
        for value in (
            "",
            "a,b,c",
            "40,400",
            "40,400,",
            "40,400,cubic",
            "40,400,linear,1",
            "40,,linear",
            "40,0,linear",
            "40,0.5,linear",
            "40,-1,linear",
            "40,0,sigmoid",
            "40,-3,linear-exact",
            "nan,1,linear",
            "1,inf,linear",
            "0x10,1,linear",
        )
    ),
    *(("annotation", value) for value in ("", "foo", "patient,", "patient,foo", "Patient")),
    *(("iccprofile", value) for value in ("", "maybe", "SRGB", "yes,no")),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_names_its_parameter(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_rendering([(name, value)])
    assert caught.value.where == name
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["viewport", "quality", "window", "iccprofile"])
def test_a_parameter_is_given_once(name: str) -> None:
    good = next(value for known, value, _ in GOOD if known == name)
    with pytest.raises(InvalidRequest) as caught:
        parse_rendering([(name, good), (name, good)])
    assert caught.value.where == name


def fault_of(parse: Callable[[Parameters], object], parameters: Parameters) -> str | None:
    """Return the parameter that is refused, None where all is well."""
    try:
        parse(parameters)
    except InvalidRequest as error:
        return error.where or "no parameter is named"
    return None


@given(st.sampled_from(["viewport", "quality", "window", "annotation", "iccprofile"]), st.text(max_size=40))
def test_any_value_is_read_or_refused(name: str, value: str) -> None:
    for parse in (parse_rendering, parse_thumbnail):
        assert fault_of(parse, [(name, value)]) in {None, name}


def test_thumbnails_take_a_viewport_of_two_values_and_nothing_else() -> None:
    assert parse_thumbnail([]) == Rendering(longest_side=256)
    asked = [("viewport", "256,256"), ("annotation", "patient"), ("window", "x"), ("quality", "1000")]
    assert parse_thumbnail(asked) == Rendering(viewport=Viewport(256, 256), longest_side=256)
    for value in ("256,256,0,0,1,1", "256,256,", "256", "0,1"):
        with pytest.raises(InvalidRequest, match="viewport"):
            parse_thumbnail([("viewport", value)])


def test_a_media_type_that_carries_no_profile() -> None:
    assert for_media_type(Rendering(icc_profile="srgb"), PNG).media_type == PNG
    assert for_media_type(Rendering(icc_profile="no"), GIF).icc_profile == "no"
    for media_type in (GIF, MP4):
        with pytest.raises(InvalidRequest) as caught:
            for_media_type(Rendering(icc_profile="yes"), media_type)
        assert caught.value.where == "iccprofile"


def test_renderings_that_give_the_same_bytes_are_equal() -> None:
    assert for_media_type(Rendering(quality=5), PNG) == for_media_type(Rendering(), PNG)
    assert for_media_type(Rendering(quality=5), JPEG) != for_media_type(Rendering(), JPEG)


def test_a_presentation_state_has_its_own_window_and_area() -> None:
    fine = Rendering(viewport=Viewport(10, 10), quality=5, annotations=("patient",))
    assert for_presentation_state(fine) == fine
    for rendering, name in (
        (Rendering(window=Window(1, 2)), "window"),
        (Rendering(viewport=Viewport(10, 10, 1)), "viewport"),
        (Rendering(viewport=Viewport(10, 10, source_width=-5)), "viewport"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            for_presentation_state(rendering)
        assert caught.value.where == name


CHOICES = [
    # Accept, what there is, one rendering, one of several
    ("*/*", PICTURES, (S, JPEG), (M, JPEG)),
    ("image/*", PICTURES, (S, JPEG), (M, JPEG)),
    ("image/png", PICTURES, (S, PNG), (M, PNG)),
    ("image/jpg", PICTURES, (S, JPEG), (M, JPEG)),
    ("image/png;q=0.5, image/gif", PICTURES, (S, GIF), (M, GIF)),
    ("image/jp2, image/png;q=0.1", PICTURES, (S, PNG), (M, PNG)),
    ("image/jpeg;q=0, */*", PICTURES, (S, PNG), (M, PNG)),
    ('multipart/related; type="image/png"', PICTURES, (M, PNG), (M, PNG)),
    ("multipart/related; type=image/*", PICTURES, (M, JPEG), (M, JPEG)),
    ("multipart/related", PICTURES, (M, JPEG), (M, JPEG)),
    ("*/*", (GIF, JPEG), (S, GIF), (M, GIF)),
    ("text/html, application/xhtml+xml, image/avif, image/webp, */*;q=0.8", PICTURES, (S, JPEG), (M, JPEG)),
    ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", PICTURES, (S, JPEG), (M, JPEG)),
    ("text/html, */*;q=0.8", ("text/html", "text/plain"), (S, "text/html"), (M, "text/html")),
    ("application/json, text/plain, */*", PICTURES, (S, JPEG), (M, JPEG)),
    ("video/mp4", (*PICTURES, MP4), (S, MP4), (M, MP4)),
    ("video/h265", ("video/H265",), (S, "video/H265"), (M, "video/H265")),
    ("application/dicom, */*;q=0.1", PICTURES, (S, JPEG), (M, JPEG)),
]


@pytest.mark.parametrize(("accept", "there", "one", "part"), CHOICES)
def test_choices(
    accept: str, there: tuple[str, ...], one: tuple[Container, str], part: tuple[Container, str]
) -> None:
    ranges = parse_accept([accept])
    found = choose_one(ranges, there, "it")
    assert (found.container, found.media_type) == one
    found = choose_part(ranges, there, "it")
    assert (found.container, found.media_type) == part


@pytest.mark.parametrize("accept", ["application/dicom", "text/html", "image/jp2", "*/*;q=0", "junk"])
def test_what_is_offered_is_said(accept: str) -> None:
    for choose in (choose_one, choose_part, choose_single):
        with pytest.raises(NotAcceptable, match="a CT image") as caught:
            choose(parse_accept([accept]), PICTURES, "a CT image")
        assert any("image/gif" in offer for offer in caught.value.offered)


@pytest.mark.parametrize(
    "accept",
    [
        "application/dicom, image/jpeg",
        'multipart/related; type="application/dicom", image/png;q=0.2',
        "application/dicom+xml, text/html",
    ],
)
def test_dicom_and_rendered_types_are_not_mixed(accept: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        choose_one(parse_accept([accept]), PICTURES, "it")
    assert caught.value.where == "accept"


def test_a_thumbnail_is_one_thing() -> None:
    assert choose_single(parse_accept(["*/*"]), THUMBNAILS, "it").media_type == JPEG
    assert choose_single(parse_accept(["image/png"]), THUMBNAILS, "it").media_type == PNG
    with pytest.raises(NotAcceptable):
        choose_single(parse_accept(["multipart/related; type=image/jpeg"]), THUMBNAILS, "it")


def test_the_middle_frame_stands_for_all() -> None:
    assert [representative(count) for count in (1, 2, 3, 4, 5, 100)] == [1, 1, 2, 2, 3, 50]
