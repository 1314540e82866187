"""Searches in every order that can be asked for, page by page, there and back, on both back ends.

What is expected comes from the order in which the values are listed here, not from the code that folds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from archive.dicomweb.search import parse_query
from archive.errors import InvalidRequest
from archive.index.engine import Database
from archive.index.search import SearchPage
from archive.model.level import Level, Place
from archive.model.query import ORDERABLE, AnyOf, FuzzyName, Key, Query, Wildcard
from tests.search.corpus import fill, find, instance, run, uids

# Each in ascending order; values in one tuple are equal.
NAMES: list[tuple[str, ...]] = [
    ("Doe^Anna", "DOE^anna", "Doé^Anna^"),
    ("Doe^Anna^B",),
    ("Doe^Bert",),
    ("Doe Smith^Ann",),
    ("Doelle^X",),
    ("Muller^A", "Müller^A", "Müller^A=山田"),
    ("Mz",),
    ("Øster^Per",),
    ("\N{MODIFIER LETTER SMALL H}",),
    ("=山田^太郎",),
    ("\N{HALFWIDTH WHITE CIRCLE}",),
    ("\U0001f600",),
]
IDS: list[tuple[str, ...]] = [
    ("1",), ("10",), ("9",), ("A",), ("Z",), ("a",), ("é",), ("\N{HALFWIDTH WHITE CIRCLE}",), ("\U0001f600",),
]  # fmt: skip
TEXTS: list[tuple[str, ...]] = [
    ("%",),
    ("abdomen", "ABDOMEN"),
    ("Abdomen CT",),
    ("head ct", "Head CT"),
    ("überall",),
]
DATES: list[tuple[str, ...]] = [("19991231",), ("20240101",), ("20240102",)]
TIMES: list[tuple[str, ...]] = [("080000",), ("1230",), ("235959.5",)]

LISTED = {
    "StudyDate": DATES,
    "PatientName": NAMES,
    "PatientID": IDS,
    "AccessionNumber": IDS,
    "StudyDescription": TEXTS,
}


TAGS = dict(zip(LISTED, ORDERABLE, strict=True))


def values(listed: list[tuple[str, ...]], *, empty: int = 1) -> list[str]:
    """Return every value of a list, and empty ones."""
    return [each for group in listed for each in group] + [""] * empty


def corpus() -> Iterator[dict[str, Any]]:
    """Give studies in which every value meets several others, some empty, some alike in all but their UID."""
    for n in range(90):
        names, ids, texts = values(NAMES), values(IDS, empty=3), values(TEXTS)
        yield instance(
            n,
            n % 2 + 1,
            StudyDate=values(DATES)[n * 7 // 5 % 4],
            StudyTime=values(TIMES)[n // 3 % 4],
            PatientName=names[n * 5 % len(names)],
            PatientID=ids[n * 7 % len(ids)],
            AccessionNumber=ids[n // 30 * 5 % len(ids)],
            StudyDescription=texts[n // 2 % len(texts)],
        )


CORPUS = list(corpus())


def value(each: dict[str, Any], tag: str) -> Any:
    """Return the first value of an attribute, empty where it has none."""
    found = each[tag].get("Value", [""])[0]
    return (
        "=".join(filter(None, [found.get("Alphabetic", ""), found.get("Ideographic", "")]))
        if isinstance(found, dict)
        else found
    )


def rank(listed: list[tuple[str, ...]], text: str) -> int:
    """Return the place of a value in its list, -1 for an empty one."""
    if not text:
        return -1
    for place, group in enumerate(listed):
        if text in group or text in {each.lstrip("=") for each in group}:
            return place
    raise AssertionError(text)


def model(keyword: str, *, descending: bool) -> list[str]:
    """Return the UIDs of all studies, without what all of them begin with, in the order asked for."""
    tag = TAGS[keyword]

    def newest(each: dict[str, Any]) -> tuple[int, int]:
        return -rank(DATES, value(each, "00080020")), -rank(TIMES, value(each, "00080030"))

    found = sorted(CORPUS, key=lambda each: str(value(each, "0020000D")))
    found.sort(key=newest)
    if keyword == "StudyDate":
        if not descending:
            found.reverse()
            found.sort(key=lambda each: value(each, tag) == "")
        return [str(value(each, "0020000D")).removeprefix("1.2.") for each in found]
    found.sort(key=lambda each: rank(LISTED[keyword], value(each, tag)))
    if descending:
        found.reverse()
    found.sort(key=lambda each: value(each, tag) == "")
    return [str(value(each, "0020000D")).removeprefix("1.2.") for each in found]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Give an index of the corpus."""
    kind = "new_sqlite_database" if request.param == "sqlite" else "new_database"
    new: Callable[[], str] = request.getfixturevalue(kind)
    database = Database(new(), pool=2, timeout=30)
    fill(database, CORPUS)
    yield database
    database.close()


def walk(page: SearchPage, turn: Callable[[SearchPage], SearchPage | None]) -> Iterator[SearchPage]:
    """Go from page to page to the end."""
    current: SearchPage | None = page
    while current is not None:
        yield current
        current = turn(current)


@pytest.mark.parametrize(("keyword", "descending"), list(product(LISTED, (False, True))))
@pytest.mark.parametrize(
    "also", [(), (("Manufacturer", '""'), ("emptyvaluematching", "true"))], ids=["sql", "scan"]
)
def test_pages_there_and_back(
    database: Database,
    keyword: str,
    descending: bool,  # noqa: FBT001, RUF100 a parameter of pytest
    also: tuple[tuple[str, str], ...],
) -> None:
    order = ("orderby", "-" * descending + keyword)
    expected = model(keyword, descending=descending)
    assert uids(find(database, order, *also)) == expected
    size = 7
    options = (order, *also, ("limit", str(size)))

    def turn(cursor: str | None) -> SearchPage | None:
        return find(database, *options, ("cursor", cursor)) if cursor else None

    pages = list(walk(find(database, *options), lambda page: turn(page.next_cursor)))
    assert [uid for page in pages for uid in uids(page)] == expected
    assert [page.start for page in pages] == list(range(0, len(CORPUS), size))
    assert {page.total for page in pages} == {len(CORPUS)}
    assert pages[0].previous_cursor is None
    back = list(walk(pages[-1], lambda page: turn(page.previous_cursor)))
    assert [uids(page) for page in reversed(back)] == [uids(page) for page in pages]
    assert [(page.start, page.total) for page in reversed(back)] == [
        (page.start, page.total) for page in pages
    ]
    assert [page.remaining for page in reversed(back)] == [page.remaining for page in pages]
    by_offset = [uids(find(database, *options, ("offset", str(n)))) for n in range(0, len(CORPUS), size)]
    assert by_offset == [uids(page) for page in pages]


def test_a_page_back_after_everything_before_it_went(database: Database) -> None:
    second = find(database, ("limit", "50"), ("cursor", find(database, ("limit", "50")).next_cursor or ""))
    back = find(database, ("limit", "60"), ("cursor", second.previous_cursor or ""))
    assert (len(back.results), back.start, back.previous_cursor) == (50, 0, None)
    assert back.next_cursor is not None


def test_an_order_narrows_nothing_and_is_part_of_the_cursor(database: Database) -> None:
    page = find(database, ("limit", "5"), ("orderby", "PatientName"), ("StudyDescription", "head*"))
    assert page.next_cursor is not None
    names = model("PatientName", descending=False)
    heads = {
        str(value(e, "0020000D")).removeprefix("1.2.")
        for e in CORPUS
        if value(e, "00081030").lower() == "head ct"
    }
    assert uids(page) == [uid for uid in names if uid in heads][:5]
    with pytest.raises(InvalidRequest, match="cursor"):
        find(
            database,
            ("limit", "5"),
            ("orderby", "-PatientName"),
            ("StudyDescription", "head*"),
            ("cursor", page.next_cursor),
        )


@pytest.mark.parametrize(
    "text", ["Modality", "PatientName,StudyDate", "nothing", "--StudyDate", "-", "00400275.00400007"]
)
def test_what_cannot_be_ordered_by_is_named(text: str) -> None:
    with pytest.raises(InvalidRequest, match="StudyDate, PatientName") as error:
        parse_query(Level.STUDY, Place(), [("orderby", text)], default_limit=1, max_limit=1)
    assert error.value.where == "orderby"


def test_only_studies_are_ordered() -> None:
    with pytest.raises(InvalidRequest, match="studies"):
        parse_query(Level.SERIES, Place(), [("orderby", "StudyDate")], default_limit=1, max_limit=1)


def test_tags_and_keywords_name_the_same_order() -> None:
    orders = {
        parse_query(Level.STUDY, Place(), [("orderby", text)], default_limit=1, max_limit=1).order
        for text in ("-00100010", "-PatientName")
    }
    assert len(orders) == 1


def key(tag: str, text: str) -> Key:
    """Return a key that finds a part of a value."""
    if tag == "00100010":
        return Key((tag,), "PN", FuzzyName((f"*{text}",)))
    return Key((tag,), "LO", Wildcard((f"*{text}*",)) if text else AnyOf(("9",)))


@pytest.mark.parametrize("order", ["", "PatientName", "-PatientID"])
def test_one_key_of_each_group_matches(database: Database, order: str) -> None:
    """One box for several attributes: each word is in one of them."""
    plain = parse_query(
        Level.STUDY, Place(), [("orderby", order), ("limit", "100")], default_limit=1, max_limit=100
    )
    tags = ("00100010", "00100020", "00080050")

    def asked(*words: str) -> Query:
        return replace(plain, either=tuple(tuple(key(tag, word) for tag in tags) for word in words))

    def holds(each: dict[str, Any], word: str) -> bool:
        name = value(each, "00100010").lower().replace("é", "e").replace("ü", "u")
        return word in name or word in value(each, "00100020") or word in value(each, "00080050")

    ordered = model(order.lstrip("-") or "StudyDate", descending=order.startswith("-") or not order)
    for words in (("ann",), ("1",), ("doe", "1"), ("mull", "a"), ("\U0001f600",), ("nothing",), ("doe", "x")):
        hits = {
            str(value(e, "0020000D")).removeprefix("1.2.")
            for e in CORPUS
            if all(holds(e, word) for word in words)
        }
        page = run(database, asked(*words))
        assert uids(page) == [uid for uid in ordered if uid in hits], words
        assert page.total == len(hits)


def test_alternatives_are_of_the_study(database: Database) -> None:
    with pytest.raises(ValueError, match="study"):
        run(database, Query(Level.STUDY, either=((Key(("00080060",), "CS", AnyOf(("CT",))),),)))
