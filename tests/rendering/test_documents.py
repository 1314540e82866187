"""Every kind of instance without pixels becomes a document: the table of kinds, the choice, the samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from PIL import Image
from pydicom import Dataset

from archive.errors import NotAcceptable, NotDecodable, NotDicom
from archive.rendering import html
from archive.rendering.document import render_document
from archive.rendering.document_types import HTML, document_media_types
from archive.sandbox.tasks import TASKS
from tests.builders import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, dataset, part10
from tests.rendering.documents import (
    BASE,
    BASIC_TEXT,
    CDA,
    ECG,
    HEMODYNAMIC,
    PDF,
    RAW,
    RT_PLAN,
    STL,
    STORAGE,
    VOICE,
    Seen,
    document,
    item,
    report,
    stored,
)
from tests.samples import SAMPLES, pydicom_file


@pytest.mark.parametrize(
    ("sop_class", "types"),
    [
        (BASIC_TEXT, ("text/html", "text/plain")),
        (PDF, ("application/pdf",)),
        (CDA, ("text/html", "text/xml")),
        (STL, ("model/stl",)),
        (ECG, ("image/svg+xml", "image/png", "image/jpeg", "text/html")),
        (VOICE, ("audio/wav", "image/svg+xml", "image/png", "image/jpeg", "text/html")),
        (RT_PLAN, ("text/html",)),
        (f"{STORAGE}881.1", ("text/html",)),  # no report, though it begins like one
        ("2.25.1", ("text/html",)),
        ("", ("text/html",)),
    ],
)
def test_kinds_have_their_media_types(sop_class: str, types: Sequence[str]) -> None:
    assert document_media_types(sop_class) == types


def test_what_is_not_offered_is_refused_with_what_is() -> None:
    with pytest.raises(
        NotAcceptable, match="Comprehensive SR can be rendered as text/html, text/plain"
    ) as caught:
        render_document(report(), "image/jpeg")
    assert caught.value.offered == ("text/html", "text/plain")


@pytest.mark.parametrize("length", [7, None, 99])
def test_a_pdf_comes_without_its_padding(length: int | None) -> None:
    ds = document(PDF, EncapsulatedDocument=b"%PDF-1\n\0", EncapsulatedDocumentLength=length)
    assert render_document(ds, "application/pdf") == b"%PDF-1\n"


def test_a_model_that_ends_with_nul_keeps_it_where_its_length_says_so() -> None:
    ds = document(STL, EncapsulatedDocument=b"solid\0\0\0", EncapsulatedDocumentLength=8)
    assert render_document(ds, "model/stl") == b"solid\0\0\0"


@pytest.mark.parametrize("value", [None, b"", b"<html><script>alert(1)</script>"])
def test_what_is_no_pdf_is_not_sent_as_one(value: bytes | None) -> None:
    with pytest.raises(NotDecodable, match=r"EncapsulatedDocument \(0042,0011\)"):
        render_document(document(PDF, EncapsulatedDocument=value), "application/pdf")


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
def test_all_transfer_syntaxes_read_the_same(syntax: str) -> None:
    ds = document(RAW, syntax=syntax, PatientName="Äpfel^Bo=山田^太郎", SeriesNumber=7, ImageType=["A", "B"])
    seen = Seen(render_document(ds, "text/html", base=BASE))
    assert "Äpfel, Bo (山田 太郎)" in seen.text
    assert "A, B" in seen.text


def bare(kind: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = kind
    return ds


def test_an_empty_data_set_has_a_page() -> None:
    assert "Patient without a name" in Seen(render_document(Dataset(), "text/html")).text


@pytest.mark.parametrize("kind", [BASIC_TEXT, RT_PLAN, f"{STORAGE}481.3", f"{STORAGE}11.1", "2.25.1"])
def test_nothing_but_a_class_is_enough_for_a_page(kind: str) -> None:
    ds = stored(part10(bare(kind)))
    assert Seen(render_document(ds, "text/html", base=BASE)).text


@pytest.mark.parametrize("kind", [ECG, HEMODYNAMIC, VOICE, CDA, PDF])
@pytest.mark.parametrize("place", range(5))
def test_nothing_but_a_class_is_not_decodable_where_all_is_in_one_attribute(kind: str, place: int) -> None:
    types = document_media_types(kind)
    ds = stored(part10(bare(kind)))
    with pytest.raises(NotDecodable, match=r"\([0-9A-F]{4},[0-9A-F]{4}\)"):
        render_document(ds, types[place % len(types)])


def test_a_page_that_grows_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MOST_BYTES", 20_000)
    with pytest.raises(NotDecodable, match="larger than"):
        render_document(report(*(item("TEXT", "A", TextValue="x" * 1000) for _ in range(20))), "text/html")


def test_a_child_process_makes_documents_by_its_table() -> None:
    data = part10(dataset(SOPClassUID=RAW, PixelData=None))
    body = data[data.index(b"\x08\x00\x05\x00CS") :]
    answer, (page,) = TASKS["document"](
        {"syntax": EXPLICIT, "media_type": "text/html", "base": BASE, "annotations": [], "fit": None}, [body]
    )
    assert answer == {"media_type": "text/html"}
    assert "Test, Tom" in Seen(page).text


def _check(data: bytes, media_type: str) -> None:
    """Read a document strictly, by its media type."""
    assert data
    if media_type == HTML:
        Seen(data)
    elif media_type == "image/svg+xml":
        assert fromstring(data, forbid_dtd=True).tag == "{http://www.w3.org/2000/svg}svg"
    elif media_type in {"image/png", "image/jpeg"}:
        with Image.open(BytesIO(data)) as image:
            image.load()
            assert image.width > 100
    elif media_type == "text/plain":
        assert data.decode()


_SHIPPED = (
    "reportsi.dcm",
    "reportsi_with_empty_number_tags.dcm",
    "test-SR.dcm",
    "waveform_ecg.dcm",
    "rtplan.dcm",
)


@pytest.mark.parametrize("name", _SHIPPED)
def test_files_that_pydicom_ships_become_documents(name: str) -> None:
    ds = stored(pydicom_file(name).read_bytes())
    for media_type in document_media_types(str(ds.SOPClassUID)):
        _check(render_document(ds, media_type, base=BASE, annotations=["patient"]), media_type)


def _paths() -> list[str]:
    if SAMPLES is None:
        return []
    rows = json.loads((SAMPLES / "manifest.json").read_text())
    return [row["path"] for row in rows if not row["rows"] and not row["path"].startswith("qido-corpus")]


@pytest.mark.parametrize("path", _paths())
def test_samples_without_pixels_become_documents(path: str) -> None:
    assert SAMPLES is not None
    try:
        ds = stored(Path(SAMPLES / path).read_bytes())
    except (NotDicom, NotDecodable):
        assert path.startswith("malformed/")
        return
    for media_type in document_media_types(str(ds.get("SOPClassUID", ""))):
        _check(render_document(ds, media_type, base=BASE), media_type)
