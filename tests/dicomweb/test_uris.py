"""Addresses of resources."""

from __future__ import annotations

import pytest

from archive.dicomweb.uris import MAX_DEPTH, bulkdata_url, frame_url, parse_bulk_path, parse_frames, place_url
from archive.errors import InvalidRequest
from archive.model.level import Place

BASE = "https://host/dicom-web"
INSTANCE = Place("1", "2", "3")


def test_addresses() -> None:
    assert place_url(BASE + "/", Place()) == BASE
    assert place_url(BASE, Place("1")) == f"{BASE}/studies/1"
    assert place_url(BASE, INSTANCE) == f"{BASE}/studies/1/series/2/instances/3"
    assert frame_url(BASE, INSTANCE, 7) == f"{BASE}/studies/1/series/2/instances/3/frames/7"
    url = bulkdata_url(BASE, INSTANCE, "54000100/1/54001010")
    assert url == f"{BASE}/studies/1/series/2/instances/3/bulkdata/54000100/1/54001010"


@pytest.mark.parametrize("path", ["7FE00010", "54000100/1/54001010", "00400275/2/00400008/10/00080104"])
def test_paths_of_bulk_values(path: str) -> None:
    assert parse_bulk_path(path) == parse_bulk_path(path.lower()) == path


DEEP = "54000100/1/" * (MAX_DEPTH + 1) + "54001010"
NO_PATHS = (
    "",
    "7FE0001",
    "7FE00010/",
    "7FE00010/1",
    "54000100/0/54001010",
    "../7FE00010",
    "7FE00010\n",
    DEEP,
)


@pytest.mark.parametrize("path", NO_PATHS)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_bulk_path(path)
    assert caught.value.where == "bulkdata"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1", (1,)), ("5,1,5,900", (5, 1, 5, 900)), ("1, 2", (1, 2)), ("1%2C2%2c3", (1, 2, 3)), ("007", (7,))],
)
def test_frame_lists(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_frames(text) == numbers


@pytest.mark.parametrize("text", ["", "0", "a", "-1", "1,", "1,,2", "1-3", "9" * 20, "\u0661"])
def test_what_is_no_frame_list(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_frames(text)
