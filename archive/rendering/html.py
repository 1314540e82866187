"""One page for all documents: it stands alone, loads nothing, runs nothing, and escapes everything.

Owns the frame, the style and the bound of a page's size. What is in a page comes from the modules of its
kind. The policy that the web layer sends with it is `default-src 'none'; style-src 'unsafe-inline';
img-src data:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from archive.errors import NotDecodable
from archive.rendering.html_style import STYLE

MOST_BYTES = 32 * 2**20
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")

_WIDE = Markup(' class="wide"')
_OPENING = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n<title>{}</title>\n<style>{}</style>\n</head>\n'
    "<body{}>\n"
)


def tag(_name: str, *content: str, **attributes: str | int | None) -> Markup:
    """Return an element; content and attribute values are escaped unless they are markup.

    Attributes that are None or "" are left out; a trailing underscore is cut (`class_`), others are hyphens.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value not in (None, "")
    )
    inner = Markup("").join(content)
    return Markup(f"<{_name}{written}>{inner}</{_name}>")  # noqa: S704 the name is ours, the rest escaped


def link(href: str | None, *content: str) -> Markup:
    """Return a link, or just its content where there is no address."""
    return tag("a", *content, href=href) if href else Markup("").join(content)


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Return a line of named values; those that are empty are left out."""
    entries = [tag("div", tag("dt", name), tag("dd", value, dir="auto")) for name, value in pairs if value]
    return tag("dl", *entries, class_="facts") if entries else Markup("")


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], numeric: str = "") -> Markup:
    """Return a table that becomes cards on narrow screens, nothing where it has no rows.

    `numeric` has a character a column: "n" where numbers stand. Columns without any value are left out.
    """
    kept = [list(row) for row in rows]
    filled = [at for at in range(len(columns)) if any(row[at] for row in kept)]
    if not kept or not filled:
        return Markup("")
    kinds = {at: "number" if numeric[at : at + 1] == "n" else "" for at in filled}
    head = Markup("").join(tag("th", columns[at], scope="col", class_=kinds[at]) for at in filled)
    body = [tag("tr", *(_cell(row[at], columns[at], kinds[at]) for at in filled)) for row in kept]
    inner = (tag("caption", caption), tag("thead", tag("tr", head)), tag("tbody", *body))
    return tag("table", *inner, class_="cards")


def _cell(value: str, column: str, kind: str) -> Markup:
    # The value is one element beside the column's name that a card shows; what is empty stays so.
    content = (tag("span", value),) if value else ()
    return tag("td", *content, class_=kind, data_name=column, dir="" if kind else "auto")


class Page:
    """A page that is written from its start to its end.

    `write` raises NotDecodable when the page becomes larger than MOST_BYTES.
    """

    def __init__(self, title: str, *, wide: bool = False) -> None:
        self._parts: list[str] = []
        self._size = 0
        self.write(_OPENING.format(title, STYLE, _WIDE if wide else ""))

    def write(self, *content: str) -> None:
        """Add text, escaped unless it is markup."""
        for each in content:
            written = escape(each)
            self._size += len(written) if written.isascii() else len(written.encode())
            if self._size > MOST_BYTES:
                raise NotDecodable(f"the document would be larger than {MOST_BYTES // 2**20} MiB as a page")
            self._parts.append(written)

    def begin_main(self, title: str, language: str = "") -> None:
        """Open the main part with its heading; `language` is of its text, such as "de"."""
        lang = tag("main", lang=language if _LANGUAGE.fullmatch(language) else "")
        self.write(lang[: -len("</main>")], tag("h1", title, dir="auto"))

    def finish(self, *footer: str) -> bytes:
        """Close the main part and the page; return it in UTF-8."""
        self.write(Markup("</main>\n"))
        if any(footer):
            self.write(tag("footer", *(tag("p", each) for each in footer if each)))
        self.write(Markup("\n</body>\n</html>\n"))
        return "".join(self._parts).encode()
