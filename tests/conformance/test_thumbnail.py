"""Retrieve thumbnails (PS3.18 10.4.1.1.4): which picture stands for what, and that it is a small one."""

from __future__ import annotations

import tracemalloc

import sqlalchemy as sa

from archive.index.schema import instances
from archive.model.level import Place
from archive.model.principal import ANYONE
from tests import builders
from tests.conformance.archive import Archive
from tests.conformance.pictures import fault, frames, image, levels, opened, paths, report
from tests.conformance.wado import stored_at

STUDY, SERIES, ONE = paths()


def level_of(archive: Archive, path: str) -> int:
    """Return the level of a thumbnail of one level."""
    return int(levels(archive.get(f"{path}/thumbnail", "image/png"))[0, 0])


def plain(number: int, level: int, **overrides: object) -> bytes:
    """Return an image of one level, which no window changes."""
    window = {"WindowCenter": 128, "WindowWidth": 256}
    return image(number, PixelData=bytes([level]) * 64 * 48, **window | overrides)  # type: ignore[arg-type]


def test_what_the_viewer_asks(archive: Archive) -> None:
    """The OHIF viewer sends viewport=256,256 for a series; aspect is kept, and a picture is not enlarged."""
    archive.stored(image(Rows=300, Columns=600, PixelData=bytes(300 * 600)))
    picture = opened(archive.get(f"{SERIES}/thumbnail?viewport=256,256", "image/jpeg"))
    assert (picture.format, picture.size) == ("JPEG", (256, 128))
    for path in (STUDY, SERIES, ONE, f"{ONE}/frames/1"):
        for accept in (None, "*/*", "image/*", "image/png"):
            assert opened(archive.get(f"{path}/thumbnail", accept)).size == (256, 128)
        assert opened(archive.get(f"{path}/thumbnail?viewport=30,99")).size == (30, 15)
    archive.stored(image(series=2))
    small = paths(series=2)[1]
    assert opened(archive.get(f"{small}/thumbnail")).size == (64, 48)
    assert opened(archive.get(f"{small}/thumbnail?viewport=256,256")).size == (64, 48)


def test_bad_values_and_types(archive: Archive) -> None:
    archive.stored(image())
    for path in (STUDY, SERIES, ONE, f"{ONE}/frames/1"):
        for value in ("0,0", "256", "256,256,0,0,1,1", "x,y", "99999,1"):
            status, told = fault(archive, f"{path}/thumbnail?viewport={value}")
            assert (status, told["where"]) == (400, "viewport")
        for accept in ("image/gif", "text/html", "application/dicom", "multipart/related; type=image/jpeg"):
            status, told = fault(archive, f"{path}/thumbnail", accept)
            assert (status, told["offered"]) == (406, ["image/jpeg", "image/png"])
    assert fault(archive, f"{ONE}/frames/1,1/thumbnail")[0] == 400
    assert fault(archive, f"{ONE}/frames/2/thumbnail")[0] == 404


def test_no_patient_in_it(archive: Archive) -> None:
    """10.4.1.1.4: annotations, which would name the patient, are not for thumbnails."""
    archive.stored(image())
    plain_ = archive.get(f"{ONE}/thumbnail").data
    assert archive.get(f"{ONE}/thumbnail?annotation=patient&quality=1&window=1,1,linear").data == plain_


def test_the_middle_frame_stands_for_a_multi_frame_image(archive: Archive) -> None:
    archive.stored(frames(5))
    assert (level_of(archive, ONE), level_of(archive, SERIES), level_of(archive, STUDY)) == (20, 20, 20)
    assert level_of(archive, f"{ONE}/frames/5") == 40


def test_the_middle_instance_stands_for_a_series(archive: Archive) -> None:
    """By instance number, of those with pixels; ones without a number come last."""
    archive.stored(*(plain(number, number * 10) for number in (4, 2, 5, 1, 3)))
    assert level_of(archive, SERIES) == 30
    archive.stored(report(8, series=1), report(9, series=1))
    assert level_of(archive, SERIES) == 30
    archive.stored(plain(6, 60), plain(7, 70, InstanceNumber=None))
    assert level_of(archive, SERIES) == 40
    archive.request("DELETE", paths(number=4)[2])
    assert level_of(archive, SERIES) == 30


def test_the_first_series_of_acquired_images_stands_for_a_study(archive: Archive) -> None:
    archive.stored(
        report(series=1),
        plain(1, 10, series=2, Modality="SEG"),
        plain(1, 20, series=3, Modality="OT"),
        plain(1, 30, series=5, Modality="MR"),
        plain(1, 40, series=4, Modality="CT"),
        plain(1, 50, series=6, Modality="CT", SeriesNumber=None),
    )
    shown = []
    for series in (4, 5, 6, 3, 2):
        shown.append(level_of(archive, STUDY))
        archive.request("DELETE", paths(series=series)[1])
    assert shown == [40, 30, 50, 20, 10]
    assert fault(archive, f"{STUDY}/thumbnail")[0] == 404


def test_what_has_no_image_has_no_thumbnail(archive: Archive) -> None:
    """BC-126: the viewer shows its own sign for a report; 404, not a made-up picture."""
    archive.stored(report(series=1))
    for path in (STUDY, SERIES, ONE, f"{ONE}/frames/1"):
        status, told = fault(archive, f"{path}/thumbnail", "image/jpeg")
        assert status == 404
        assert told["error"]


COPIES = 5000


def test_a_long_series_is_not_read_to_find_its_middle(archive: Archive) -> None:
    """One row leaves the database, whatever the number of instances."""
    archive.stored(plain(1, 10))
    service = archive.services.rendered

    def multiply(connection: sa.Connection) -> None:
        row = connection.execute(sa.select(instances)).one()._mapping
        own = [
            {"id": row["id"] + n, "sop_uid": f"1.2.{n}", "object_key": f"k{n}", "instance_number": n}
            for n in range(2, COPIES + 1)
        ]
        connection.execute(sa.insert(instances), [dict(row) | each for each in own])

    archive.services.database.write(multiply)
    where = Place(builders.uid("study", 1), builders.uid("series", 1, 1))
    service.representative(ANYONE, where)  # what is prepared once does not count
    tracemalloc.start()
    try:
        found = service.representative(ANYONE, where)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.instance.identity.sop_uid == f"1.2.{COPIES // 2}"
    assert peak < 300_000


def test_a_frame_far_into_an_encapsulated_image(archive: Archive) -> None:
    """The middle of 2,000 frames is beyond the first block of ranges that comes with the instance."""
    fragments = [_rle(number // 10) for number in range(2200)]
    shape = {"Rows": 2, "Columns": 2, "NumberOfFrames": 2200, "WindowCenter": 128, "WindowWidth": 256}
    path = stored_at(archive, builders.encapsulated(fragments, syntax=builders.RLE, **shape))
    assert level_of(archive, path) == 109
    assert level_of(archive, f"{path}/frames/2200") == 219


def _rle(level: int) -> bytes:
    """Return a frame of 2 x 2 pixels of one level (PS3.5 Annex G): one segment, one replicate run."""
    head = b"".join(number.to_bytes(4, "little") for number in (1, 64, *[0] * 14))
    return head + bytes([253, level])
