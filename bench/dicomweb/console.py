"""The header of a slice as a CT console writes it: some 130 elements, with nested items and a private block.

What a server does with a header depends on its length and on its sequences, so a bench with ten elements says
nothing. No value is of a person.
"""

from __future__ import annotations

from typing import Any

from pydicom import Dataset

from bench.dicomweb.identity import Kind, uid

CT = "1.2.840.10008.5.1.4.1.1.2"
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"

_TEXTS: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
    "StudyTime": "093000.000000",
    "SeriesTime": "093112.500000",
    "Manufacturer": "BENCH MEDICAL",
    "InstitutionName": "Hospital of Nowhere",
    "InstitutionAddress": "1 Loopback Road, 127 Nowhere",
    "InstitutionalDepartmentName": "Radiology",
    "ReferringPhysicianName": "REFERRER^ROBIN^^DR",
    "PerformingPhysicianName": "READER^RILEY",
    "OperatorsName": "TECHNOLOGIST^TERRY",
    "StationName": "CTSTATION01",
    "ManufacturerModelName": "Bench Scan 64",
    "StudyDescription": "CT THORAX ABDOMEN WITH CONTRAST",
    "DerivationDescription": "none",
    "PatientBirthDate": "19560417",
    "PatientSex": "F",
    "PatientAge": "054Y",
    "PatientSize": "1.68",
    "PatientWeight": "71.5",
    "IssuerOfPatientID": "NOWHERE",
    "EthnicGroup": "U",
    "AdditionalPatientHistory": "Follow-up of a finding in the upper lobe of the left lung. " * 2,
    "PatientComments": "synthetic",
    "ContrastBolusAgent": "IOHEXOL 350",
    "ContrastBolusRoute": "IV",
    "ContrastBolusVolume": "90",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL",
    "SliceThickness": "1.0",
    "KVP": "120",
    "DataCollectionDiameter": "500",
    "DeviceSerialNumber": "64001",
    "SoftwareVersions": ["VA48A", "SP2"],
    "ProtocolName": "ThoraxAbdomen_Routine",
    "ReconstructionDiameter": "350",
    "DistanceSourceToDetector": "1085.6",
    "DistanceSourceToPatient": "595",
    "GantryDetectorTilt": "0",
    "TableHeight": "151",
    "RotationDirection": "CW",
    "ExposureTime": "500",
    "XRayTubeCurrent": "312",
    "Exposure": "156",
    "FilterType": "FLAT",
    "GeneratorPower": "37",
    "FocalSpots": "1.2",
    "DateOfLastCalibration": "20100101",
    "TimeOfLastCalibration": "070000",
    "ConvolutionKernel": ["Br40d", "3"],
    "PatientPosition": "HFS",
    "SingleCollimationWidth": 0.6,
    "TotalCollimationWidth": 38.4,
    "TableSpeed": 46.0,
    "TableFeedPerRotation": 23.0,
    "SpiralPitchFactor": 0.6,
    "CTDIvol": 8.41,
    "AcquisitionNumber": 1,
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "PositionReferenceIndicator": "SN",
    "ImageComments": "synthetic image of a bench",
    "RequestingPhysician": "REFERRER^ROBIN^^DR",
    "RequestedProcedureDescription": "CT thorax abdomen",
    "PerformedProcedureStepStartTime": "093000",
    "PerformedProcedureStepDescription": "CT thorax abdomen",
}  # fmt: skip


def header(kind: Kind, study: int, series: int, instance: int, *, sop_class: str = CT) -> Dataset:
    """Return everything but the pixels."""
    day = f"2010{1 + study % 12:02}{1 + study % 28:02}"
    z = f"{-instance:.1f}"
    values = _TEXTS | {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": uid(kind, study, series, instance),
        "StudyInstanceUID": uid(kind, study),
        "SeriesInstanceUID": uid(kind, study, series),
        "FrameOfReferenceUID": uid(kind, study, 99),
        **dict.fromkeys(("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"), day),
        "AcquisitionTime": f"0931{instance % 60:02}.125000",
        "ContentTime": f"0932{instance % 60:02}.500000",
        "AccessionNumber": f"ACC{study:08}",
        "Modality": "CT",
        "SeriesDescription": f"Axial 1.0 Br40 S{series}",
        "PatientName": f"SYNTHETIC{study:04}^CASE",
        "PatientID": f"SYN{study:06}",
        "OtherPatientIDs": [f"ALT{study:05}", f"MRN{study:05}"],
        "StudyID": f"S{study}",
        "SeriesNumber": series,
        "InstanceNumber": instance,
        "ImagePositionPatient": ["-175", "-175", z],
        "SliceLocation": z,
        "PerformedProcedureStepStartDate": day,
        "PerformedProcedureStepID": f"PPS{study}",
        **_sequences(kind, study),
    }
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    block = ds.private_block(0x0029, "BENCH PRIVATE 1.0", create=True)
    block.add_new(0x01, "LO", "private text")
    block.add_new(0x02, "DS", ["1.5", "2.5", "3.5"])
    block.add_new(0x03, "SQ", [_item(CodeValue="PRV", CodeMeaning="private nested item")])
    block.add_new(0x10, "OB", bytes(i * 7 % 256 for i in range(2048)))
    return ds


def _sequences(kind: Kind, study: int) -> dict[str, list[Dataset]]:
    procedure = _code("CTTHABD", "99BENCH", "CT thorax and abdomen")
    protocol = _code("P1", "99BENCH", "routine protocol")
    protocol.ProtocolContextSequence = [_code("P2", "99BENCH", "nested context")]
    request = _item(
        ScheduledProcedureStepDescription="CT thorax abdomen",
        ScheduledProcedureStepID=f"SPS{study}",
        RequestedProcedureID=f"RP{study}",
        ScheduledProtocolCodeSequence=[protocol],
    )
    return {
        "ProcedureCodeSequence": [procedure],
        "RequestedProcedureCodeSequence": [procedure],
        "CTDIPhantomTypeCodeSequence": [_code("113691", "DCM", "IEC Body Dosimetry Phantom")],
        "ReferencedStudySequence": [_reference(_STUDY_CLASS, uid(kind, study, 0, 1))],
        "ReferencedImageSequence": [_reference(CT, uid(kind, study, 98, n)) for n in (1, 2, 3)],
        "SourceImageSequence": [_reference(CT, uid(kind, study, 97, n)) for n in (1, 2)],
        "RequestAttributesSequence": [request],
    }


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _reference(sop_class: str, sop: str) -> Dataset:
    return _item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=sop)


def _item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds
