"""GET /studies/{study}: a study and its series; GET /studies/{study}/series/{series}: the instances of one.

The study page brings sums and pictures only. Instances are asked for series by series, a page at a time: by
the script into the study page, without it on a page of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request

from archive.dicom.dictionary import uid_name
from archive.errors import InvalidRequest, NotFound
from archive.index.series_instances import Listed
from archive.index.study_summary import SeriesSummary
from archive.model.level import Place
from archive.services.study_summary import PAGE, document_kind
from archive.web.context import place, principal, services
from archive.web.pages import links, words


def add(blueprint: Blueprint) -> None:
    """Add the two pages."""
    blueprint.add_url_rule("/studies/<study>", "study", study)
    blueprint.add_url_rule("/studies/<study>/series/<series>", "series", series)
    blueprint.add_app_template_filter(class_name)


@dataclass(frozen=True, slots=True)
class Card:
    """A series as the page shows it. `kind` says what it holds where that has no picture."""

    summary: SeriesSummary
    place: Place
    kind: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a person reads: what it is called, and of which kind it is."""

    listed: Listed
    place: Place
    kind: str
    title: str
    state: str


def study(study: str) -> str:
    """Show a study; raise NotFound or Gone."""
    where = place()
    view = services().study_summary.study(principal(), study)
    summary = view.summary
    modalities = {words.text(each.attributes, "00080060") for each in summary.series}
    return render_template(
        "study.html",
        study=summary,
        place=where,
        cards=[Card(each, Place(study, each.series_uid), _kind(each)) for each in summary.series],
        documents=[_document(each) for each in view.documents],
        more_documents=view.more_documents,
        patients=summary.other_patients if summary.patient_conflict else (),
        viewer=links.viewer(study, modalities) if links.has_viewer() else None,
        links=links,
    )


def series(study: str, series: str) -> str:
    """List a page of the instances of a series; raise NotFound or Gone."""
    where = place()
    number = _page_number()
    page = services().study_summary.series(principal(), where, number)
    pages = max(1, -(-page.total // PAGE))
    if number > pages:
        raise NotFound(f"the series has {words.plural(pages, 'page')}")
    return render_template("series.html", page=page, number=number, pages=pages, place=where, links=links)


def _page_number() -> int:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 7 and int(text)):
        raise InvalidRequest("page is a whole number from 1", where="page")
    return int(text)


def class_name(sop_class_uid: str) -> str:
    """Return the name of a SOP Class, short; the UID of one that PS3.6 does not have."""
    return uid_name(sop_class_uid).replace(" Storage", "").replace(" - For", ", for") or sop_class_uid


def _kind(summary: SeriesSummary) -> str:
    first = max(summary.classes, key=lambda each: each.instances)
    return document_kind(first.sop_class_uid) or class_name(first.sop_class_uid)


_TITLE, _CONCEPT, _COMPLETION, _VERIFICATION = "00420010", "0040A043", "0040A491", "0040A493"


def _document(listed: Listed) -> Document:
    identity = listed.instance.identity
    kind = document_kind(identity.sop_class_uid)
    concept = words.value(listed.attributes, _CONCEPT)
    title = words.text(listed.attributes, _TITLE)
    if not title and isinstance(concept, dict):
        title = words.text(concept, "00080104")
    state = [
        {"COMPLETE": "complete", "PARTIAL": "partial"}.get(words.text(listed.attributes, _COMPLETION), ""),
        {"VERIFIED": "verified", "UNVERIFIED": "not verified"}.get(
            words.text(listed.attributes, _VERIFICATION), ""
        ),
    ]
    return Document(listed, identity.place, kind, title, ", ".join(filter(None, state)))
