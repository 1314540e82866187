"""Everything else without pixels: a table of attributes, and what matters of radiotherapy above it."""

from __future__ import annotations

from pydicom import Dataset

from archive.rendering.document import render_document
from archive.rendering.wording import (
    age_between,
    age_words,
    date_words,
    duration_words,
    moment_words,
    person_words,
    size_words,
    time_words,
)
from tests.builders import element, raw_instance, uid
from tests.builders import item as raw_item
from tests.rendering.documents import (
    BASE,
    RAW,
    RT_PLAN,
    STORAGE,
    STRUCTURES,
    Seen,
    document,
    reference,
    stored,
)


def page(ds: Dataset) -> Seen:
    return Seen(render_document(ds, "text/html", base=BASE))


def test_attributes_have_their_names_and_values() -> None:
    inner = Dataset()
    inner.CodeMeaning = "Inside <b>"
    ds = document(
        RAW,
        StudyDate="20240131",
        ImageType=["ORIGINAL", "PRIMARY"],
        AcquisitionContextSequence=[inner, Dataset()],
        EncapsulatedDocument=bytes(2048),
        PixelSpacing=[0.5, 0.25],
    )
    seen = page(ds)
    for words in (
        "Study Date (0008,0020) 31 Jan 2024",
        "ORIGINAL, PRIMARY",
        "Raw Data Storage (1.2.840.10008.5.1.4.1.1.66)",
        "Acquisition Context Sequence 2 items",
        "Inside <b>",
        "2.0 KiB",
        "0.5, 0.25",
    ):
        assert words in seen.text
    assert "details" in seen.elements


def test_private_attributes_name_their_creator() -> None:
    creator = element(0x00090010, "LO", b"SPI-P Release 1 ")
    ds = stored(
        raw_instance(creator + element(0x00091040, "LO", b"value <i>x") + element(0x00111001, "LO", b"y "))
    )
    text = page(ds).text
    assert "(SPI-P Release 1)" in text
    assert "value <i>x" in text
    assert "(0011,1001) y" in text


def test_long_lists_and_texts_are_cut_and_counted() -> None:
    ds = document(RAW, PixelSpacing=[str(each) for each in range(5000)], TextValue="w" * 50_000)
    text = page(ds).text
    assert "14, 15 … 5,000 values" in text
    assert "50,000 characters" in text


def test_sequences_of_any_depth_are_counted_where_they_are_not_shown() -> None:
    opening = element(0x0040A730, "SQ", length=0xFFFFFFFF) + raw_item(length=0xFFFFFFFF)[:8]
    closing = raw_item(length=0xFFFFFFFF)[8:] + element(0xFFFEE0DD, None)
    assert "1 item" in page(stored(raw_instance(opening * 3000 + closing * 3000))).text


def _with(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def test_structures_show_their_colours() -> None:
    contour = _with(NumberOfContourPoints=120)
    ds = document(
        STRUCTURES,
        StructureSetLabel="Thorax",
        StructureSetROISequence=[_with(ROINumber=1, ROIName="Heart"), _with(ROINumber=2, ROIName="<script>")],
        ROIContourSequence=[
            _with(ReferencedROINumber=1, ROIDisplayColor=[255, 0, 16], ContourSequence=[contour, contour]),
            _with(ReferencedROINumber=2, ROIDisplayColor=[1, 2]),
        ],
        RTROIObservationsSequence=[_with(ReferencedROINumber=1, RTROIInterpretedType="ORGAN")],
    )
    made = render_document(ds, "text/html")
    assert b"background:rgb(255,0,16)" in made
    text = Seen(made).text
    assert "1 Heart Organ 2 240" in text
    assert "2 <script>" in text


def test_plans_show_prescription_fractions_and_beams() -> None:
    structure = uid("structures")
    points = [
        _with(NominalBeamEnergy="6", GantryAngle="181", BeamLimitingDeviceAngle="1e-10"),
        _with(GantryAngle="179"),
    ]
    ds = document(
        RT_PLAN,
        RTPlanLabel="Lung",
        ApprovalStatus="APPROVED",
        ReferencedStructureSetSequence=[reference(structure, STRUCTURES)],
        DoseReferenceSequence=[
            _with(DoseReferenceNumber=1, DoseReferenceDescription="PTV", TargetPrescriptionDose="60")
        ],
        FractionGroupSequence=[
            _with(
                FractionGroupNumber=1,
                NumberOfFractionsPlanned=30,
                NumberOfBeams=1,
                ReferencedBeamSequence=[_with(ReferencedBeamNumber=1, BeamDose="2", BeamMeterset="215.25")],
            )
        ],
        BeamSequence=[
            _with(
                BeamNumber=1,
                BeamName="Arc 1",
                BeamType="DYNAMIC",
                RadiationType="PHOTON",
                ControlPointSequence=points,
            )
        ],
    )
    text = page(ds).text
    assert "Approval Approved" in text
    assert "1 PTV 60 Gy" in text
    assert "1 30 1 2 Gy 215.25" in text
    assert "1 Arc 1 Dynamic Photon 6 MV 181 to 179 ° 0 ° 215.25 2" in text


def test_presentation_states_list_their_images_as_links() -> None:
    image, series = uid("image"), uid("other series")
    ds = document(
        f"{STORAGE}11.1",
        ReferencedSeriesSequence=[
            _with(SeriesInstanceUID=series, ReferencedImageSequence=[reference(image)])
        ],
        GraphicAnnotationSequence=[
            _with(GraphicLayer="L", TextObjectSequence=[_with(UnformattedTextValue="here")])
        ],
    )
    seen = page(ds)
    assert seen.links == [f"{BASE}/studies/{ds.StudyInstanceUID}/series/{series}/instances/{image}/rendered"]
    assert "L here" in seen.text


def test_words_for_people() -> None:
    assert date_words("20240131") == "31 Jan 2024"
    assert date_words("1999.02.03") == "3 Feb 1999"
    assert date_words("20241399") == "20241399"
    assert time_words("101112.345") == "10:11:12"
    assert time_words("10") == "10"
    assert moment_words("2024") == "2024"
    assert moment_words("202401") == "Jan 2024"
    assert moment_words("20240131101112.5-0530") == "31 Jan 2024, 10:11:12 (-0530)"
    assert person_words("Smith^Ann^B^Dr^Jr") == "Smith, Dr Ann B, Jr"
    assert person_words("=山田^太郎=やまだ") == "山田 太郎 / やまだ"
    assert person_words("Smith") == "Smith"
    assert age_words("001Y") == "1 year"
    assert age_between("20240101", "20240111") == "10 days"
    assert age_between("20230101", "20240111") == "12 months"
    assert age_between("19700201", "20240131") == "53 years"
    assert age_between("", "20240131") == ""
    assert age_between("20250101", "20240131") == ""
    assert duration_words(90) == "1:30 min"
    assert size_words(1) == "1 byte"
    assert size_words(3 * 2**20) == "3.0 MiB"
