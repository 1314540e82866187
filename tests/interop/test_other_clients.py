"""dicomtrolley, curl, and DCMTK's own JSON and XML beside ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import requests
from defusedxml import ElementTree
from dicomtrolley.core import Query
from dicomtrolley.qido_rs import QidoRS
from dicomtrolley.trolley import Trolley
from dicomtrolley.wado_rs import WadoRS

from tests import builders
from tests.conformance.archive import instance_path
from tests.samples import pydicom_file
from tests.services.filmroom import Filmroom

STUDY, SERIES = builders.uid("clients study"), builders.uid("clients series")
SOPS = [builders.uid("clients", number) for number in range(3)]
CT = (
    "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322",
    "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322",
    "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322",
)


def curl(*arguments: str) -> str:
    """Run curl; return its standard output."""
    done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def filled(live: Filmroom, tmp_path_factory: pytest.TempPathFactory) -> Filmroom:
    """Store three instances and a CT slice by curl: sized, chunked, and waiting for 100-continue."""
    folder = tmp_path_factory.mktemp("files")
    ways = (("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue"))
    for number, (sop, way) in enumerate(zip(SOPS, ways, strict=True)):
        file = folder / f"{number}.dcm"
        file.write_bytes(
            builders.instance(
                SOPInstanceUID=sop, StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, PatientID="CLIENTS"
            )
        )
        _push(live, file, *way)
    _push(live, pydicom_file("CT_small.dcm"))
    return live


def _push(live: Filmroom, file: Path, *way: str) -> None:
    dicom = ("-H", "Content-Type: application/dicom", "--data-binary", f"@{file}")
    answer = json.loads(curl(*way, *dicom, f"{live.url}/studies"))
    assert len(answer["00081199"]["Value"]) == 1


def test_curl_gets_back_what_it_pushed(filled: Filmroom, tmp_path: Path) -> None:
    url = filled.url + instance_path(*CT)
    curl("-H", "Accept: application/dicom; transfer-syntax=*", "-o", str(tmp_path / "back.dcm"), url)
    assert (tmp_path / "back.dcm").read_bytes() == pydicom_file("CT_small.dcm").read_bytes()
    assert len(json.loads(curl("--compressed", f"{filled.url}/studies/{STUDY}/metadata"))) == 3
    head = curl("-I", f"{filled.url}/studies")
    assert head.startswith("HTTP/1.1 200")
    assert "application/dicom+json" in head


def test_dicomtrolley_finds_and_downloads_a_study(filled: Filmroom) -> None:
    with requests.Session() as session:
        trolley = Trolley(
            searcher=QidoRS(session=session, url=filled.url),
            downloader=WadoRS(session=session, url=filled.url, request_per_series=False),
        )
        (study,) = trolley.find_studies(Query(PatientID="CLIENTS"))
        assert study.uid == STUDY
        got = list(trolley.fetch_all_datasets([study]))
    assert {ds.SOPInstanceUID for ds in got} == set(SOPS)
    assert all(ds.PixelData == bytes(range(64)) for ds in got)


def _dcmtk(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian: dcmtk)")
    file = str(pydicom_file("CT_small.dcm"))
    done = subprocess.run([program, *arguments, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _ours(live: Filmroom, accept: str) -> bytes:
    request = urllib.request.Request(f"{live.url}{instance_path(*CT)}/metadata", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def _values(element: dict[str, Any]) -> list[Any]:
    """Return the values of an element, numbers as numbers."""
    numbers = element["vr"] in {"DS", "IS", "FD", "FL"}
    return [float(value) if numbers else value for value in element.get("Value", [])]


def _comparable(element: dict[str, Any]) -> object:
    """Return what equals the values of DCMTK's element: it rounds FL to 9 digits."""
    values = _values(element)
    return pytest.approx(values, rel=1e-6) if element["vr"] in {"DS", "FD", "FL"} else values


def test_metadata_are_those_of_dcm2json(filled: Filmroom) -> None:
    theirs = json.loads(_dcmtk("dcm2json"))
    (ours,) = json.loads(_ours(filled, "application/dicom+json"))
    kept = {tag for tag in theirs if not tag.endswith("0000") and not tag.startswith("0002")}
    assert kept == ours.keys()
    kept.remove("00080005")  # DCMTK names the repertoire of its own text, we that of the file (F.2.2 note 3)
    known = [tag for tag in kept if ours[tag]["vr"] == theirs[tag]["vr"] and "Value" in ours[tag]]
    assert len(known) > 200
    differ = [tag for tag in known if _values(ours[tag]) != _comparable(theirs[tag])]
    assert differ == []


def test_xml_has_the_attributes_of_dcm2xml(filled: Filmroom) -> None:
    theirs = ElementTree.fromstring(_dcmtk("dcm2xml", "--native-format"))
    part = _ours(filled, "application/dicom+xml").split(b"\r\n\r\n", 1)[1]
    ours = ElementTree.fromstring(part[: part.rindex(b">", 0, part.rindex(b"\r\n--")) + 1])

    def names(model: Any) -> dict[str, str | None]:
        found = {
            each.get("tag"): each.get("keyword") for each in model if each.tag.endswith("DicomAttribute")
        }
        return {tag: word for tag, word in found.items() if not tag.endswith("0000") and tag[:4] != "0002"}

    assert names(ours).keys() == names(theirs).keys()
