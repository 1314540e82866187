"""Presentation states rendered, and applied by WADO-URI (PS3.18 8.3.5 and 9.5.1.2.7)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from pydicom import Dataset
from sqlalchemy import event

from archive.dicomweb.uris import MAX_FRAMES
from tests import builders
from tests.conformance.archive import Archive, parts_of, send
from tests.conformance.pictures import fault, frames, image, levels, opened, paths

GSPS, BLENDING = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.11.4"
STATE = paths(series=7)[2]
STUDY = paths()[0]


def item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def state(*numbers: int, of_frames: list[int] | None = None, **overrides: Any) -> bytes:
    """Return a presentation state that shows numbered images of series 1 from 0 to 127, all above white."""
    references = [
        item(
            ReferencedSOPClassUID=builders.SECONDARY_CAPTURE,
            ReferencedSOPInstanceUID=builders.uid("picture", 1, 1, number),
            **({} if of_frames is None else {"ReferencedFrameNumber": of_frames}),
        )
        for number in numbers
    ]
    series = item(SeriesInstanceUID=builders.uid("series", 1, 1), ReferencedImageSequence=references)
    area = item(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[64, 48],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    values = {
        "SOPClassUID": GSPS,
        "Modality": "PR",
        "ReferencedSeriesSequence": [series],
        "DisplayedAreaSelectionSequence": [area],
        "SoftcopyVOILUTSequence": [item(WindowCenter=64, WindowWidth=128)],
        "PresentationLUTShape": "IDENTITY",
        "ContentLabel": "BRIGHT",
    }
    return image(1, series=7, **builders.without_pixels() | values | overrides)


def test_the_image_is_shown_as_the_state_says(archive: Archive) -> None:
    archive.stored(image(), state(1))
    plain = levels(archive.get(f"{paths()[2]}/rendered", "image/png"))
    for accept in (None, "*/*", "image/jpeg"):
        assert opened(archive.get(f"{STATE}/rendered", accept)).size == (64, 48)
    shown = levels(archive.get(f"{STATE}/rendered", "image/png"))
    assert shown[0, 40] == 255 > plain[0, 40]
    assert abs(int(shown[0, 16]) - 2 * int(plain[0, 16])) < 4
    small = levels(archive.get(f"{STATE}/rendered?viewport=32,32", "image/png"))
    assert max(small.shape) == 32
    thumbnail = opened(archive.get(f"{STATE}/thumbnail?viewport=16,16"))
    assert max(thumbnail.size) == 16


def test_what_a_state_may_not_be_asked(archive: Archive) -> None:
    """8.3.5.1.3 and 8.3.5.1.4: it has an area and a window of its own."""
    archive.stored(image(), state(1))
    for name, value in (("window", "1,2,linear"), ("viewport", "10,10,1,1,5,5")):
        status, told = fault(archive, f"{STATE}/rendered?{name}={value}")
        assert (status, told["where"]) == (400, name)


def test_several_images_are_parts(archive: Archive) -> None:
    archive.stored(*(image(n, PixelData=bytes([n * 10]) * 64 * 48) for n in (1, 2, 3)), state(3, 1, 9))
    found = parts_of(archive.get(f"{STATE}/rendered", "multipart/related; type=image/png"))
    shown = [int(np.asarray(Image.open(io.BytesIO(body)))[0, 0]) for _, body in found]
    assert [round(level / 20) for level in shown] == [3, 1]
    one = levels(archive.get(f"{STATE}/rendered", "image/png"))
    assert one[0, 0] == shown[0]


def test_the_frames_that_are_named(archive: Archive) -> None:
    archive.stored(frames(5), state(1, of_frames=[2, 5]))
    found = parts_of(archive.get(f"{STATE}/rendered", "multipart/related; type=image/png"))
    shown = [round(int(np.asarray(Image.open(io.BytesIO(body)))[0, 0]) / 20) for _, body in found]
    assert shown == [1, 4]


def test_no_more_frames_than_one_may_ask_for(archive: Archive) -> None:
    """What is stored can ask for as much work as a client can, and is bounded as that is."""
    archive.stored(image(), state(1, of_frames=[1] * (MAX_FRAMES + 1)))
    for accept in ("image/png", "multipart/related; type=image/png"):
        status, told = fault(archive, f"{STATE}/rendered", accept)
        assert (status, str(MAX_FRAMES) in told["error"]) == (406, True)
    assert archive.get(f"{STATE}/rendered", "text/html").mimetype == "text/html"


def test_images_that_are_not_here_are_asked_for_together(archive: Archive) -> None:
    archive.stored(image(), state(*range(2, 1002), 1, 1))
    statements: list[str] = []
    engine = archive.services.database.engine
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    found = parts_of(archive.get(f"{STATE}/rendered", "multipart/related; type=image/png"))
    assert len(found) == 2
    assert len(statements) < 20


def test_images_that_are_not_here(archive: Archive) -> None:
    """409: the state itself is there, and its page too."""
    archive.stored(state(1))
    for end in ("rendered", "thumbnail"):
        status, told = fault(archive, f"{STATE}/{end}", "image/jpeg")
        assert status == 409
        assert "images" in told["error"]
    assert archive.get(f"{STATE}/rendered", "text/html").mimetype == "text/html"
    archive.stored(image())
    etag = archive.get(f"{STATE}/rendered").headers["ETag"]
    assert archive.get(f"{STATE}/rendered", If_None_Match=etag).status_code == 304
    archive.request("DELETE", paths()[2])
    assert archive.get(f"{STATE}/rendered", "image/jpeg", If_None_Match=etag).status_code == 409


def test_what_cannot_be_applied_is_a_page(archive: Archive) -> None:
    archive.stored(image(), state(1, SOPClassUID=BLENDING))
    assert archive.get(f"{STATE}/rendered").mimetype == "text/html"
    assert fault(archive, f"{STATE}/rendered", "image/png")[0] == 406
    assert fault(archive, f"{STATE}/thumbnail")[0] == 404


def test_in_a_study(archive: Archive) -> None:
    """A state is a part like any other; where it has nothing to show it is left out, and so with a window."""
    archive.stored(image(), state(1))
    assert len(parts_of(archive.get(f"{STUDY}/rendered", "image/png"))) == 2
    assert opened(archive.get(f"{STUDY}/rendered?window=1,2,linear", "image/png")).size == (64, 48)
    archive.stored(image(2), image(3))
    archive.request("DELETE", paths()[2])
    assert len(parts_of(archive.get(f"{STUDY}/rendered", "image/png"))) == 2


def test_a_series_of_states_changes_with_their_images(archive: Archive) -> None:
    """What a state shows stands in another series, whose changes leave the revision of its own as it was."""
    archive.stored(image(PixelData=bytes([20]) * 64 * 48), image(2), state(1))
    series = f"{paths(series=7)[1]}/rendered"
    before = archive.get(series, "image/png")
    etag = before.headers["ETag"]
    assert archive.get(series, "image/png", If_None_Match=etag).status_code == 304
    archive.request("DELETE", paths()[2])
    archive.stored(image(PixelData=bytes([60]) * 64 * 48))
    after = archive.get(series, "image/png", If_None_Match=etag)
    assert after.status_code == 200
    assert levels(after)[0, 0] != levels(before)[0, 0]
    unknown = f"{paths(series=8)[1]}/rendered"
    assert archive.get(unknown, "image/png", If_None_Match="*").status_code == 404


def test_wado_uri_applies_a_state(archive: Archive) -> None:
    archive.stored(image(), image(2), state(1))
    applied = levels(wado(archive))
    assert np.array_equal(applied, levels(archive.get(f"{STATE}/rendered", "image/png")))
    assert levels(wado(archive, "region=0.5,0,1,1")).shape == (48, 32)
    series, uid = builders.uid("series", 1, 7), builders.uid("picture", 1, 7, 1)
    for query, where in (
        ("&frameNumber=1", "frameNumber"),
        ("&windowCenter=1&windowWidth=2", "windowCenter"),
        ("&presentationSeriesUID=1.2", "presentationSeriesUID"),
    ):
        answer = wado(archive, query.removeprefix("&"))
        assert (answer.status_code, answer.get_json()["where"]) == (400, where)
    for wrong in (
        {"series": "1.2", "uid": "1.3"},
        {"series": builders.uid("series", 1, 1), "uid": builders.uid("picture", 1, 1, 2)},
        {"series": series, "uid": uid, "number": 2},
    ):
        answer = wado(archive, **wrong)
        assert (answer.status_code, answer.get_json()["where"]) == (400, "presentationUID")


def wado(archive: Archive, query: str = "", series: str = "", uid: str = "", number: int = 1) -> Any:
    """Ask for an image with the state applied."""
    names = {
        "requestType": "WADO",
        "contentType": "image/png",
        "studyUID": builders.uid("study", 1),
        "seriesUID": builders.uid("series", 1, 1),
        "objectUID": builders.uid("picture", 1, 1, number),
        "presentationSeriesUID": series or builders.uid("series", 1, 7),
        "presentationUID": uid or builders.uid("picture", 1, 7, 1),
    }
    pairs = "&".join(f"{name}={value}" for name, value in names.items())
    return send(archive, "GET", f"/wado?{pairs}&{query}")
