"""Stores into a full index: the first ones, and those after them: of one instance, of a hundred."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.uid import UID

from bench.dicomweb.checks import stored
from bench.dicomweb.client import Client, Request
from bench.instances import STOW, multipart
from bench.scale_report import Timed
from tests import builders

_FILE = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
_NEXT = 12


def stores(client: Client) -> Iterator[Timed]:
    """Measure stores of CT slices of 39 KB, each request a new study: the first one, and those after it."""
    for count in (1, 100):
        times, wrong = [], []
        for number in range(_NEXT + 1):
            request = _request(count, number)
            answer = client.send(request)
            times.append(answer.seconds * 1000)
            if problem := request.wrong(answer):
                wrong.append(problem)
        what = "STOW of 1 instance" if count == 1 else f"STOW of {count} instances"
        first, *others = times
        yield Timed(
            what, first, statistics.median(others), bad=len(wrong), wrong=" ".join(sorted(set(wrong)))
        )


def _request(count: int, number: int) -> Request:
    ds = pydicom.dcmread(_FILE)
    ds.StudyInstanceUID = builders.uid("scale study", count, number)
    ds.SeriesInstanceUID = builders.uid("scale series", count, number)
    ds.PatientID, ds.StudyDate = f"S{count}.{number}", "20260102"
    body = b"".join(multipart(_files(ds, count, number)))
    return Request("/studies", stored(count), "POST", STOW, body)


def _files(ds: pydicom.FileDataset, count: int, number: int) -> Iterator[bytes]:
    for i in range(count):
        ds.SOPInstanceUID = UID(builders.uid("scale", count, number, i))
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.InstanceNumber = i + 1
        file = BytesIO()
        ds.save_as(file)
        yield file.getvalue()
