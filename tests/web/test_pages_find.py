"""The page that finds studies: what is typed becomes a search, and its answer a list that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import InvalidRequest, Unavailable
from archive.index import schema
from archive.model.query import AnyOf, FuzzyName, Range, Wildcard
from archive.settings import Settings
from archive.web.pages.find_query import PARAMETERS, Form, to_query
from tests.conformance.archive import Archive
from tests.search.corpus import fill, instance
from tests.web.html import Element, parse

UNKNOWN = "\N{EN DASH}not known"
TO = "\N{EN DASH}"
TODAY = datetime.now(UTC).astimezone().date()
STUDIES: list[dict[str, Any]] = [
    {
        "PatientName": "Müller^Anna^^Dr.",
        "PatientID": "AB-1001",
        "AccessionNumber": "ris7",
        "StudyDate": "20240105",
        "StudyTime": "140559",
        "PatientSex": "F",
        "PatientBirthDate": "19800312",
        "StudyDescription": "Head CT",
    },
    {
        "PatientName": "Miller^Bob",
        "PatientID": "1002",
        "AccessionNumber": "RIS8",
        "StudyDate": "20240106",
        "StudyDescription": "Knee <b>left</b>",
        "Modality": "MR",
    },
    {"PatientName": "Yamada^Tarou=山田^太郎", "PatientID": "1003", "StudyDate": TODAY.strftime("%Y%m%d")},
    {"PatientName": "", "PatientID": "", "StudyDescription": "", "Modality": "US"},
    {"PatientName": "Hamilton^Carl", "PatientID": "77", "AccessionNumber": "1002", "StudyDate": "20240107"},
]  # fmt: skip


def made(request: pytest.FixtureRequest, kind: str, folder: Path) -> Archive:
    """Return an archive of nothing on one kind of database."""
    new: Callable[[], str] = request.getfixturevalue(
        "new_sqlite_database" if kind == "sqlite" else "new_database"
    )
    return Archive(Settings(data=str(folder), database_url=new()))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Give an archive of five studies, which tests leave alone."""
    archive = made(request, request.param, tmp_path_factory.mktemp("find"))
    fill(archive.services.database, (instance(n, **each) for n, each in enumerate(STUDIES, 1)))
    yield archive
    archive.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    """Give an archive of nothing."""
    archive = made(request, request.param, tmp_path)
    yield archive
    archive.close()


def page(archive: Archive, query: str = "", status: int = 200) -> Element:
    """Return the page for the query of an address."""
    answer = archive.client.get(f"/?{query}", headers={"Accept": "text/html"}, buffered=True)
    assert answer.status_code == status, answer.text
    return parse(answer.text)


def names(found: Element) -> list[str]:
    """Return the names in the list."""
    return [each.text for each in found.all("a", class_="name")]


def test_a_row_says_who_what_and_when(archive: Archive) -> None:
    found = page(archive, "q=anna")
    (row,) = found.one("tbody").all("tr")
    cells = [cell.text for cell in row.all("td")]
    assert cells[0] == "Müller, Dr. Anna F born 12 Mar 1980 43 y"
    assert cells[1:6] == ["AB-1001", "5 Jan 2024 14:05", "CT", "Head CT", "ris7"]
    assert cells[6] == "1 image 1 series"
    assert row.one("a", class_="name").attributes["href"] == "/studies/1.2.1"
    assert [each.attributes["href"] for each in row.all("a", class_="button")][-1] == "/studies/1.2.1/look"
    assert found.one("time", datetime="2024-01-05").text == "5 Jan 2024"
    assert found.one(data_count="1 study").attributes["data-only"] == "/studies/1.2.1"


def test_what_is_not_known_is_a_dash(archive: Archive) -> None:
    (row,) = page(archive, "modality=US").one("tbody").all("tr")
    cells = [cell.text for cell in row.all("td")]
    assert cells[0] == "No name"
    assert cells[1:6] == [UNKNOWN, UNKNOWN, "US", UNKNOWN, UNKNOWN]


def test_values_are_text(archive: Archive) -> None:
    assert "<b>left" not in archive.client.get("/?q=bob", buffered=True).text
    assert "Knee <b>left</b>" in page(archive, "q=bob").text
    assert "<script>" not in archive.client.get("/?q=<script>&from=<script>", buffered=True).text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=mil", ["Hamilton, Carl", "Miller, Bob"]),
        ("q=MULLER", ["Müller, Dr. Anna"]),
        ("q=m%C3%BCl anna", ["Müller, Dr. Anna"]),
        ("q=anna mül", ["Müller, Dr. Anna"]),
        ("q=bob 1002", ["Miller, Bob"]),
        ("q=1002", ["Hamilton, Carl", "Miller, Bob"]),
        ("q=ab-1001", ["Müller, Dr. Anna"]),
        ("q=ris", ["Miller, Bob", "Müller, Dr. Anna"]),
        ("q=ris7", ["Müller, Dr. Anna"]),
        ("q=山田", ["Yamada, Tarou (山田 太郎)"]),
        ("q=mi", ["Miller, Bob"]),
        ("q=mil*", ["Miller, Bob"]),
        ("q=100?", ["Yamada, Tarou (山田 太郎)", "Hamilton, Carl", "Miller, Bob"]),
        ("q=1.2.2", ["Miller, Bob"]),
        ("q=Doe", []),
        ("name=mil", ["Hamilton, Carl", "Miller, Bob"]),
        ("id=100", ["Yamada, Tarou (山田 太郎)", "Miller, Bob", "Müller, Dr. Anna"]),
        ("accession=1002", ["Hamilton, Carl"]),
        ("description=head", ["Müller, Dr. Anna"]),
        ("modality=MR", ["Miller, Bob"]),
        ("modality=mr,us", ["Miller, Bob", "No name"]),
        ("from=2024-01-06&to=2024-01-07", ["Hamilton, Carl", "Miller, Bob"]),
        ("from=20240106&to=20240106", ["Miller, Bob"]),
        ("to=2024-01-05", ["Müller, Dr. Anna"]),
        (f"from={TODAY}", ["Yamada, Tarou (山田 太郎)"]),
        ("q=mil&modality=CT", ["Hamilton, Carl"]),
        ("order=name&q=mil", ["Hamilton, Carl", "Miller, Bob"]),
        ("order=-name&q=mil", ["Miller, Bob", "Hamilton, Carl"]),
        ("order=accession&to=2024-12-31", ["Hamilton, Carl", "Miller, Bob", "Müller, Dr. Anna"]),
        ("order=nonsense&q=mil", ["Hamilton, Carl", "Miller, Bob"]),
        ("q=  mil  ", ["Hamilton, Carl", "Miller, Bob"]),
        ("q=--", []),
    ],
)  # fmt: skip
def test_what_is_typed_is_found(archive: Archive, query: str, found: list[str]) -> None:
    got = page(archive, query)
    assert names(got) == found
    if not found:
        assert "No study matches" in got.one("section", id="results").text


def test_fields_show_what_was_asked_for(archive: Archive) -> None:
    query = 'q="a"&name=n&id=i&accession=a&description=d&modality=ZZ&from=2024-01-01&to=2024-01-02&order=id'
    form = page(archive, query).one("form", id="find")
    filled = {
        each.attributes["name"]: each.attributes["value"]
        for each in form.all("input")
        if "name" in each.attributes
    }
    assert filled == {
        "q": '"a"', "name": "n", "id": "i", "accession": "a", "description": "d",
        "from": "2024-01-01", "to": "2024-01-02",
    }  # fmt: skip
    chosen = [each.text for each in form.all("option") if "selected" in each.attributes]
    assert chosen == ["ZZ", "Patient ID"]
    assert "checked" in form.one("input", id="show-filters").attributes


def test_headings_sort_and_say_so(archive: Archive) -> None:
    head = page(archive, "q=mil&order=name").one("thead")
    sorted_by = [
        (each.text, each.attributes["aria-sort"]) for each in head.all("th") if "aria-sort" in each.attributes
    ]
    assert sorted_by == [("Patient", "ascending")]
    links = {each.text: dict(parse_qsl(urlsplit(each.attributes["href"]).query)) for each in head.all("a")}
    assert links["Patient"] == {"q": "mil", "order": "-name"}
    assert links["Date"] == {"q": "mil"}
    assert links["Patient ID"] == {"q": "mil", "order": "id"}
    usual = page(archive).one("thead")
    assert usual.one("th", aria_sort="descending").text == "Date"
    assert usual.one("th", aria_sort="descending").one("a").attributes["href"] == "/?order=date"


def test_dates_of_one_click(archive: Archive) -> None:
    links = {each.text: each for each in page(archive, "q=x").all("a") if "data-days" in each.attributes}
    assert list(links) == ["Today", "7 days", "30 days"]
    week = dict(parse_qsl(urlsplit(links["7 days"].attributes["href"]).query))
    assert week == {"q": "x", "from": str(TODAY - timedelta(days=6)), "to": str(TODAY)}
    chosen = page(archive, f"from={TODAY}&to={TODAY}").all("a", aria_current="true")
    assert [each.text for each in chosen] == ["Today"]


def test_pages_there_and_back(empty: Archive) -> None:
    fill(
        empty.services.database,
        (instance(n, PatientName=f"Doe^{n:03}", PatientID="many") for n in range(120)),
    )
    counts, all_names = [], []
    address: str | None = "q=many&order=name"
    pages = []
    while address is not None:
        pages.append(address)
        found = page(empty, address)
        counts.append(found.one("p", class_="count").text)
        all_names += names(found)
        following = found.all("a", rel="next")
        assert len({each.attributes["href"] for each in following}) <= 1
        address = urlsplit(following[0].attributes["href"]).query if following else None
    assert counts == [f"1{TO}50 of 120 studies", f"51{TO}100 of 120 studies", f"101{TO}120 of 120 studies"]
    assert all_names == [f"Doe, {n:03}" for n in range(120)]
    back = page(empty, pages[2]).all("a", rel="prev")[0].attributes["href"]
    found = page(empty, urlsplit(back).query)
    assert names(found)[:1] == ["Doe, 050"]
    assert found.one("p", class_="count").text == f"51{TO}100 of 120 studies"
    first = page(empty, urlsplit(found.all("a", rel="prev")[0].attributes["href"]).query)
    assert first.one("p", class_="count").text == f"1{TO}50 of 120 studies"
    assert not first.all("a", rel="prev")


def test_a_script_gets_the_results_alone(archive: Archive) -> None:
    whole = archive.client.get("/?q=mil", buffered=True)
    part = archive.client.get("/?q=mil", headers={"X-Part": "results"}, buffered=True)
    assert "<html" not in part.text
    assert part.text.strip() in whole.text
    assert "X-Part" in part.headers["Vary"]
    assert part.headers["Cache-Control"] == "no-store"


def test_an_empty_archive_says_how_to_begin(empty: Archive) -> None:
    found = page(empty).one("section", id="results")
    assert "The archive is empty" in found.text
    assert "http://localhost/dicom-web/studies" in found.text
    assert found.one("a", class_="primary").attributes["href"] == "/upload"
    assert "No study matches" in page(empty, "q=x").text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=yesterday", "'yesterday' is no date"),
        ("to=2024-13-01", "'2024-13-01' is no date"),
        ("cursor=nonsense", "This page of the list is not there any more"),
    ],
)
def test_what_cannot_be_searched_is_said_in_place(archive: Archive, query: str, said: str) -> None:
    found = page(archive, f"q=mil&{query}", status=400)
    notice = found.one("section", id="results").one(role="alert")
    assert said in notice.text
    assert found.one("input", id="q").attributes["value"] == "mil"
    assert "cursor" not in notice.one("a").attributes["href"]


def test_an_index_that_does_not_answer_is_said_in_place(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("the index cannot be asked now")

    monkeypatch.setattr(type(archive.services.search), "search", away)
    answer = archive.client.get("/?q=mil", buffered=True)
    assert (answer.status_code, answer.mimetype, answer.headers["Retry-After"]) == (503, "text/html", "5")
    assert "The index cannot be asked now: try again in a moment" in parse(answer.text).text


def test_a_page_back_that_lost_its_studies_is_the_first_one(empty: Archive) -> None:
    fill(empty.services.database, (instance(n, PatientName=f"N^{n:03}") for n in range(120)))
    second = page(empty, "order=name").all("a", rel="next")[0].attributes["href"]
    back = page(empty, urlsplit(second).query).all("a", rel="prev")[0].attributes["href"]
    with empty.services.database.engine.begin() as connection:
        for table in (schema.instances, schema.series):
            connection.execute(sa.delete(table).where(table.c.study_id <= 20))
        connection.execute(sa.delete(schema.studies).where(schema.studies.c.id <= 20))
    found = page(empty, urlsplit(back).query)
    assert names(found) == [f"N, {n:03}" for n in range(20, 70)]
    assert found.one("p", class_="count").text == f"1{TO}50 of 100 studies"


@given(st.dictionaries(st.sampled_from([*PARAMETERS.values()]), st.text(max_size=30)))
def test_whatever_is_typed_is_a_query_or_named(arguments: dict[str, str]) -> None:
    form = Form.read(arguments)
    try:
        query = to_query(form, limit=1)
    except InvalidRequest as error:
        where = error.where
    else:
        where = None
    if where is not None:
        assert where in {"from", "to"}
        return
    assert len(query.either) <= 8
    assert all(group for group in query.either)
    assert Form.read(form.parameters()) == form


@pytest.mark.parametrize(
    ("word", "matches"),
    [
        ("mil", [FuzzyName(("*mil",)), Wildcard(("*mil*", "*MIL*")), Wildcard(("*mil*", "*MIL*"))]),
        ("mi", [FuzzyName(("mi",)), Wildcard(("mi*", "MI*")), Wildcard(("mi*", "MI*"))]),
        ("4711", [FuzzyName(("*4711",)), Wildcard(("*4711*",)), Wildcard(("*4711*",))]),
        ("mi*", [FuzzyName(("mi*",)), Wildcard(("mi*", "MI*")), Wildcard(("mi*", "MI*"))]),
        ("--", [Wildcard(("--*",)), Wildcard(("--*",))]),
        (
            "1.2.3",
            [FuzzyName(("*1.2.3",)), Wildcard(("*1.2.3*",)), Wildcard(("*1.2.3*",)), AnyOf(("1.2.3",))],
        ),
    ],
)
def test_a_word_of_the_box_is_looked_for_in_each_place(word: str, matches: list[object]) -> None:
    (group,) = to_query(Form(q=word), limit=1).either
    assert [key.match for key in group] == matches


def test_open_ranges_of_dates() -> None:
    (key,) = to_query(Form(date_from="2024-01-01"), limit=1).keys
    assert key.match == Range("20240101", None)
