"""Data sets without pixels for tests of documents, read as they are stored; and a strict look at pages."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from pydicom import Dataset

from archive.dicom.file_meta import read_file_meta
from archive.dicom.source import BytesSource
from archive.rendering.data_set import read_data_set
from tests.builders import DEFLATED, EXPLICIT, dataset, part10, uid, without_pixels

STORAGE = "1.2.840.10008.5.1.4.1.1."
BASIC_TEXT, COMPREHENSIVE, KEY_OBJECTS = f"{STORAGE}88.11", f"{STORAGE}88.33", f"{STORAGE}88.59"
PDF, CDA, STL = f"{STORAGE}104.1", f"{STORAGE}104.2", f"{STORAGE}104.3"
ECG, HEMODYNAMIC, VOICE, EEG = f"{STORAGE}9.1.1", f"{STORAGE}9.2.1", f"{STORAGE}9.4.1", f"{STORAGE}9.7.1"
RT_PLAN, STRUCTURES, RAW = f"{STORAGE}481.5", f"{STORAGE}481.3", f"{STORAGE}66"
CT = f"{STORAGE}2"
BASE = "http://archive.example/dicom-web"


def stored(data: bytes) -> Dataset:
    """Read the data set of a Part 10 file as a child process does."""
    meta = read_file_meta(BytesSource(data))
    body = data[meta.end :]
    if meta.transfer_syntax_uid == DEFLATED:
        body = zlib.decompress(body, -15)
    return read_data_set(body, meta.transfer_syntax_uid)


def document(sop_class: str, *, syntax: str = EXPLICIT, **values: Any) -> Dataset:
    """Return an instance without pixels, written and read again."""
    return stored(part10(dataset(SOPClassUID=sop_class, **without_pixels() | values), syntax))


def encapsulated_cda(narrative: str) -> Dataset:
    """Return a clinical document with one section of this text."""
    xml = (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Letter</title><component><structuredBody><component>'
        f"<section><title>Course</title><text>{narrative}</text></section>"
        "</component></structuredBody></component></ClinicalDocument>"
    ).encode()
    return dataset(SOPClassUID=CDA, EncapsulatedDocument=xml + b" " * (len(xml) % 2), **without_pixels())


def code(value: str, meaning: str | None = None, scheme: str = "99TEST") -> Dataset:
    """Return an item of a code sequence."""
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator = value, scheme
    if meaning is not None:
        ds.CodeMeaning = meaning
    return ds


def _set(ds: Dataset, values: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that a test makes wrong on purpose
        for keyword, value in values.items():
            setattr(ds, keyword, value)


def item(kind: str, name: str = "", relation: str = "CONTAINS", *children: Dataset, **values: Any) -> Dataset:
    """Return a content item of a report."""
    ds = Dataset()
    ds.RelationshipType, ds.ValueType = relation, kind
    if name:
        ds.ConceptNameCodeSequence = [code(name[:16], name)]
    _set(ds, values)
    if children:
        ds.ContentSequence = list(children)
    return ds


def measure(name: str, value: str, unit: Dataset, relation: str = "CONTAINS", *children: Dataset) -> Dataset:
    """Return a numeric content item."""
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, [unit]
    return item("NUM", name, relation, *children, MeasuredValueSequence=[measured])


def reference(instance: str, sop_class: str = CT, **values: Any) -> Dataset:
    """Return an item that refers to an instance."""
    ds = Dataset()
    _set(ds, {"ReferencedSOPClassUID": sop_class, "ReferencedSOPInstanceUID": instance} | values)
    return ds


def evidence(study: str, series: str, *instances: str) -> Dataset:
    """Return an item of a report's list of evidence."""
    ds, of_series = Dataset(), Dataset()
    referenced = [reference(each) for each in instances]
    _set(of_series, {"SeriesInstanceUID": series, "ReferencedSOPSequence": referenced})
    _set(ds, {"StudyInstanceUID": study, "ReferencedSeriesSequence": [of_series]})
    return ds


def report(*children: Dataset, title: str = "Report", **values: Any) -> Dataset:
    """Return a report with these content items."""
    return document(
        values.pop("SOPClassUID", COMPREHENSIVE),
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[code("T", title)],
        ContentSequence=list(children),
        **values,
    )


class _Strict(HTMLParser):
    """Checks that elements nest, and collects what a page holds."""

    VOID = frozenset({"meta", "br", "col", "img"})
    ALLOWED = frozenset(
        """
        html head meta title style body header main footer div dl dt dd p h1 h2 h3 h4 h5 h6 span b strong em u
        small sub sup ins del a ul ol li table caption thead tbody tfoot colgroup col tr th td details summary
        br img svg defs pattern path rect g line text
        """.split()  # noqa: SIM905 a list of sixty strings reads worse
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.ALLOWED, tag
        self.seen.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in {"src", "action", "srcset"} or tag == "img"
            if name == "href":
                self.links.append(value or "")
            if name == "src":
                self.images.append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert self.open.count("svg"), f"{tag} closes itself outside a picture"

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


class Seen:
    """A page as a browser takes it: its text with single blanks, its links, images and elements."""

    def __init__(self, page: bytes) -> None:
        parser = _Strict()
        parser.feed(page.decode("utf-8"))
        parser.close()
        assert not parser.open
        self.text = " ".join(" ".join(parser.words).split())
        self.links: Sequence[str] = parser.links
        self.images: Sequence[str] = parser.images
        self.elements = parser.seen
        for address in self.links:
            assert address.startswith(("#", BASE)), address
        for address in self.images:
            assert address.startswith("data:image/"), address


__all__ = [
    "BASE",
    "Seen",
    "code",
    "document",
    "evidence",
    "item",
    "measure",
    "reference",
    "report",
    "stored",
    "uid",
]
