"""Studies for looking at: small ones, made here, of the kinds that pydicom ships no file of.

A CT head of slices that differ (a bright ball moves through it), a segmentation of that ball, a slide of a
few tiles, a PDF. Every function gives Part 10 files; UIDs are the same for the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage, SegmentationStorage

from tests import builders
from tests.samples import encode

SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image Storage
CT_STUDY = builders.uid("look", "ct")
SLIDE_STUDY = builders.uid("look", "slide")
PDF_STUDY = builders.uid("look", "pdf")
_CT: dict[str, Any] = {
    "StudyInstanceUID": CT_STUDY,
    "FrameOfReferenceUID": builders.uid("look", "frame of reference"),
    "PositionReferenceIndicator": "",
    "PatientName": "Scrolling^Sally",
    "PatientID": "LOOK-CT",
    "AccessionNumber": "LOOK1",
    "StudyDescription": "CT head",
}


def ct_series(slices: int = 20, size: int = 128) -> list[bytes]:
    """Return a CT series in Hounsfield units, window 40/400."""
    return [
        encode(
            builders.dataset(
                SOPClassUID=CTImageStorage,
                SOPInstanceUID=builders.uid("look", "ct", number),
                **_CT,
                SeriesInstanceUID=builders.uid("look", "ct", "series"),
                Modality="CT",
                SeriesDescription="Axial 2 mm",
                SeriesNumber=2,
                InstanceNumber=number + 1,
                ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
                Rows=size,
                Columns=size,
                BitsAllocated=16,
                BitsStored=16,
                HighBit=15,
                PixelRepresentation=1,
                RescaleIntercept=0,
                RescaleSlope=1,
                RescaleType="HU",
                WindowCenter=40,
                WindowWidth=400,
                PixelSpacing=[2, 2],
                SliceThickness=2,
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                ImagePositionPatient=[-size, -size, 2 * number],
                PixelData=_head(number, slices, size).astype("<i2").tobytes(),
            )
        )
        for number in range(slices)
    ]


def _circle(size: int, x: float, y: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[:size, :size]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


def _ball(number: int, slices: int, size: int) -> NDArray[np.bool_]:
    return _circle(size, size * (0.3 + 0.4 * number / max(slices - 1, 1)), size / 2, size / 10)


def _head(number: int, slices: int, size: int) -> NDArray[np.int16]:
    image = np.full((size, size), -1000, np.int16)
    image[_circle(size, size / 2, size / 2, size * 0.42)] = 900  # skull
    brain = _circle(size, size / 2, size / 2, size * 0.38)
    image[brain] = (np.linspace(20, 60, size)[None, :] * np.ones((size, 1)))[brain]
    image[_ball(number, slices, size)] = 200
    return image


def segmentation(slices: int = 20, size: int = 128) -> bytes:
    """Return a binary segmentation of the ball in the series of `ct_series`."""
    masks = [_ball(number, slices, size) for number in range(slices)]
    ds = builders.dataset(
        SOPClassUID=SegmentationStorage,
        SOPInstanceUID=builders.uid("look", "seg"),
        **_CT,
        SeriesInstanceUID=builders.uid("look", "seg", "series"),
        Modality="SEG",
        SeriesDescription="Ball",
        SeriesNumber=9,
        ImageType=["DERIVED", "PRIMARY"],
        ContentLabel="BALL",
        ContentDescription="A ball",
        ContentCreatorName="Filmroom",
        SegmentationType="BINARY",
        LossyImageCompression="00",
        Manufacturer="Filmroom",
        Rows=size,
        Columns=size,
        NumberOfFrames=slices,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        SegmentSequence=Items([_segment()]),
        ReferencedSeriesSequence=Items([_referenced_series(slices)]),
        SharedFunctionalGroupsSequence=Items([_shared_groups()]),
        PerFrameFunctionalGroupsSequence=Items([_frame_groups(n, size) for n in range(slices)]),
        DimensionOrganizationSequence=Items([_record(DimensionOrganizationUID=builders.uid("look", "dim"))]),
        DimensionIndexSequence=Items(
            [
                _dimension(0x0062000B, 0x0062000A),  # ReferencedSegmentNumber
                _dimension(0x00200032, 0x00209113),  # ImagePositionPatient
            ]
        ),
        PixelData=np.packbits(np.concatenate([m.ravel() for m in masks]), bitorder="little").tobytes(),
    )
    ds["PixelData"].VR = "OB"
    return encode(ds)


def _record(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def _code(value: str, meaning: str, scheme: str = "SCT") -> Items:
    return Items([_record(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])


def _reference(number: int) -> Dataset:
    uid = builders.uid("look", "ct", number)
    return _record(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=uid)


def _segment() -> Dataset:
    return _record(
        SegmentNumber=1,
        SegmentLabel="Ball",
        SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=_code("49755003", "Morphologically abnormal structure"),
        SegmentedPropertyTypeCodeSequence=_code("4147007", "Mass"),
        RecommendedDisplayCIELabValue=[43803, 26565, 37722],
    )


def _referenced_series(slices: int) -> Dataset:
    images = [_reference(number) for number in range(slices)]
    return _record(
        SeriesInstanceUID=builders.uid("look", "ct", "series"), ReferencedInstanceSequence=Items(images)
    )


def _shared_groups() -> Dataset:
    return _record(
        PixelMeasuresSequence=Items([_record(PixelSpacing=[2, 2], SliceThickness=2, SpacingBetweenSlices=2)]),
        PlaneOrientationSequence=Items([_record(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]),
    )


def _frame_groups(number: int, size: int) -> Dataset:
    source = _reference(number)
    source.PurposeOfReferenceCodeSequence = _code("121322", "Source image for processing", "DCM")
    derivation = _record(
        SourceImageSequence=Items([source]),
        DerivationCodeSequence=_code("113076", "Segmentation", "DCM"),
    )
    return _record(
        DerivationImageSequence=Items([derivation]),
        FrameContentSequence=Items([_record(DimensionIndexValues=[1, number + 1])]),
        PlanePositionSequence=Items([_record(ImagePositionPatient=[-size, -size, 2 * number])]),
        SegmentIdentificationSequence=Items([_record(ReferencedSegmentNumber=1)]),
    )


def _dimension(index: int, group: int) -> Dataset:
    return _record(
        DimensionOrganizationUID=builders.uid("look", "dim"),
        DimensionIndexPointer=index,
        FunctionalGroupPointer=group,
    )


def slide(tile: int = 128) -> list[bytes]:
    """Return two levels of a slide, of 3 x 2 and of 2 x 1 tiles, in full tiling."""
    return [_level(1, tile, 3 * tile, 2 * tile), _level(2, tile, 3 * tile // 2, tile)]


def _level(number: int, tile: int, width: int, height: int) -> bytes:
    columns, rows = -(-width // tile), -(-height // tile)
    frames = [
        _tissue(x * tile * number, y * tile * number, tile, number)
        for y in range(rows)
        for x in range(columns)
    ]
    spacing = 0.001 * number
    origin = _record(XOffsetInSlideCoordinateSystem=20, YOffsetInSlideCoordinateSystem=40)
    optical = _record(
        OpticalPathIdentifier="1",
        IlluminationTypeCodeSequence=_code("111744", "Brightfield illumination", "DCM"),
        IlluminationColorCodeSequence=_code("371251000", "White color"),
    )
    ds = builders.dataset(
        SOPClassUID=SLIDE,
        SOPInstanceUID=builders.uid("look", "slide", number),
        StudyInstanceUID=SLIDE_STUDY,
        SeriesInstanceUID=builders.uid("look", "slide", "series"),
        FrameOfReferenceUID=builders.uid("look", "slide", "frame of reference"),
        PositionReferenceIndicator="SLIDE_CORNER",
        Modality="SM",
        PatientName="Slide^Sam",
        PatientID="LOOK-SM",
        StudyDescription="Skin biopsy",
        SeriesDescription="HE",
        InstanceNumber=number,
        ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE" if number == 1 else "RESAMPLED"],
        ContainerIdentifier="S1",
        ContainerComponentSequence=Items([]),
        SpecimenDescriptionSequence=Items(
            [_record(SpecimenIdentifier="S1", SpecimenUID=builders.uid("look", "specimen"))]
        ),
        VolumetricProperties="VOLUME",
        SpecimenLabelInImage="NO",
        FocusMethod="AUTO",
        ExtendedDepthOfField="NO",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        DimensionOrganizationType="TILED_FULL",
        TotalPixelMatrixColumns=width,
        TotalPixelMatrixRows=height,
        TotalPixelMatrixFocalPlanes=1,
        TotalPixelMatrixOriginSequence=Items([origin]),
        ImagedVolumeWidth=width * spacing,
        ImagedVolumeHeight=height * spacing,
        ImagedVolumeDepth=0.001,
        ImageOrientationSlide=[0, -1, 0, -1, 0, 0],
        NumberOfOpticalPaths=1,
        OpticalPathSequence=Items([optical]),
        SharedFunctionalGroupsSequence=Items(
            [
                _record(
                    PixelMeasuresSequence=Items(
                        [_record(PixelSpacing=[spacing, spacing], SliceThickness=0.001)]
                    ),
                    WholeSlideMicroscopyImageFrameTypeSequence=Items(
                        [_record(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])]
                    ),
                )
            ]
        ),
        NumberOfFrames=len(frames),
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="RGB",
        Rows=tile,
        Columns=tile,
        PixelData=b"".join(frames),
    )
    return encode(ds)


def _tissue(left: int, top: int, tile: int, step: int) -> bytes:
    """Purple spots on pink, the same at every level."""
    y, x = np.ogrid[top : top + tile * step : step, left : left + tile * step : step]
    spots = (np.sin(x / 11) * np.cos(y / 17) > 0.3).astype(np.uint8)
    pixels = np.stack([230 - 120 * spots, 160 - 100 * spots, 200 - 40 * spots], axis=-1)
    return pixels.astype(np.uint8).tobytes()


def pdf() -> bytes:
    """Return a PDF of one page with a few words."""
    return encode(
        builders.dataset(
            SOPClassUID=EncapsulatedPDFStorage,
            SOPInstanceUID=builders.uid("look", "pdf", 1),
            StudyInstanceUID=PDF_STUDY,
            SeriesInstanceUID=builders.uid("look", "pdf", "series"),
            Modality="DOC",
            PatientName="Letter^Lena",
            PatientID="LOOK-PDF",
            StudyDescription="Letter",
            SeriesDescription="Letter to the doctor",
            ConversionType="WSD",
            BurnedInAnnotation="NO",
            DocumentTitle="Letter",
            ConceptNameCodeSequence=Items([]),
            MIMETypeOfEncapsulatedDocument="application/pdf",
            EncapsulatedDocument=_pdf_bytes(("Dear colleague,", "thank you for sending this patient.")),
            **builders.without_pixels(),
        )
    )


def _pdf_bytes(lines: Sequence[str]) -> bytes:
    text = b"BT /F1 24 Tf 72 720 Td 30 TL " + b"".join(f"({line}) Tj T* ".encode() for line in lines) + b"ET"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(text), text),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    body, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%b endobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer
