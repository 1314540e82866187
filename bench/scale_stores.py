"""Stores into a full index: the first ones, and those after them: of one instance, of a hundred."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.uid import UID

from bench.crowd import ROOT
from bench.dicomweb.checks import stored
from bench.dicomweb.client import Client, Request
from bench.instances import STOW, multipart
from bench.scale_report import Timed

_FILE = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
REPEATED = 12
_STUDY = "9999999999999.998.997"
_RUN = f"1{time.time_ns() // 10**6 % 10**12:012}"  # an index that is kept has the studies of the run before


def stores(client: Client) -> Iterator[Timed]:
    """Measure stores of CT slices of 39 KB, each request a new study: the first one, and those after it."""
    for count in (1, 100):
        times, wrong = [], []
        for number in range(REPEATED + 1):
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
    place = f"{_RUN}.{100 + count}.{100 + number}".encode()  # as long as _STUDY, and no number begins with 0
    of_study = _slice().replace(_STUDY.encode(), place)
    files = [of_study.replace(place + b".999", b"%b.%d" % (place, 100 + i)) for i in range(count)]
    return Request("/studies", stored(count), "POST", STOW, b"".join(multipart(files)))


@cache
def _slice() -> bytes:
    """Return a CT slice whose UIDs and Patient ID hold _STUDY; 999 follows in that of the instance."""
    ds = pydicom.dcmread(_FILE)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}1.{_STUDY}.999")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}2.{_STUDY}", f"{ROOT}3.{_STUDY}"
    ds.PatientID, ds.StudyDate = _STUDY, "20260102"
    file = BytesIO()
    ds.save_as(file)
    return file.getvalue()
