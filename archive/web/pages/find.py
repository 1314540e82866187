"""GET /: find studies, as one types or by an ordinary form; the whole state is in the address.

A script asks for the part of the page that holds the results, by the header X-Part; it is the same template.
What a search cannot do is said where the results would be.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for

from archive.errors import InvalidRequest, Unavailable
from archive.index.search import SearchPage
from archive.index.search_results import Result
from archive.model.level import Level
from archive.web.access_log import note
from archive.web.context import base_url, principal, services
from archive.web.errors import RETRY_AFTER
from archive.web.pages import links, words
from archive.web.pages.find_query import NEWEST, PARAMETERS, Form, quick_dates, to_query

_LIMIT = 50
_PART = "X-Part"
_MODALITIES = tuple(
    "CT MR US DX CR MG XA RF NM PT SM ES OP ECG SR SEG DOC OT".split()  # noqa: SIM905 a list of strings reads worse
)
_BESIDE = frozenset({"SR", "PR", "KO", "DOC", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE"})  # shown after pictures

_log = logging.getLogger(__name__)

# Column headings: what they say, and the order that a click on them chooses first.
COLUMNS = (
    ("Patient", "name"),
    ("Patient ID", "id"),
    ("Date", NEWEST),
    ("Modality", ""),
    ("Description", "description"),
    ("Accession", "accession"),
    ("Images", ""),
)
SORTS = (
    (NEWEST, "Newest first"),
    ("date", "Oldest first"),
    ("name", "Patient name"),
    ("-name", "Patient name, Z to A"),
    ("id", "Patient ID"),
    ("accession", "Accession number"),
    ("description", "Description"),
)


def add(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/", "find", find)


def find() -> Response:
    """Show the studies that match."""
    form = Form.read(request.args)
    page, trouble, status = _search(form, request.args.get("cursor") or None)
    asked_for_part = request.headers.get(_PART) == "results"
    body = render_template(
        "find_results.html" if asked_for_part else "find.html",
        form=form,
        names=PARAMETERS,
        trouble=trouble,
        page=page,
        rows=_rows(page) if page else [],
        columns=[_column(form, label, order) for label, order in COLUMNS],
        sorts=SORTS
        if any(form.order == order for order, _ in SORTS)
        else (*SORTS, (form.order, "As chosen")),
        modalities=_MODALITIES,
        quick=list(_quick(form)),
        turn=lambda cursor: _address(form, cursor=cursor),
        first=_address(form),
        store_url=f"{base_url()}/studies",
    )
    response = make_response(body, status)
    response.vary.add(_PART)
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def _search(form: Form, cursor: str | None) -> tuple[SearchPage | None, str, int]:
    """Return a page of results, or what is wrong in words, and the status."""
    try:
        page = services().search.search(principal(), to_query(form, limit=_LIMIT, cursor=cursor))
        if cursor and page.previous_cursor is None and len(page.results) < _LIMIT:
            # Studies before this page went: the list begins here now, so it is shown from its beginning.
            page = services().search.search(principal(), to_query(form, limit=_LIMIT))
    except InvalidRequest as error:
        if error.where == "cursor":
            return None, "This page of the list is not there any more", 400
        return None, str(error), 400
    except Unavailable as error:
        _log.error("%s %s: %s", request.method, request.url_rule, error, exc_info=error)
        return None, f"{error}: try again in a moment", 503
    note(results=len(page.results))
    return page, "", 200


@dataclass(frozen=True, slots=True)
class _Column:
    label: str
    address: str | None  # None: not sorted by
    sort: str  # of aria-sort, empty where the list is in another order
    key: str


def _column(form: Form, label: str, order: str) -> _Column:
    if not order:
        return _Column(label, None, "", "")
    name = order.removeprefix("-")
    mine = form.order.removeprefix("-") == name
    other = name if form.order.startswith("-") else f"-{name}"
    sort = ("descending" if form.order.startswith("-") else "ascending") if mine else ""
    return _Column(label, _address(form, order=other if mine else order), sort, name)


def _address(form: Form, **others: str) -> str:
    """Return the address of the same search with other parameters: another order, page or range of dates."""
    parameters: dict[str, Any] = form.parameters() | others
    if parameters.get("order") == NEWEST:
        del parameters["order"]
    return url_for("pages.find", **parameters)


def _quick(form: Form) -> Iterator[tuple[str, int, str, bool]]:
    """Give label, days, address and whether it is chosen, for each range of dates of one click."""
    for label, days, first, last in quick_dates(datetime.now(UTC).astimezone().date()):
        chosen = (form.date_from, form.date_to) == (first, last)
        dates = {PARAMETERS["date_from"]: first, PARAMETERS["date_to"]: last}
        yield label, days, _address(form, **dates), chosen


@dataclass(frozen=True, slots=True)
class _Row:
    """A study as the list shows it; what is not known is empty."""

    uid: str
    name: str
    sex: str
    birth_date: str
    age: str
    patient_id: str
    date: str
    time: str
    modalities: tuple[str, ...]
    description: str
    accession: str
    series: int
    instances: int
    viewer: str | None


def _rows(page: SearchPage) -> list[_Row]:
    has_viewer = links.has_viewer()
    return [_row(each, has_viewer=has_viewer) for each in page.results]


def _row(result: Result, *, has_viewer: bool) -> _Row:
    study = result.attributes(Level.STUDY)
    born, date = words.text(study, "00100030"), words.text(study, "00080020")
    return _Row(
        uid=result.study_uid,
        name=words.person(words.value(study, "00100010")),
        sex=words.sex(words.text(study, "00100040")),
        birth_date=born,
        age=words.age(words.text(study, "00101010")) or words.age_at(born, date),
        patient_id=words.text(study, "00100020"),
        date=date,
        time=words.text(study, "00080030"),
        modalities=tuple(sorted(result.modalities, key=lambda each: (each in _BESIDE, each))),
        description=words.text(study, "00081030") or words.text(study, "00321060"),
        accession=words.text(study, "00080050"),
        series=result.study_series,
        instances=result.study_instances,
        viewer=links.viewer(result.study_uid, result.modalities) if has_viewer else None,
    )
