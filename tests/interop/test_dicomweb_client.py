"""Every search, retrieve and store call of dicomweb-client, against four workers on PostgreSQL and S3."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import requests
from dicomweb_client import DICOMwebClient
from PIL import Image

from tests import builders
from tests.samples import pydicom_file
from tests.services.filmroom import Filmroom

JPEG = "1.2.840.10008.1.2.4.50"
LEVELS = ("studies", "series", "instances")


@pytest.fixture(scope="module")
def client(live: Filmroom) -> Iterator[DICOMwebClient]:
    """Give a client of a live archive."""
    with requests.Session() as session:
        yield DICOMwebClient(live.url, session=session)


def dataset(path: Path) -> pydicom.Dataset:
    """Read a file without touching what it does not need."""
    return pydicom.dcmread(path)


@pytest.fixture(scope="module")
def ct(client: DICOMwebClient) -> pydicom.Dataset:
    """Store a CT slice and return it."""
    ds = dataset(pydicom_file("CT_small.dcm"))
    client.store_instances([ds])
    return ds


@pytest.fixture(scope="module")
def many(client: DICOMwebClient) -> list[pydicom.Dataset]:
    """Store six instances of two series of one study and return them."""
    made = [
        pydicom.dcmread(
            BytesIO(
                builders.instance(
                    SOPInstanceUID=builders.uid("interop", number),
                    StudyInstanceUID=builders.uid("interop study"),
                    SeriesInstanceUID=builders.uid("interop series", number % 2),
                    SeriesNumber=number % 2 + 1,
                    InstanceNumber=number,
                    PatientID="INTEROP",
                    Modality=("CT", "PT")[number % 2],
                )
            )
        )
        for number in range(6)
    ]
    answer = client.store_instances(made)
    assert len(answer.ReferencedSOPSequence) == 6
    return made


def uids(ds: pydicom.Dataset) -> tuple[str, str, str]:
    return ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID


def test_store_tells_of_a_duplicate(client: DICOMwebClient, ct: pydicom.Dataset) -> None:
    assert len(client.store_instances([ct]).ReferencedSOPSequence) == 1
    other = dataset(pydicom_file("CT_small.dcm"))
    other.PatientName = "Somebody^Else"
    with pytest.raises(requests.HTTPError) as raised:
        client.store_instances([other], study_instance_uid=ct.StudyInstanceUID)
    assert raised.value.response.status_code == 409


def test_searches(client: DICOMwebClient, many: list[pydicom.Dataset]) -> None:
    study = many[0].StudyInstanceUID
    (found,) = client.search_for_studies(search_filters={"PatientID": "INTEROP"}, fields=["StudyDescription"])
    assert found["0020000D"]["Value"] == [study]
    assert found["00201208"]["Value"] == [6]
    assert sorted(found["00080061"]["Value"]) == ["CT", "PT"]
    assert len(client.search_for_studies(search_filters={"PatientName": "tes*"}, fuzzymatching=True)) >= 1
    assert len(client.search_for_series(study)) == 2
    assert len(client.search_for_series(search_filters={"Modality": "PT", "PatientID": "INTEROP"})) == 1
    assert len(client.search_for_instances(study)) == 6
    assert len(client.search_for_instances(study, many[0].SeriesInstanceUID)) == 3
    assert (
        len(client.search_for_instances(search_filters={"StudyInstanceUID": study}, limit=2, offset=5)) == 1
    )
    everything = client.search_for_instances(study, limit=2, get_remaining=True)
    assert len({each["00080018"]["Value"][0] for each in everything}) == 6


def test_retrieve_study_and_series(client: DICOMwebClient, many: list[pydicom.Dataset]) -> None:
    study, series, _ = uids(many[0])
    assert {ds.SOPInstanceUID for ds in client.retrieve_study(study)} == {ds.SOPInstanceUID for ds in many}
    assert [ds.InstanceNumber for ds in client.iter_series(study, series)] == [0, 2, 4]
    assert len(client.retrieve_series(study, series)) == 3
    assert sum(1 for _ in client.iter_study(study)) == 6
    assert len(client.retrieve_study_metadata(study)) == 6
    assert len(client.retrieve_series_metadata(study, series)) == 3


def test_retrieve_instance(client: DICOMwebClient, ct: pydicom.Dataset) -> None:
    back = client.retrieve_instance(*uids(ct))
    assert back == ct
    metadata = pydicom.Dataset.from_json(client.retrieve_instance_metadata(*uids(ct)), lambda *_: b"")
    assert metadata.PatientName == ct.PatientName
    assert metadata.Rows == ct.Rows


def test_frames_and_bulk_data(client: DICOMwebClient, ct: pydicom.Dataset) -> None:
    (frame,) = client.retrieve_instance_frames(*uids(ct), frame_numbers=[1])
    assert frame == ct.PixelData
    assert list(client.iter_instance_frames(*uids(ct), frame_numbers=[1])) == [ct.PixelData]
    uri = client.retrieve_instance_metadata(*uids(ct))["7FE00010"]["BulkDataURI"]
    assert client.retrieve_bulkdata(uri) == [ct.PixelData]
    assert list(client.iter_bulkdata(uri)) == [ct.PixelData]
    # The client asks for multipart, and Range says nothing of multipart: the whole value is right.
    assert client.retrieve_bulkdata(uri, byte_range=(10, 19)) == [ct.PixelData]
    octets = client.retrieve_instance_frames(
        *uids(ct), frame_numbers=[1], media_types=(("application/octet-stream", "1.2.840.10008.1.2.1"),)
    )
    assert octets == [ct.PixelData]


def test_compressed_frames(client: DICOMwebClient) -> None:
    ds = dataset(pydicom_file("SC_rgb_jpeg_dcmtk.dcm"))
    client.store_instances([ds])
    (frame,) = client.retrieve_instance_frames(
        *uids(ds), frame_numbers=[1], media_types=(("image/jpeg", JPEG),)
    )
    assert frame.startswith(b"\xff\xd8")
    (pixels,) = client.retrieve_instance_frames(
        *uids(ds), frame_numbers=[1], media_types=("application/octet-stream",)
    )
    assert len(pixels) == ds.Rows * ds.Columns * 3


def test_delete(client: DICOMwebClient) -> None:
    made = [
        pydicom.dcmread(
            BytesIO(
                builders.instance(
                    SOPInstanceUID=builders.uid("delete", number),
                    StudyInstanceUID=builders.uid("delete study"),
                    SeriesInstanceUID=builders.uid("delete series", number // 2),
                )
            )
        )
        for number in range(5)
    ]
    client.store_instances(made)
    study, series, sop = uids(made[0])
    client.delete_instance(study, series, sop)
    assert len(client.search_for_instances(study)) == 4
    client.delete_series(study, series)
    assert len(client.search_for_series(study)) == 2
    client.delete_study(study)
    assert client.search_for_studies(search_filters={"StudyInstanceUID": study}) == []
    with pytest.raises(requests.HTTPError) as raised:
        client.retrieve_study(study)
    assert raised.value.response.status_code == 410


def picture(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def test_rendered_instances_and_frames(client: DICOMwebClient, ct: pydicom.Dataset) -> None:
    size = (ct.Columns, ct.Rows)
    assert (picture(client.retrieve_instance_rendered(*uids(ct))).format) == "JPEG"
    for media_type, format_ in (("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/gif", "GIF")):
        for data in (
            client.retrieve_instance_rendered(*uids(ct), media_types=(media_type,)),
            client.retrieve_instance_frames_rendered(*uids(ct), [1], media_types=(media_type,)),
        ):
            assert (picture(data).format, picture(data).size) == (format_, size)
    assert picture(client.retrieve_instance_frames_rendered(*uids(ct), [1])).size == size
    asked = {"viewport": "64,64", "window": "40,400,linear", "quality": 70, "annotation": "technique"}
    small = client.retrieve_instance_rendered(*uids(ct), media_types=("image/jpeg",), params=asked)
    assert picture(small).size == (64, 64)
    with pytest.raises(requests.HTTPError) as raised:
        client.retrieve_instance_rendered(*uids(ct), params={"quality": 1000})
    assert raised.value.response.status_code == 400
    with pytest.raises(requests.HTTPError) as raised:
        client.retrieve_instance_rendered(*uids(ct), media_types=("text/html",))
    assert raised.value.response.status_code == 406


def test_rendered_series(client: DICOMwebClient, ct: pydicom.Dataset, many: list[pydicom.Dataset]) -> None:
    """The only image of a series comes by itself; of several each is a part."""
    assert picture(client.retrieve_series_rendered(*uids(ct)[:2], media_types=("image/png",))).format == "PNG"
    several = client.retrieve_series_rendered(*uids(many[0])[:2], media_types=("image/jpeg",))
    assert several.count(b"Content-Type: image/jpeg\r\n") == 3
    assert client.retrieve_series_rendered(*uids(many[0])[:2]).count(b"\xff\xd8\xff") == 3


def test_thumbnails(live: Filmroom, ct: pydicom.Dataset) -> None:
    """What the OHIF viewer asks for in its list of series."""
    study, series, instance = (f"/{name}/{uid}" for name, uid in zip(LEVELS, uids(ct), strict=True))
    for path in (study, study + series, study + series + instance):
        answer = requests.get(
            f"{live.url}{path}/thumbnail?viewport=64,64", headers={"Accept": "image/jpeg"}, timeout=60
        )
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert picture(answer.content).size == (64, 64)
        again = requests.get(
            answer.url, headers={"Accept": "image/jpeg", "If-None-Match": answer.headers["ETag"]}, timeout=60
        )
        assert again.status_code == 304


def test_wado_uri(live: Filmroom, ct: pydicom.Dataset) -> None:
    which = dict(zip(("studyUID", "seriesUID", "objectUID"), uids(ct), strict=True))
    address = live.url.removesuffix("/dicom-web") + "/wado"
    answer = requests.get(address, params={"requestType": "WADO", **which}, timeout=60)
    assert (answer.status_code, picture(answer.content).format) == (200, "JPEG")
    asked = {"requestType": "WADO", "contentType": "application/dicom", **which}
    answer = requests.get(address, params=asked, timeout=60)
    assert pydicom.dcmread(BytesIO(answer.content)) == ct
