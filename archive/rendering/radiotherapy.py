"""What matters of radiotherapy objects at a glance: structures, prescriptions, fractions, beams.

Owns the tables that stand above the attributes of an RT Structure Set, an RT Plan and an RT Ion Plan (PS3.3
C.8.8). Whatever is missing leaves an empty cell.
"""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup
from pydicom.dataset import Dataset

from archive.rendering.codes import code_of, number_of
from archive.rendering.heading import moment_of
from archive.rendering.html import facts, link, table, tag
from archive.rendering.links import Links
from archive.rendering.values import first_item, integer, items, number, numbers, text
from archive.rendering.wording import class_words, joined, number_words

_BEAMS = ("BeamSequence", "IonBeamSequence")
_CONTROL_POINTS = ("ControlPointSequence", "IonControlPointSequence")


def structure_set_tables(ds: Dataset, _links: Links) -> Iterator[Markup]:
    """Give the regions of interest with their colours."""
    yield facts(
        [
            ("Structure set", joined((text(ds, "StructureSetLabel"), text(ds, "StructureSetName")), ", ")),
            ("Of", moment_of(ds, "StructureSet")),
            ("Approval", _approval(ds)),
        ]
    )
    contours = {_key(each, "ReferencedROINumber"): each for each in items(ds, "ROIContourSequence")}
    observations = {
        _key(each, "ReferencedROINumber"): each for each in items(ds, "RTROIObservationsSequence")
    }
    rows = []
    for roi in items(ds, "StructureSetROISequence"):
        key = _key(roi, "ROINumber")
        contour, observation = contours.get(key, Dataset()), observations.get(key, Dataset())
        drawn = items(contour, "ContourSequence")
        points = sum(integer(each, "NumberOfContourPoints") or 0 for each in drawn)
        name = text(roi, "ROIName") or text(observation, "ROIObservationLabel")
        rows.append(
            (
                key,
                _swatch(contour) + Markup("{}").format(name),
                _worded(text(observation, "RTROIInterpretedType")),
                code_of(observation, "RTROIIdentificationCodeSequence"),
                _worded(text(roi, "ROIGenerationAlgorithm")),
                f"{len(drawn):,}",
                f"{points:,}",
            )
        )
    columns = ("No.", "Region", "Type", "Meaning", "Made", "Contours", "Points")
    yield table("Regions of interest", columns, rows, "n    nn")


def _swatch(contour: Dataset) -> Markup:
    colour = [int(each) for each in numbers(contour, "ROIDisplayColor")]
    if len(colour) != 3 or not all(0 <= each <= 255 for each in colour):
        return Markup("")
    red, green, blue = colour
    return tag("span", class_="swatch", style=f"background:rgb({red},{green},{blue})")


def _key(item: Dataset, keyword: str) -> str:
    return text(item, keyword)


def _worded(value: str) -> str:
    """Return a defined term as a word: "EXTERNAL" is shouted."""
    return value.replace("_", " ").capitalize() if value.isupper() and len(value) > 3 else value


def _approval(ds: Dataset) -> str:
    who = joined((text(ds, "ReviewerName").replace("^", " "), moment_of(ds, "Review")), ", ")
    return joined((_worded(text(ds, "ApprovalStatus")), who), " by ")


def plan_tables(ds: Dataset, links: Links) -> Iterator[Markup]:
    """Give what a plan prescribes, its fractions and its beams."""
    label = joined((text(ds, "RTPlanLabel"), text(ds, "RTPlanName")), ", ")
    yield facts(
        [
            ("Plan", label),
            ("Of", moment_of(ds, "RTPlan")),
            ("Intent", _worded(text(ds, "PlanIntent"))),
            ("Approval", _approval(ds)),
            ("Position", _positions(ds)),
        ]
    )
    if text(ds, "RTPlanDescription"):
        yield tag("p", text(ds, "RTPlanDescription"))
    referenced = [*items(ds, "ReferencedStructureSetSequence"), *items(ds, "ReferencedDoseSequence")]
    yield _referenced(referenced, links)
    yield table(
        "Prescription",
        ("No.", "Region", "Description", "Type", "Prescribed dose", "Maximum dose"),
        [_prescription(each) for each in items(ds, "DoseReferenceSequence")],
        "n   nn",
    )
    yield table(
        "Fractions",
        ("Group", "Fractions", "Beams", "Beam doses", "Meterset", "Brachy setups"),
        [_fractions(each) for each in items(ds, "FractionGroupSequence")],
        "nnn  n",
    )
    metersets = _metersets(ds)
    beams = [beam for keyword in _BEAMS for beam in items(ds, keyword)]
    columns = ("No.", "Beam", "Type", "Radiation", "Energy", "Machine", "Gantry", "Collimator", "Couch")
    rows = [_beam(beam, metersets) for beam in beams]
    yield table("Beams", (*columns, "Meterset", "Control points"), rows, "n        nn")
    yield table(
        "Applications",
        ("No.", "Type", "Manufacturer", "Channels", "Reference air kerma"),
        [_application(each) for each in items(ds, "ApplicationSetupSequence")],
        "n  nn",
    )


def _positions(ds: Dataset) -> str:
    return ", ".join(
        dict.fromkeys(text(each, "PatientPosition") for each in items(ds, "PatientSetupSequence"))
    )


def _referenced(references: list[Dataset], links: Links) -> Markup:
    found = [
        link(links(text(each, "ReferencedSOPInstanceUID")), class_words(text(each, "ReferencedSOPClassUID")))
        for each in references
    ]
    return tag("p", "Belongs to ", Markup(", ").join(found), class_="soft") if found else Markup("")


def _prescription(item: Dataset) -> tuple[str, ...]:
    return (
        text(item, "DoseReferenceNumber"),
        text(item, "ReferencedROINumber"),
        text(item, "DoseReferenceDescription") or _worded(text(item, "DoseReferenceStructureType")),
        _worded(text(item, "DoseReferenceType")),
        number_of(item, "TargetPrescriptionDose", "Gy"),
        number_of(item, "OrganAtRiskMaximumDose", "Gy") or number_of(item, "TargetMaximumDose", "Gy"),
    )


def _fractions(item: Dataset) -> tuple[str, ...]:
    beams = items(item, "ReferencedBeamSequence")
    doses = joined((number_of(beam, "BeamDose", "Gy", 4) for beam in beams), ", ")
    total = sum(number(beam, "BeamMeterset") or 0.0 for beam in beams)
    return (
        text(item, "FractionGroupNumber"),
        text(item, "NumberOfFractionsPlanned"),
        text(item, "NumberOfBeams") or str(len(beams)),
        doses,
        number_words(total, 5) if total else "",
        text(item, "NumberOfBrachyApplicationSetups").replace("0", "", 1),
    )


def _metersets(ds: Dataset) -> dict[str, str]:
    """Return the meterset of each beam by its number, all fraction groups joined."""
    found: dict[str, str] = {}
    for group in items(ds, "FractionGroupSequence"):
        for beam in items(group, "ReferencedBeamSequence"):
            key = _key(beam, "ReferencedBeamNumber")
            found[key] = joined((found.get(key, ""), number_of(beam, "BeamMeterset", digits=5)), ", ")
    return found


def _beam(beam: Dataset, metersets: dict[str, str]) -> tuple[str, ...]:
    points = next((found for each in _CONTROL_POINTS if (found := items(beam, each))), [])
    key = _key(beam, "BeamNumber")
    ion = first_item(beam, "IonControlPointSequence")
    energies = dict.fromkeys(number_of(each, "NominalBeamEnergy") for each in points)
    unit = "MeV/u" if len(ion) and text(beam, "RadiationType") == "ION" else "MeV" if len(ion) else "MV"
    if text(beam, "RadiationType") == "ELECTRON":
        unit = "MeV"
    shown = [each for each in energies if each]
    energy = f"{shown[0]} to {shown[-1]}" if len(shown) > 1 else "".join(shown)
    return (
        key,
        joined((text(beam, "BeamName"), text(beam, "BeamDescription")), ": "),
        joined((_worded(text(beam, "BeamType")), _worded(text(beam, "TreatmentDeliveryType"))), ", "),
        _worded(text(beam, "RadiationType")),
        f"{energy} {unit}" if energy else "",
        text(beam, "TreatmentMachineName"),
        _angles(points, "GantryAngle"),
        _angles(points[:1], "BeamLimitingDeviceAngle"),
        _angles(points[:1], "PatientSupportAngle"),
        metersets.get(key, ""),
        str(len(points) or text(beam, "NumberOfControlPoints")),
    )


def _angles(points: list[Dataset], keyword: str) -> str:
    """Return an angle, or where it begins and ends."""
    found = [
        number_words(round(each, 1) + 0.0) for point in points if (each := number(point, keyword)) is not None
    ]
    if not found:
        return ""
    return f"{found[0]} °" if found[0] == found[-1] else f"{found[0]} to {found[-1]} °"


def _application(item: Dataset) -> tuple[str, ...]:
    return (
        text(item, "ApplicationSetupNumber"),
        _worded(text(item, "ApplicationSetupType")),
        text(item, "ApplicationSetupManufacturer"),
        str(len(items(item, "ChannelSequence"))),
        number_of(item, "TotalReferenceAirKerma", "µGy"),
    )
