"""Whose document it is: the patient and the study at the top of every page, and its facts at the bottom.

Owns which attributes identify a document to a person. Leaves the wording to archive/rendering/wording.py.
"""

from __future__ import annotations

from markupsafe import Markup
from pydicom.dataset import Dataset

from archive.rendering.codes import code_of
from archive.rendering.html import Page, facts, tag
from archive.rendering.values import text
from archive.rendering.wording import (
    age_between,
    age_words,
    class_words,
    date_words,
    joined,
    person_words,
    sex_words,
    time_words,
)


def patient_parts(ds: Dataset) -> list[str]:
    """Return name, ID, birth date with age, and sex, for people; what is not known is left out."""
    name = person_words(text(ds, "PatientName")) or "Patient without a name"
    number = text(ds, "PatientID")
    issuer = text(ds, "IssuerOfPatientID")
    born = text(ds, "PatientBirthDate")
    age = age_words(text(ds, "PatientAge")) or age_between(born, text(ds, "StudyDate"))
    birth = f"born {date_words(born)}" if born else ""
    if age:
        birth = f"{birth} ({age})" if birth else age
    identity = (
        f"ID {joined((number, f'({issuer})' if issuer and number else ''), ' ')}" if number else "no ID"
    )
    return [name, identity, *(each for each in (birth, sex_words(text(ds, "PatientSex"))) if each)]


def moment_of(ds: Dataset, what: str) -> str:
    """Return date and time of Study, Series, Content, … for people."""
    return joined((date_words(text(ds, f"{what}Date")), time_words(text(ds, f"{what}Time"))), ", ")


def study_facts(ds: Dataset) -> list[tuple[str, str]]:
    """Return what names the study, as pairs of name and value; values may be empty."""
    return [
        ("Study", text(ds, "StudyDescription") or code_of(ds, "ProcedureCodeSequence")),
        ("Date", moment_of(ds, "Study")),
        ("Accession", text(ds, "AccessionNumber")),
        ("Referred by", person_words(text(ds, "ReferringPhysicianName"))),
        ("Institution", joined((text(ds, "InstitutionName"), text(ds, "InstitutionalDepartmentName")), ", ")),
    ]


def write_heading(page: Page, ds: Dataset) -> None:
    """Write the band with patient and study that every page begins with."""
    name, *others = patient_parts(ds)
    line = tag("b", name, dir="auto") + Markup(" ").join(tag("span", other) for other in others)
    page.write(
        tag("div", tag("header", tag("p", line, class_="patient"), facts(study_facts(ds))), class_="band"),
        Markup("\n"),
    )


def footer_lines(ds: Dataset) -> tuple[str, ...]:
    """Return where the document comes from, for the foot of the page."""
    maker = joined((text(ds, "Manufacturer"), text(ds, "ManufacturerModelName")), " ")
    kind = class_words(text(ds, "SOPClassUID"))
    return (
        joined((kind, f"made by {maker}" if maker else "", text(ds, "StationName")), " · "),
        joined(("Instance", text(ds, "SOPInstanceUID")), " "),
    )
