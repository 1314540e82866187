"""The attributes that the index keeps at each level, in one table.

The required ones are those of PS3.18 Tables 10.6.1-5 (matching) and 10.6.3-3 to 10.6.3-5 (returned). The
rest are what viewers ask for with includefield. The reader fills them, the index stores them as DICOM JSON,
the search returns them; `required` attributes are returned at their level even when empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from archive.model.level import Level


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the index."""

    keyword: str
    tag: str  # 8 upper-case hex digits, as in the DICOM JSON model
    vr: str
    level: Level
    required: bool = False


def _table(level: Level, rows: str) -> tuple[Attribute, ...]:
    return tuple(
        Attribute(keyword, tag, vr, level, required=bool(mark))
        for keyword, tag, vr, *mark in (row.split() for row in rows.strip().splitlines())
    )


STUDY_ATTRIBUTES = _table(
    Level.STUDY,
    """
    StudyDate 00080020 DA required
    StudyTime 00080030 TM required
    AccessionNumber 00080050 SH required
    ReferringPhysicianName 00080090 PN required
    TimezoneOffsetFromUTC 00080201 SH
    StudyDescription 00081030 LO
    ProcedureCodeSequence 00081032 SQ
    NameOfPhysiciansReadingStudy 00081060 PN
    AdmittingDiagnosesDescription 00081080 LO
    PatientName 00100010 PN required
    PatientID 00100020 LO required
    IssuerOfPatientID 00100021 LO
    PatientBirthDate 00100030 DA required
    PatientSex 00100040 CS required
    OtherPatientIDsSequence 00101002 SQ
    PatientAge 00101010 AS
    PatientSize 00101020 DS
    PatientWeight 00101030 DS
    StudyInstanceUID 0020000D UI required
    StudyID 00200010 SH required
    RequestingPhysician 00321032 PN
    RequestedProcedureDescription 00321060 LO
    """,
)

SERIES_ATTRIBUTES = _table(
    Level.SERIES,
    """
    SeriesDate 00080021 DA
    SeriesTime 00080031 TM
    Modality 00080060 CS required
    Manufacturer 00080070 LO
    InstitutionName 00080080 LO
    StationName 00081010 SH
    SeriesDescription 0008103E LO required
    InstitutionalDepartmentName 00081040 LO
    PerformingPhysicianName 00081050 PN
    OperatorsName 00081070 PN
    ManufacturerModelName 00081090 LO
    BodyPartExamined 00180015 CS
    DeviceSerialNumber 00181000 LO
    ProtocolName 00181030 LO
    PatientPosition 00185100 CS
    SeriesInstanceUID 0020000E UI required
    SeriesNumber 00200011 IS required
    FrameOfReferenceUID 00200052 UI
    Laterality 00200060 CS
    PerformedProcedureStepStartDate 00400244 DA required
    PerformedProcedureStepStartTime 00400245 TM required
    PerformedProcedureStepDescription 00400254 LO
    RequestAttributesSequence 00400275 SQ required
    """,
)

INSTANCE_ATTRIBUTES = _table(
    Level.INSTANCE,
    """
    ImageType 00080008 CS
    SOPClassUID 00080016 UI required
    SOPInstanceUID 00080018 UI required
    AcquisitionDate 00080022 DA
    ContentDate 00080023 DA
    AcquisitionTime 00080032 TM
    ContentTime 00080033 TM
    AcquisitionNumber 00200012 IS
    InstanceNumber 00200013 IS required
    NumberOfFrames 00280008 IS
    Rows 00280010 US
    Columns 00280011 US
    BitsAllocated 00280100 US
    ConceptNameCodeSequence 0040A043 SQ
    CompletionFlag 0040A491 CS
    VerificationFlag 0040A493 CS
    DocumentTitle 00420010 ST
    MIMETypeOfEncapsulatedDocument 00420012 LO
    ContentLabel 00700080 CS
    ContentDescription 00700081 LO
    """,
)

INDEX_ATTRIBUTES = STUDY_ATTRIBUTES + SERIES_ATTRIBUTES + INSTANCE_ATTRIBUTES
BY_TAG = {attribute.tag: attribute for attribute in INDEX_ATTRIBUTES}
BY_KEYWORD = {attribute.keyword: attribute for attribute in INDEX_ATTRIBUTES}
