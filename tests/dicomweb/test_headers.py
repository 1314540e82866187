"""Header values as clients write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dicomweb.headers import (
    ANYTHING,
    MediaType,
    parse_accept,
    quote,
    require_utf8,
    split_quoted,
    unquote,
)
from archive.errors import InvalidRequest, NotAcceptable

SAME = (
    'multipart/related; type="application/dicom"; boundary=abc',
    "multipart/related; type=application/dicom; boundary=abc",
    'Multipart/Related;TYPE="Application/DICOM";Boundary="abc"',
    'multipart/related ;  boundary = "abc" ; type = application/dicom',
    'multipart/related;boundary=abc;;type="application/dicom";',
)


@pytest.mark.parametrize("text", SAME)
def test_spellings_of_one_media_type(text: str) -> None:
    media = MediaType.parse(text)
    assert (media.name, media.get("type"), media.get("boundary")) == (
        "multipart/related",
        "application/dicom",
        "abc",
    )


def test_parameters_inside_a_quoted_type_count() -> None:
    media = MediaType.parse(
        'multipart/related; type="application/dicom; transfer-syntax=1.2.840.10008.1.2.1"'
    )
    assert media.get("type") == "application/dicom"
    assert media.get("transfer-syntax") == "1.2.840.10008.1.2.1"


def test_a_wholly_quoted_value_is_read() -> None:
    assert MediaType.parse('"application/dicom+json"').name == "application/dicom+json"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("image/x-jls", "image/jls"),
        ("image/jhc", "image/jphc"),
        ("image/x-dicom-rle", "image/dicom-rle"),
        ("image/x-jp2", "image/jp2"),
        ("application/json", "application/dicom+json"),
    ],
)
def test_old_names(old: str, new: str) -> None:
    assert MediaType.parse(old).name == new
    assert MediaType.parse(f'multipart/related; type="{old}"').get("type") == new


@pytest.mark.parametrize("text", ["", "dicom", "/", "a/", "application/di com", ";type=x", "a/b/c d"])
def test_what_is_no_media_type(text: str) -> None:
    with pytest.raises(InvalidRequest):
        MediaType.parse(text)


def test_a_boundary_with_a_separator_and_escapes() -> None:
    media = MediaType.parse(r'multipart/related; boundary="a;b,\"c\\"; type=text/plain')
    assert media.get("boundary") == 'a;b,"c\\'
    assert MediaType.parse(str(media)) == media


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_quoting_round_trips(text: str) -> None:
    assert unquote(quote(text)) == text
    assert split_quoted(f"a={quote(text)},b", ",") == [f"a={quote(text)}", "b"]


@given(st.text())
def test_quoted_text_is_safe_in_a_header(text: str) -> None:
    assert quote(text).isascii()
    assert quote(text).isprintable()


@given(st.text(max_size=60))
def test_any_accept_header_is_read(text: str) -> None:
    assert all(0 <= each.q <= 1 for each in parse_accept([text]))


def test_accept_keeps_order_and_q() -> None:
    ranges = parse_accept(["application/dicom;q=0.1, image/*;q=7", "*/*; q=nan", "*;q=0", "junk"])
    assert [(each.media.name, each.q) for each in ranges] == [
        ("application/dicom", 0.1),
        ("image/*", 1.0),
        ("*/*", 1.0),
        ("*/*", 0.0),
    ]


def test_no_accept_is_anything() -> None:
    assert parse_accept([]) == parse_accept([""]) == parse_accept([], [" "]) == (ANYTHING,)


def test_the_query_parameter_wins() -> None:
    (only,) = parse_accept(["*/*"], ["application/dicom json"])
    assert only.media.name == "application/dicom+json"
    with pytest.raises(InvalidRequest) as caught:
        parse_accept(["*/*"], ["nonsense"])
    assert caught.value.where == "accept"


def test_charsets() -> None:
    require_utf8([])
    require_utf8(["iso-8859-1, utf-8;q=0.7"])
    require_utf8(["iso-8859-1"], ["UTF-8"])
    for headers, query in ((["iso-8859-1"], []), (["utf-8;q=0"], []), (["utf-8"], ["latin1"])):
        with pytest.raises(NotAcceptable):
            require_utf8(headers, query)
