"""What all pages have in common: policy, errors as pages, static files, addresses behind a proxy."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from archive import __version__
from archive.settings import Settings
from archive.web.pages import words
from tests.conformance.archive import Archive
from tests.web.html import parse

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def archive(
    new_sqlite_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    """Give an empty archive behind a proxy."""
    data = str(tmp_path_factory.mktemp("pages"))
    archive = Archive(Settings(data=data, database_url=new_sqlite_database(), trusted_proxies=1))
    yield archive
    archive.close()


def get(archive: Archive, path: str, **headers: str) -> TestResponse:
    """Send GET as a browser does."""
    return archive.client.get(path, headers=BROWSER | headers, buffered=True)


@pytest.mark.parametrize("path", ["/", "/status", "/upload", "/nothing"])
def test_every_page_says_what_it_may_load(archive: Archive, path: str) -> None:
    answer = get(archive, path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = parse(answer.text)
    assert page.one("html").attributes["lang"] == "en"
    assert [each.attributes["href"] for each in page.all("a", class_="skip")] == ["#main"]
    assert page.one("main").attributes["id"] == "main"
    assert "Not a medical device. Not cleared for diagnosis." in page.one("footer").text
    assert __version__ in page.one("footer").text
    # Nothing that the policy would stop.
    assert not page.all("style")
    assert not [each for each in page.all("script") if "src" not in each.attributes]
    assert not [
        each for each in page.all() if any(n == "style" or n.startswith("on") for n in each.attributes)
    ]


def test_the_page_that_is_shown_is_marked(archive: Archive) -> None:
    marked = parse(get(archive, "/status").text).all("a", aria_current="page")
    assert [each.text for each in marked] == ["Status"]


@pytest.mark.parametrize("path", ["/", "/status", "/upload", "/nothing"])
def test_addresses_begin_with_the_path_of_a_proxy(archive: Archive, path: str) -> None:
    page = parse(get(archive, path, **{"X-Forwarded-Prefix": "/pacs"}).text)
    addresses = [
        each.attributes[name]
        for each in page.all()
        for name in ("href", "src", "action")
        if name in each.attributes
    ]
    assert len(addresses) > 5
    assert all(each.startswith(("/pacs/", "#", "?")) for each in addresses), addresses


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/nothing", BROWSER["Accept"], "text/html"),
        ("/nothing", "*/*", "application/json"),
        ("/studies/1.2/nothing", BROWSER["Accept"], "text/html"),
        ("/studies/not-a-uid", "*/*", "text/html"),
        ("/dicom-web/nothing", BROWSER["Accept"], "application/json"),
        ("/api/nothing", BROWSER["Accept"], "application/json"),
        ("/static/x/nothing.js", BROWSER["Accept"], "application/json"),
    ],
)
def test_errors_are_pages_for_people_and_json_for_machines(
    archive: Archive, path: str, accept: str, kind: str
) -> None:
    answer = archive.client.get(path, headers={"Accept": accept}, buffered=True)
    assert answer.status_code in {400, 404}
    assert answer.mimetype == kind
    assert answer.headers["Cache-Control"] == "no-store"
    if kind == "text/html":
        page = parse(answer.text)
        assert answer.headers["X-Request-ID"] in page.one("main").text
        assert page.one("main").all("a", href="/")
        assert "OPTIONS" not in page.one("main").text


def test_a_method_that_a_page_has_not_is_told(archive: Archive) -> None:
    answer = archive.client.post("/status", headers=BROWSER, buffered=True)
    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert "GET" in answer.headers["Allow"]


def test_values_in_errors_are_text(archive: Archive) -> None:
    answer = get(archive, "/studies/<script>alert(1)")
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text


def assets(page: str) -> list[str]:
    """Return the addresses of the static files of a page."""
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', page)


def test_static_files_are_kept_for_good(archive: Archive) -> None:
    addresses = assets(get(archive, "/").text)
    assert {Path(each).suffix for each in addresses} == {".css", ".js", ".svg"}
    for address in addresses:
        plain, zipped = get(archive, address), get(archive, address, **{"Accept-Encoding": "gzip"})
        assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert plain.headers["Vary"] == "Accept-Encoding"
        assert "Content-Encoding" not in plain.headers
        if "Content-Encoding" in zipped.headers:
            assert gzip.decompress(zipped.data) == plain.data
            assert zipped.headers["ETag"] != plain.headers["ETag"]
            assert len(zipped.data) < len(plain.data)
        again = get(archive, address, **{"If-None-Match": plain.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    kinds = {Path(each).suffix: get(archive, each).headers["Content-Type"] for each in addresses}
    assert kinds[".js"] == "text/javascript; charset=utf-8"
    assert kinds[".css"] == "text/css; charset=utf-8"


def test_a_file_of_another_release_is_not_kept(archive: Archive) -> None:
    address = re.sub(r"/static/[^/]+/", "/static/0123456789abcdef/", assets(get(archive, "/").text)[0])
    answer = get(archive, address)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "/etc/passwd", "%2e%2e/app.py"])
def test_no_other_file_is_served(archive: Archive, name: str) -> None:
    assert get(archive, f"/static/x/{name}").status_code in {404, 400}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ({"Alphabetic": "Doe^John"}, "Doe, John"),
        ({"Alphabetic": "Adams^John Robert^Quincy^Rev.^M.Div."}, "Adams, Rev. John Robert Quincy, M.Div."),
        ({"Alphabetic": "DOE"}, "DOE"),
        ({"Alphabetic": "^John"}, "John"),
        ({"Alphabetic": "Yamada^T", "Ideographic": "山田^太郎", "Phonetic": "や"}, "Yamada, T (山田 太郎)"),
        ({"Ideographic": "山田^太郎"}, "山田 太郎"),
        ({"Alphabetic": "Yamada", "Phonetic": "やまだ"}, "Yamada (やまだ)"),
        ({}, ""),
        (None, ""),
        ("Doe^Jane=x=y", "Doe, Jane"),
        ({"Alphabetic": "a^b^c^d^e^f^g"}, "a, d b c, e"),
    ],
)  # fmt: skip
def test_names_are_written_as_people_do(name: object, shown: str) -> None:
    assert words.person(name) == shown


@pytest.mark.parametrize(
    ("function", "value", "shown"),
    [
        (words.day, "20261125", "25 Nov 2026"),
        (words.day, "2026.01.05", "5 Jan 2026"),
        (words.day, "20261325", "20261325"),
        (words.day, "", ""),
        (words.day, None, ""),
        (words.iso_day, "20261125", "2026-11-25"),
        (words.iso_day, "soon", ""),
        (words.clock, "140559.123", "14:05"),
        (words.clock, "14", "14:00"),
        (words.clock, "noon", "noon"),
        (words.sex, "O", "other"),
        (words.sex, "", ""),
        (words.age, "045Y", "45 y"),
        (words.age, "003M", "3 mo"),
        (words.age, "45", "45"),
        (words.size, 0, "0 bytes"),
        (words.size, 999, "999 bytes"),
        (words.size, 1_234, "1.2 KB"),
        (words.size, 2_100_000_000_000, "2.1 TB"),
        (words.size, 123_456_789, "123 MB"),
        (words.number, 1234567, "1,234,567"),
    ],
)
def test_values_are_written_as_people_do(
    function: Callable[[object], str], value: object, shown: str
) -> None:
    assert function(value) == shown


@pytest.mark.parametrize(
    ("born", "then", "age"),
    [
        ("19800312", date(2026, 3, 11), "45 y"),
        ("19800312", date(2026, 3, 12), "46 y"),
        ("20250601", date(2026, 3, 12), "9 mo"),
        ("20260301", date(2026, 3, 12), "11 d"),
        ("20240301", date(2026, 2, 28), "23 mo"),
        ("20270101", date(2026, 3, 12), ""),
        ("", date(2026, 3, 12), ""),
    ],
)
def test_the_age_is_that_on_the_day_of_the_study(born: str, then: date, age: str) -> None:
    assert words.age_at(born, then.strftime("%Y%m%d")) == age


def test_pages_are_sent_short(archive: Archive) -> None:
    plain, zipped = get(archive, "/"), get(archive, "/", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in zipped.headers["Vary"]
    assert int(zipped.headers["Content-Length"]) == len(zipped.data) < len(plain.data) / 2
    assert gzip.decompress(zipped.data) == plain.data
    wrong = get(archive, "/?from=x", **{"Accept-Encoding": "gzip"})
    assert (wrong.status_code, wrong.headers["Content-Encoding"]) == (400, "gzip")
