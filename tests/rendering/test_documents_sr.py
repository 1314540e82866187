"""Structured Reports as pages and text (PS3.3 C.17.3, C.18)."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from archive.rendering.document import render_document
from tests.builders import element, raw_instance, uid
from tests.builders import item as raw_item
from tests.rendering.documents import (
    BASE,
    KEY_OBJECTS,
    Seen,
    code,
    evidence,
    item,
    measure,
    reference,
    report,
    stored,
)


def page(ds: Dataset) -> Seen:
    return Seen(render_document(ds, "text/html", base=BASE))


def plain(ds: Dataset) -> str:
    return render_document(ds, "text/plain", base=BASE).decode()


def test_the_head_tells_whose_report_it_is_and_in_what_state() -> None:
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerifyingOrganization = "Ray^Rita^^Dr", "City Hospital"
    observer.VerificationDateTime = "20240201093000"
    ds = report(
        item("TEXT", "Finding", TextValue="None"),
        title="Chest radiograph",
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
        VerifyingObserverSequence=[observer],
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
        ContentDate="20240131",
        ContentTime="111213.5",
    )
    for text in (page(ds).text, plain(ds)):
        assert "Yamada, Tarou (山田 太郎 / やまだ たろう)" in text
        assert "ID P1" in text
        assert "born 1 Jan 1970 (54 years)" in text
        assert "Chest radiograph" in text
        assert "complete, verified" in text
        assert "31 Jan 2024, 11:12:13" in text
        assert "Ray, Dr Rita, City Hospital, 1 Feb 2024, 09:30:00" in text


def test_an_unverified_report_says_so() -> None:
    ds = report(item("TEXT", "Finding", TextValue="None"), VerificationFlag="UNVERIFIED")
    assert "has not been verified" in page(ds).text


def test_every_value_type_reads_as_words() -> None:
    ds = report(
        item("TEXT", "Impression", TextValue="Größe unverändert"),
        item("CODE", "Site", ConceptCodeSequence=[code("T-1", "Left lung")]),
        item("CODE", "Bare", ConceptCodeSequence=[code("T-2")]),
        item("PNAME", "Reader", PersonName="Ray^Rita"),
        item("DATE", "Day", Date="20240229"),
        item("TIME", "Hour", Time="0715"),
        item("DATETIME", "Moment", DateTime="20240229071500+0100"),
        item("UIDREF", "Syntax", UID="1.2.840.10008.1.2.1"),
        measure("Diameter", "12.50", code("mm", "millimeter", "UCUM")),
        measure("Area", "3", code("cm2", "square centimeter", "UCUM")),
        measure("Density", "-700", code("[hnsf'U]", "Hounsfield unit", "UCUM")),
        measure("Count", "4", code("1", "no units", "UCUM")),
        item("SCOORD", "Outline", GraphicType="POLYLINE", GraphicData=[1, 2, 30, 40, 5, 60, 1, 2]),
        item("SCOORD", "Spot", GraphicType="POINT", GraphicData=[10.5, 20]),
        item("SCOORD3D", "Sphere", GraphicType="ELLIPSE", GraphicData=list(range(12))),
        item("TCOORD", "Beat", TemporalRangeType="SEGMENT", ReferencedTimeOffsets=["1.5", "2"]),
        SpecificCharacterSet="ISO_IR 192",
    )
    expected = """Größe unverändert|Left lung|T-2 (99TEST)|Ray, Rita|29 Feb 2024|07:15
        29 Feb 2024, 07:15:00 (+0100)|Explicit VR Little Endian|12.50 mm|3 cm²|-700 Hounsfield unit
        closed line of 4 points between (1, 2) and (30, 60) (column, row)|point at (10.5, 20) (column, row)
        ellipse between (0, 1, 2) and (9, 10, 11) mm|segment at 1.5 s, 2 s"""
    for text in (page(ds).text, plain(ds)):
        for words in expected.replace("\n", "|").split("|"):
            assert words.strip() in text
    assert "Count: 4\n" in plain(ds)


def test_relationships_are_told() -> None:
    ds = report(
        item(
            "CONTAINER",
            "Findings",
            "CONTAINS",
            measure(
                "Length",
                "9",
                code("mm", "millimeter", "UCUM"),
                "CONTAINS",
                item("CODE", "Method", "HAS CONCEPT MOD", ConceptCodeSequence=[code("M", "Mean")]),
                item("TEXT", "Basis", "INFERRED FROM", TextValue="the images"),
            ),
        ),
        item("PNAME", "Observer", "HAS OBS CONTEXT", PersonName="Ray^Rita"),
    )
    text = plain(ds)
    assert "Observer: Ray, Rita" in text.split("Findings")[0]
    assert "Length (Method: Mean): 9 mm" in text
    assert "  inferred from Basis: the images" in text
    assert "Method: Mean" in page(ds).text


def test_references_are_links_where_the_report_places_them() -> None:
    study, series, image, unplaced = uid("s"), uid("e"), uid("i"), uid("x")
    ds = report(
        item("IMAGE", "Image", ReferencedSOPSequence=[reference(image, ReferencedFrameNumber=[3, 4])]),
        item("IMAGE", "Other", ReferencedSOPSequence=[reference(unplaced)]),
        item("IMAGE", "Again", ReferencedSOPSequence=[reference(image)]),
        CurrentRequestedProcedureEvidenceSequence=[evidence(study, series, image)],
    )
    place = f"{BASE}/studies/{study}/series/{series}/instances/{image}"
    seen = page(ds)
    assert {f"{place}/rendered", f"{place}/frames/3/rendered", f"{place}/frames/4/rendered"} == set(
        seen.links
    )
    assert "CT Image 1 , frame 3 , 4" in seen.text
    assert "CT Image 2" in seen.text
    assert unplaced in seen.text
    assert not Seen(render_document(ds, "text/html")).links, "without an address there are no links"


def test_a_key_object_selection_lists_its_images() -> None:
    images = [uid("image", at) for at in range(3)]
    ds = report(
        item("TEXT", "Key Object Description", TextValue="For the conference"),
        *(item("IMAGE", "", ReferencedSOPSequence=[reference(each)]) for each in images),
        title="For Conference",
        SOPClassUID=KEY_OBJECTS,
        CurrentRequestedProcedureEvidenceSequence=[evidence(uid("s"), uid("e"), *images)],
    )
    seen = page(ds)
    assert "For the conference" in seen.text
    assert len({each for each in seen.links if each.endswith("/rendered")}) == 3


def test_a_reference_inside_the_report_leads_to_its_item() -> None:
    inside = item("TEXT", "", "INFERRED FROM")
    inside.ReferencedContentItemIdentifier = [1, 1]
    del inside.ValueType
    ds = report(
        item("TEXT", "First", TextValue="one"), item("TEXT", "Second", "CONTAINS", inside, TextValue="two")
    )
    made = render_document(ds, "text/html", base=BASE)
    assert Seen(made).links == ["#item-1.1"]
    assert b'id="item-1.1"' in made


def test_tables_are_tables() -> None:
    cells = []
    for row, column, value in ((1, 1, "12"), (2, 2, "high")):
        cell = Dataset()
        cell.TableRowNumber, cell.TableColumnNumber, cell.TextValue = row, column, value
        cells.append(cell)
    values, heading = Dataset(), Dataset()
    heading.TableColumnNumber, heading.ConceptNameCodeSequence = 1, [code("D", "Dose")]
    heading.MeasurementUnitsCodeSequence = [code("mGy", "mGy", "UCUM")]
    values.NumberOfTableRows, values.NumberOfTableColumns = 2, 2
    values.TableColumnDefinitionSequence, values.CellValuesSequence = [heading], cells
    text = page(report(item("TABLE", "Doses", TabulatedValuesSequence=[values]))).text
    assert "Dose (mGy)" in text
    assert "12" in text
    assert "high" in text


def test_hostile_text_is_text() -> None:
    evil = "<script>alert(1)</script>\" onload='x' &amp; \x0b\x1b[31m</div>"
    ds = report(
        item("TEXT", evil[:60], TextValue="</td></ul>" + evil),
        item("UIDREF", "U", UID="javascript:alert(1)"),
        item("IMAGE", "I", ReferencedSOPSequence=[reference('"><script>')]),
        title="<b>T</b>",
        PatientName="<i>Ann</i>^\"'",
        CurrentRequestedProcedureEvidenceSequence=[evidence("../..", "x", '"><script>')],
    )
    seen = page(ds)
    assert "<script>alert(1)</script>" in seen.text
    assert not seen.links
    assert "script" not in seen.elements


def test_broken_items_are_shown_as_far_as_they_go() -> None:
    nothing = Dataset()
    number = item("NUM", "Empty")
    number.MeasuredValueSequence = []
    number.NumericValueQualifierCodeSequence = [code("Q", "Not a number")]
    ds = report(
        nothing,
        number,
        item("NUM", "Bare"),
        item("CODE", "No code"),
        item("IMAGE", "No image"),
        item("SCOORD", "No points", GraphicType="CIRCLE"),
        item("WHATEVER", "Unknown"),
        item("DATE", "Bad day", Date="2024ABCD"),
        item("TABLE", "No table"),
    )
    text = page(ds).text
    assert "Not a number" in text
    assert "no value" in text
    assert "circle without points" in text
    assert "2024ABCD" in text


@pytest.mark.parametrize("depth", [300, 4000])
def test_a_tree_of_any_depth_is_shown(depth: int) -> None:
    kind = element(0x0040A040, "CS", b"TEXT") + element(0x0040A160, "UT", b"deep")
    opening = element(0x0040A730, "SQ", length=0xFFFFFFFF) + raw_item(length=0xFFFFFFFF)[:8] + kind
    closing = raw_item(length=0xFFFFFFFF)[8:] + element(0xFFFEE0DD, None)
    head = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.88.33\0")
    ds = stored(raw_instance(head + opening * depth + closing * depth))
    seen = page(ds)
    assert f"level {depth}" in seen.text
    assert plain(ds).count("deep") == depth
