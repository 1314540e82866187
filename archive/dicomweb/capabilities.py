"""What the archive can do, told by the table that routes requests (PS3.18 8.9 and Annex H).

One row is one transaction on one path. The web layer owns the rows; from them come the answers to OPTIONS, as
WADL or JSON, and the tables of docs/conformance.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape, quoteattr

_VARIABLE = re.compile(r"\{(\w+)\}")
_WADL = "http://wadl.dev.java.net/2009/02"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter that a row takes."""

    name: str
    text: str = ""
    values: tuple[str, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A transaction: method and path template below the DICOMweb root, such as /studies/{study}.

    `accepts` are the media types of a request's body, `offers` those of an answer, the default first.
    """

    method: str
    path: str
    transaction: str
    clause: str
    text: str
    statuses: tuple[int, ...] = (200,)
    offers: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()


def rows_below(rows: Sequence[Row], path: str) -> list[Row]:
    """Return the rows of a resource and of those below it; `path` is that of a request, or a template."""
    return [row for row in rows if _covers(_steps(row.path), _steps(path))]


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step]


def _covers(template: list[str], steps: list[str]) -> bool:
    pairs = zip(template, steps, strict=False)
    return len(template) >= len(steps) and all(_VARIABLE.fullmatch(own) or own == step for own, step in pairs)


def allowed(rows: Sequence[Row], path: str) -> tuple[str, ...]:
    """Return the methods for Allow on a path; GET brings HEAD, and OPTIONS is always there."""
    depth = len(_steps(path))
    methods = {row.method for row in rows_below(rows, path) if len(_steps(row.path)) == depth}
    return tuple(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))


def _by_path(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for path, group in groupby(
        sorted(rows, key=lambda row: (row.path, row.method)), key=lambda row: row.path
    ):
        yield path, list(group)


def to_json(rows: Sequence[Row], base: str) -> dict[str, Any]:
    """Return the description as a value for JSON; keys follow WADL."""
    resources = [
        {"path": path, "methods": [_method_json(row) for row in group]} for path, group in _by_path(rows)
    ]
    return {"application": {"resources": {"base": base, "resource": resources}}}


def _method_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.method,
        "id": row.transaction,
        "doc": f"{row.text} (PS3.18 {row.clause})",
        "request": {
            "param": [
                {"name": each.name, "style": "query", "repeating": each.repeated, "doc": each.text}
                | ({"option": list(each.values)} if each.values else {})
                for each in row.parameters
            ],
            "representation": list(row.accepts),
        },
        "response": {"status": list(row.statuses), "representation": list(row.offers)},
    }


def to_wadl(rows: Sequence[Row], base: str) -> bytes:
    """Return the description as WADL (PS3.18 8.9.4)."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<application xmlns={quoteattr(_WADL)}>",
        f"<resources base={quoteattr(base)}>",
    ]
    for path, group in _by_path(rows):
        lines.append(f"<resource path={quoteattr(path.lstrip('/'))}>")
        lines += [
            f'<param name="{name}" style="template" required="true"/>' for name in _VARIABLE.findall(path)
        ]
        for row in group:
            lines += _method_wadl(row)
        lines.append("</resource>")
    return "\n".join([*lines, "</resources>", "</application>", ""]).encode("utf-8")


def _method_wadl(row: Row) -> Iterator[str]:
    yield f"<method name={quoteattr(row.method)} id={quoteattr(_identifier(row))}>"
    yield f"<doc>{escape(row.text)} (PS3.18 {escape(row.clause)})</doc>"
    yield "<request>"
    for each in row.parameters:
        head = f'<param name={quoteattr(each.name)} style="query" repeating="{str(each.repeated).lower()}"'
        options = "".join(f"<option value={quoteattr(value)}/>" for value in each.values)
        yield f"{head}><doc>{escape(each.text)}</doc>{options}</param>"
    yield from (f"<representation mediaType={quoteattr(name)}/>" for name in row.accepts)
    yield "</request>"
    yield f'<response status="{" ".join(map(str, row.statuses))}">'
    yield from (f"<representation mediaType={quoteattr(name)}/>" for name in row.offers)
    yield "</response>"
    yield "</method>"


def _identifier(row: Row) -> str:
    """Return an XML ID, unique as methods and paths are."""
    return f"{row.transaction}-{row.method}{re.sub(r'[^A-Za-z0-9]+', '-', row.path)}".rstrip("-")


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the tables of docs/conformance.md: one heading and one table for each transaction."""
    lines: list[str] = []
    for transaction in dict.fromkeys(row.transaction for row in rows):
        own = [row for row in rows if row.transaction == transaction]
        lines += [
            f"## {transaction}",
            "",
            "| request | clause | what | answers | body | parameters | statuses |",
        ]
        lines.append("|---|---|---|---|---|---|---|")
        lines += [_line(row) for row in own]
        lines.append("")
    return "\n".join(lines)


def _line(row: Row) -> str:
    cells = (
        f"`{row.method} {row.path}`",
        row.clause,
        row.text,
        _codes(row.offers),
        _codes(row.accepts),
        _codes(each.name for each in row.parameters),
        ", ".join(map(str, row.statuses)),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _codes(names: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
