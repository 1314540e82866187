"""Retrieve rendered instances, frames, series and studies (PS3.18 10.4.1.1.3)."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archive.errors import Overtime
from archive.rendering.video import Mp4
from tests import builders
from tests.conformance.archive import Archive, parts_of
from tests.conformance.faults import Faulty
from tests.conformance.pictures import (
    MPEG2,
    MPEG4,
    fault,
    frames,
    image,
    levels,
    opened,
    paths,
    ramp,
    report,
)
from tests.conformance.stores import warning
from tests.conformance.wado import lose_object, stored_at
from tests.samples import pydicom_file

JPEG_PARTS = 'multipart/related; type="image/jpeg"'
STUDY, SERIES, ONE = paths()


def test_a_single_frame_is_a_jpeg(archive: Archive) -> None:
    """Table 8.7.4-1: image/jpeg is the default; a browser's link needs no Accept."""
    archive.stored(image())
    for accept in (None, "*/*", "image/*", "image/jpeg", "image/jpg", "image/avif,image/webp,*/*;q=0.8"):
        picture = opened(archive.get(f"{ONE}/rendered", accept))
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "L", (64, 48))
    assert np.abs(levels(archive.get(f"{ONE}/rendered")).astype(int) - np.linspace(0, 255, 64)).max() < 8


def test_other_pictures(archive: Archive) -> None:
    archive.stored(image())
    for accept in ("image/png", "image/gif"):
        for answer in (
            archive.get(f"{ONE}/rendered", accept),
            archive.get(f"{ONE}/rendered?accept={accept}"),
        ):
            assert np.array_equal(levels(answer)[0], np.frombuffer(ramp()[:64], np.uint8))
            assert answer.headers["Content-Type"] == accept


def test_parts_for_those_who_ask_for_them(archive: Archive) -> None:
    archive.stored(image())
    for path, location in ((ONE, ONE), (f"{ONE}/frames/1", f"{ONE}/frames/1")):
        answer = archive.get(f"{path}/rendered", JPEG_PARTS)
        assert answer.headers["Content-Type"].startswith('multipart/related; type="image/jpeg"; boundary=')
        ((headers, body),) = parts_of(answer)
        assert headers["content-type"] == "image/jpeg"
        assert headers["content-location"] == f"http://localhost/dicom-web{location}/rendered"
        assert Image.open(io.BytesIO(body)).format == "JPEG"


def test_what_is_offered_for_this_instance_is_said(archive: Archive) -> None:
    """BC-085: 406 names what there is, and never another type."""
    archive.stored(image())
    for accept in ("application/dicom", "text/html", "video/mp4", "application/dicom+json"):
        status, told = fault(archive, f"{ONE}/rendered", accept)
        assert status == 406
        assert {"image/jpeg", "image/png", "image/gif"} <= set(told["offered"])
        assert "text/html" not in told["offered"]


def test_dicom_and_rendered_types_are_not_mixed(archive: Archive) -> None:
    """8.7.5: Accept holds DICOM types or rendered ones, not both."""
    archive.stored(image(), image(2))
    for path in (ONE, SERIES, STUDY, f"{ONE}/frames/1"):
        status, told = fault(archive, f"{path}/rendered", "application/dicom, image/png")
        assert (status, told["where"]) == (400, "accept")


PARAMETERS: list[tuple[str, Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], bool]]] = [
    ("viewport=32,32", lambda _, new: new.shape == (24, 32)),
    ("viewport=128,100", lambda _, new: new.shape == (96, 128)),
    ("viewport=16,12,,,16,12", lambda old, new: np.array_equal(new, old[:12, :16])),
    ("viewport=16,12,32,6,16,12", lambda old, new: np.array_equal(new, old[6:18, 32:48])),
    ("viewport=64,48,,,-64,48", lambda old, new: np.array_equal(new, old[:, ::-1])),
    ("viewport=64%2C48%2C%2C%2C64%2C-48", lambda old, new: np.array_equal(new, old[::-1])),
    ("window=128,2,linear", lambda _, new: set(np.unique(new)) <= {0, 255}),
    ("window=60,120,linear-exact", lambda _, new: int(new[0, 32]) == 255),
    ("window=128,128,sigmoid", lambda old, new: not np.array_equal(old, new) and new.min() > 0),
    ("annotation=patient,technique", lambda old, new: not np.array_equal(old, new)),
    ("iccprofile=no&unknown=1&Viewport=x", np.array_equal),
]


def test_each_parameter(archive: Archive) -> None:
    """8.3.5.1; unknown parameters are ignored."""
    archive.stored(image())
    plain = levels(archive.get(f"{ONE}/rendered", "image/png"))
    for query, holds in PARAMETERS:
        for path in (ONE, f"{ONE}/frames/1"):
            shown = levels(archive.get(f"{path}/rendered?{query}", "image/png"))
            assert holds(plain, shown), query


def test_quality_is_of_jpeg(archive: Archive) -> None:
    noise = np.random.default_rng(1).integers(0, 255, 64 * 48, np.uint8).tobytes()
    archive.stored(image(PixelData=noise))
    sizes = [len(archive.get(f"{ONE}/rendered?quality={quality}").data) for quality in (1, 50, 100)]
    assert sizes[0] < sizes[1] < sizes[2]
    same = {archive.get(f"{ONE}/rendered?quality={q}", "image/png").headers["ETag"] for q in (1, 100)}
    assert len(same) == 1


BAD = [
    ("viewport", "0,0"),
    ("viewport", "99999,99999"),
    ("viewport", "1,2,3,4,5,6,7"),
    ("viewport", "1"),
    ("window", "a,b,c"),
    ("window", "40,400"),
    ("window", "40,400,cubic"),
    ("quality", "101"),
    ("quality", ""),
    ("annotation", "foo"),
    ("annotation", ""),
    ("iccprofile", "maybe"),
    ("accept", "nonsense"),
]


def test_a_bad_value_names_its_parameter(archive: Archive) -> None:
    """BC-127: 400 with the parameter named, at every level, and no work done."""
    archive.stored(image(), image(2))
    tasks = counted(archive)
    for name, value in BAD:
        for path in (ONE, f"{ONE}/frames/1", f"{ONE}/frames/1,1", SERIES, STUDY):
            status, told = fault(archive, f"{path}/rendered?{name}={value}")
            assert (status, told["where"], tasks) == (400, name, []), value


def test_a_viewport_that_shows_nothing(archive: Archive) -> None:
    archive.stored(image())
    status, told = fault(archive, f"{ONE}/rendered?viewport=10,10,500,500,5,5")
    assert (status, told["where"]) == (400, "viewport")


def test_a_profile_in_a_type_that_has_none(archive: Archive) -> None:
    """8.3.5.1.5: 400 where the media type does not carry profiles."""
    archive.stored(image())
    status, told = fault(archive, f"{ONE}/rendered?iccprofile=srgb", "image/gif")
    assert (status, told["where"]) == (400, "iccprofile")


def test_what_is_not_there(archive: Archive) -> None:
    archive.stored(image(), frames(3, number=2))
    for path in (STUDY, SERIES, ONE):
        for end in ("rendered", "thumbnail"):
            other = path.replace(builders.uid("study", 1), "1.2.3")
            assert fault(archive, f"{other}/{end}")[0] == 404
            assert fault(archive, f"{path.replace(builders.uid('study', 1), '1..2')}/{end}")[0] == 400
    multi = paths(number=2)[2]
    for numbers, status in (("4", 404), ("1,4", 404), ("0", 400), ("x", 400), ("1,,2", 400)):
        assert fault(archive, f"{multi}/frames/{numbers}/rendered")[0] == status
    assert fault(archive, f"{multi}/frames/{','.join(['1'] * 10_001)}/rendered")[0] == 400


def test_what_was_deleted_is_gone(archive: Archive) -> None:
    archive.stored(image(), image(2, series=2), image(study=2))
    assert archive.get(f"{ONE}/rendered").status_code == 200
    archive.request("DELETE", ONE)
    for path in (ONE, f"{ONE}/frames/1"):
        for end in ("rendered", "thumbnail"):
            assert fault(archive, f"{path}/{end}")[0] == 410
    archive.request("DELETE", STUDY)
    for path in (STUDY, SERIES, ONE):
        for end in ("rendered", "thumbnail"):
            assert fault(archive, f"{path}/{end}")[0] == 410
    assert archive.get(f"{paths(study=2)[0]}/rendered").status_code == 200


def test_what_cannot_be_decoded_is_406_and_no_picture(archive: Archive) -> None:
    """BC-123: a broken or unknown codestream never becomes a placeholder with 200."""
    shape = {"Rows": 8, "Columns": 8}
    broken = builders.encapsulated([b"\xff\xd8\xff\xf7 no image"], **shape)
    unknown = builders.encapsulated(
        [b"abcd"], syntax="1.2.3.4", SOPInstanceUID=builders.uid("unknown"), **shape
    )
    short = builders.instance(SOPInstanceUID=builders.uid("short"), PixelData=bytes(10))
    for data in (broken, unknown, short):
        path = stored_at(archive, data)
        for end in ("rendered", "thumbnail", "frames/1/rendered", "frames/1/thumbnail"):
            for accept in ("*/*", "image/png"):
                answer = archive.get(f"{path}/{end}", accept)
                assert (answer.status_code, answer.mimetype) == (406, "application/json")
                assert answer.get_json()["error"]


def test_a_missing_object_is_our_fault(archive: Archive) -> None:
    archive.stored(image())
    lose_object(archive, builders.uid("picture", 1, 1, 1))
    assert fault(archive, f"{ONE}/rendered")[0] == 500


def test_head_is_get_without_a_body(archive: Archive) -> None:
    archive.stored(image(), frames(3, number=2))
    for path in (f"{ONE}/rendered", f"{ONE}/thumbnail", f"{SERIES}/thumbnail", f"{SERIES}/rendered"):
        get, head = archive.get(path), archive.request("HEAD", path)
        assert (head.status_code, head.data) == (200, b"")
        for name in ("Content-Length", "ETag"):
            assert head.headers.get(name) == get.headers.get(name)


def counted(archive: Archive) -> list[str]:
    """Count the tasks of the sandbox from now on, by their names."""
    tasks: list[str] = []
    service = archive.services.rendered
    run = service.sandbox.run

    def noted(task: str, *arguments: Any) -> Any:
        tasks.append(task)
        return run(task, *arguments)

    service.sandbox = Faulty(service.sandbox, run=noted)
    return tasks


def test_validators_spare_the_work(archive: Archive) -> None:
    """BC-161: the ETag changes with the rendering and the address; 304 comes before any work."""
    archive.stored(image(), image(2))
    seen = set()
    for path in (ONE, f"{ONE}/frames/1", f"{ONE}/frames/1,1", SERIES, STUDY):
        for query, accept in (("", None), ("?viewport=10,10", None), ("", "image/png")):
            answer = archive.get(f"{path}/rendered{query}", accept)
            etag = answer.headers["ETag"]
            assert etag not in seen
            seen.add(etag)
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert answer.headers["Vary"] == "Accept, Accept-Encoding, Authorization"
            tasks = counted(archive)
            again = archive.get(f"{path}/rendered{query}", accept, If_None_Match=etag)
            assert (again.status_code, again.data, again.headers["ETag"], tasks) == (304, b"", etag, [])
    before = archive.get(f"{SERIES}/rendered").headers["ETag"]
    archive.stored(image(3))
    assert archive.get(f"{SERIES}/rendered").headers["ETag"] != before


def test_results_are_kept_within_a_bound(archive: Archive) -> None:
    archive.stored(image())
    tasks = counted(archive)
    first = archive.get(f"{ONE}/rendered", "image/png")
    assert archive.get(f"{ONE}/rendered", "image/png").data == first.data
    assert archive.get(f"{ONE}/frames/1/rendered", "image/png").data == first.data
    assert len(tasks) == 1
    archive.get(f"{ONE}/rendered?quality=5")
    assert len(tasks) == 2
    kept = archive.services.rendered.kept
    assert 0 < kept.size <= archive.services.settings.render_cache
    archive.request("DELETE", ONE)
    assert fault(archive, f"{ONE}/rendered")[0] == 410  # what is kept gives nobody access


def test_those_who_ask_at_once_share_the_work(archive: Archive) -> None:
    archive.stored(image())
    service = archive.services.rendered
    run, tasks = service.sandbox.run, []
    others_wait = threading.Event()

    def slow(task: str, *arguments: Any) -> Any:
        tasks.append(task)
        others_wait.wait(20)
        return run(task, *arguments)

    service.sandbox = Faulty(service.sandbox, run=slow)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(archive.get(f"{ONE}/rendered"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    others_wait.set()
    for thread in threads:
        thread.join()
    assert tasks == ["render"]
    assert {(answer.status_code, answer.data) for answer in answers} == {(200, answers[0].data)}


def test_a_multi_frame_image(archive: Archive) -> None:
    """A moving GIF to those who take anything or GIF; the middle frame to those who want a picture."""
    archive.stored(frames(5))
    for accept in (None, "*/*", "image/gif"):
        picture = opened(archive.get(f"{ONE}/rendered", accept))
        assert (picture.format, getattr(picture, "n_frames", 1)) == ("GIF", 5)
    for accept in ("image/png", "image/jpeg"):
        assert abs(int(levels(archive.get(f"{ONE}/rendered", accept))[0, 0]) - 20) < 3
    small = opened(archive.get(f"{ONE}/rendered?viewport=32,32", "image/gif"))
    assert (small.size, getattr(small, "n_frames", 1)) == ((32, 24), 5)


def test_frames_come_in_the_order_of_the_list(archive: Archive) -> None:
    archive.stored(frames(5))
    answer = archive.get(f"{ONE}/frames/4,1,4/rendered", "image/png")
    assert answer.headers["Content-Type"].startswith('multipart/related; type="image/png"')
    found = parts_of(answer)
    assert [np.asarray(Image.open(io.BytesIO(body)))[0, 0] for _, body in found] == [30, 0, 30]
    for (headers, _), number in zip(found, (4, 1, 4), strict=True):
        assert headers["content-location"].endswith(f"{ONE}/frames/{number}/rendered")
    one = archive.get(f"{ONE}/frames/2/rendered", "image/png")
    assert levels(one)[0, 0] == 10


def test_a_series_is_a_part_for_each_instance(archive: Archive) -> None:
    """Each part says which instance it shows; the order is that of instance numbers."""
    archive.stored(
        *(
            image(number, PixelData=bytes([number * 40]) * 64 * 48, WindowCenter=128, WindowWidth=256)
            for number in (3, 1, 2)
        )
    )
    for accept in ("*/*", "image/png", 'multipart/related; type="image/png"'):
        answer = archive.get(f"{SERIES}/rendered", accept)
        assert (answer.status_code, "Warning" in answer.headers) == (200, False)
        assert answer.headers["Content-Type"].startswith("multipart/related")
        found = parts_of(answer)
        locations = [headers["content-location"] for headers, _ in found]
        assert locations == [f"http://localhost/dicom-web{paths(number=n)[2]}/rendered" for n in (1, 2, 3)]
        shown = [int(np.asarray(Image.open(io.BytesIO(body)))[0, 0]) for _, body in found]
        assert all(abs(level - number * 40) < 3 for level, number in zip(shown, (1, 2, 3), strict=True))


def test_a_study_of_several_kinds(archive: Archive) -> None:
    """What has no rendering that is accepted is left out and counted; a multi-frame image is one picture."""
    archive.stored(image(), frames(4, number=2, series=2), report())
    answer = archive.get(f"{STUDY}/rendered", "image/jpeg")
    assert [headers["content-type"] for headers, _ in parts_of(answer)] == ["image/jpeg", "image/jpeg"]
    assert warning(answer).startswith("1 of 3 instances")
    kinds = [headers["content-type"] for headers, _ in parts_of(archive.get(f"{STUDY}/rendered"))]
    assert kinds == ["image/jpeg", "image/jpeg", "text/html; charset=utf-8"]
    moving = archive.get(f"{STUDY}/rendered", "image/gif;q=1, image/jpeg;q=0")
    assert [headers["content-type"] for headers, _ in parts_of(moving)] == ["image/gif", "image/gif"]
    status, told = fault(archive, f"{STUDY}/rendered", "application/dicom")
    assert status == 406
    assert told["offered"]
    assert fault(archive, f"{STUDY}/rendered", "video/mpeg")[0] == 406


def test_the_only_one_of_a_series_goes_by_itself(archive: Archive) -> None:
    """As a client expects that asks for image/jpeg; parts still for those who ask for them."""
    archive.stored(image(), report(2, series=1))
    for path in (SERIES, STUDY):
        answer = archive.get(f"{path}/rendered", "image/jpeg")
        assert opened(answer).format == "JPEG"
        assert warning(answer).startswith("1 of 2 instances")
        assert len(parts_of(archive.get(f"{path}/rendered", JPEG_PARTS))) == 1


def test_one_that_breaks_harms_no_other(archive: Archive) -> None:
    broken = {"Rows": 48, "Columns": 64, "SeriesInstanceUID": builders.uid("series", 1, 1)}
    archive.stored(
        image(),
        builders.encapsulated([b"\xff\xd8\xff\xf7 no"], SOPInstanceUID=builders.uid("broken"), **broken),
        image(3),
    )
    found = parts_of(archive.get(f"{SERIES}/rendered"))
    assert len(found) == 2
    for number in (1, 3):
        archive.request("DELETE", paths(number=number)[2])
    assert fault(archive, f"{SERIES}/rendered")[0] == 406


def test_no_answer_is_whole_that_lacks_what_took_too_long(archive: Archive) -> None:
    """The ETag is that of all parts: with an end, the client would be told for ever that it has them."""
    slow = bytes([9]) * 64 * 48
    archive.stored(image(), image(2, PixelData=slow), image(3))
    service = archive.services.rendered
    run = service.sandbox.run

    def late(task: str, options: Any, head: bytes, frame: bytes) -> Any:
        if frame == slow:
            raise Overtime("it took too long")
        return run(task, options, head, frame)

    service.sandbox = Faulty(service.sandbox, run=late)
    answer = archive.request("GET", f"{SERIES}/rendered", buffered=False)
    sent = []
    with pytest.raises(ConnectionResetError):
        sent.extend(answer.response)
    answer.close()
    assert b"".join(sent).count(b"Content-Type: image/jpeg") == 2


def test_a_client_that_leaves_stops_the_work(archive: Archive) -> None:
    """No thread goes on rendering a series that nobody reads."""
    archive.stored(*(image(number, PixelData=bytes([number]) * 64 * 48) for number in range(1, 31)))
    tasks = counted(archive)
    answer = archive.request("GET", f"{SERIES}/rendered", buffered=False)
    assert next(iter(answer.response))
    answer.close()
    assert len(tasks) < 12
    done = len(tasks)
    assert archive.get(f"{ONE}/thumbnail").status_code == 200
    assert len(tasks) <= done + 3


REAL = ("CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm")


def test_real_images(archive: Archive) -> None:
    """Big Endian, Deflated and compressed: a picture with contrast, of the size of the image."""
    for name in REAL:
        path = stored_at(archive, pydicom_file(name).read_bytes())
        (attributes,) = archive.json(f"{path}/metadata")
        picture = levels(archive.get(f"{path}/rendered", "image/png"))
        assert picture.shape == (attributes["00280010"]["Value"][0], attributes["00280011"]["Value"][0])
        assert picture.std() > 10, name


def test_a_head_that_is_too_long_is_told(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.services.rendered_source.MAX_HEAD", 1000)
    archive.stored(image(ICCProfile=bytes(2000)))
    status, told = fault(archive, f"{ONE}/rendered")
    assert status == 406
    assert re.search(r"\d+ bytes beside the pixels", told["error"])


def test_a_long_multi_frame_image_is_not_made_to_move(archive: Archive) -> None:
    archive.stored(frames(520, rows=4, columns=4))
    picture = opened(archive.get(f"{ONE}/rendered"))
    assert (picture.format, picture.size) == ("JPEG", (4, 4))
    status, told = fault(archive, f"{ONE}/rendered", "image/gif")
    assert (status, "image/gif" in told["offered"]) == (406, False)


class TestVideo:
    """Stored video goes as it is stored, with ranges, as browsers need (BC-167)."""

    STREAM = bytes(range(256)) * 5 + b"\x01"

    def video(self, **overrides: Any) -> bytes:
        """Return a video whose stream has an odd length, told by (7FE0,0003)."""
        told = {"EncapsulatedPixelDataValueTotalLength": len(self.STREAM)}
        values = {"SOPInstanceUID": builders.uid("picture", 1, 1, 1), "NumberOfFrames": 30}
        return builders.encapsulated([self.STREAM + b"\0"], syntax=MPEG4, **values | told | overrides)

    def test_as_stored(self, archive: Archive) -> None:
        path = stored_at(archive, self.video())
        for accept in (None, "*/*", "video/*", "video/mp4"):
            answer = archive.get(f"{path}/rendered", accept)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "video/mp4")
            assert (answer.data, answer.headers["Accept-Ranges"]) == (self.STREAM, "bytes")
        ((headers, body),) = parts_of(archive.get(f"{path}/rendered", "multipart/related; type=video/mp4"))
        assert (headers["content-type"], body.rstrip(b"\0")) == ("video/mp4", self.STREAM)

    def test_ranges(self, archive: Archive) -> None:
        path = stored_at(archive, self.video())
        size = len(self.STREAM)
        for asked, start, stop in (("0-1", 0, 2), ("100-", 100, size), ("-500", size - 500, size)):
            answer = archive.get(f"{path}/rendered", "video/mp4", Range=f"bytes={asked}")
            assert (answer.status_code, answer.data) == (206, self.STREAM[start:stop])
            assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        beyond = archive.get(f"{path}/rendered", Range=f"bytes={size}-")
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")

    def test_without_a_length_padding_stays(self, archive: Archive) -> None:
        path = stored_at(archive, self.video(EncapsulatedPixelDataValueTotalLength=None))
        assert archive.get(f"{path}/rendered").data == self.STREAM + b"\0"

    def test_a_length_that_lies_is_not_believed(self, archive: Archive) -> None:
        path = stored_at(archive, self.video(EncapsulatedPixelDataValueTotalLength=7))
        assert archive.get(f"{path}/rendered").data == self.STREAM + b"\0"

    def test_in_fragments(self, archive: Archive) -> None:
        path = stored_at(archive, builders.encapsulated([b"ab", b"cd"], syntax=MPEG2, NumberOfFrames=30))
        answer = archive.get(f"{path}/rendered", "video/mpeg")
        assert (answer.status_code, answer.data) == (200, b"abcd")

    def test_pictures_of_it(self, archive: Archive) -> None:
        """A frame is a picture like any other, and so is the thumbnail."""
        made = Mp4(64, 48, 0.1, 90)
        for number in range(6):
            made.add(np.full((48, 64, 3), number * 40, np.uint8))
        colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_PARTIAL_420"}
        values = {"Rows": 48, "Columns": 64, "NumberOfFrames": 6, **colour}
        data = builders.encapsulated([made.close()], syntax=MPEG4, **values)
        path = stored_at(archive, data)
        assert archive.get(f"{path}/rendered").mimetype == "video/mp4"
        for end, level in (("rendered", 80), ("thumbnail", 80), ("frames/5/rendered", 160)):
            picture = levels(archive.get(f"{path}/{end}", "image/png"))
            assert picture.shape == (48, 64)
            assert abs(int(picture[24, 32]) - level) < 8
        assert fault(archive, f"{path}/frames/7/rendered")[0] == 404

    def test_not_as_something_else(self, archive: Archive) -> None:
        path = stored_at(archive, self.video())
        status, told = fault(archive, f"{path}/rendered", "video/mpeg")
        assert (status, "video/mp4" in told["offered"]) == (406, True)
