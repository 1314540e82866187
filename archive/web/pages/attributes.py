"""GET /studies/{study}/series/{series}/instances/{instance}: every attribute of an instance, searchable.

`q` holds words that must all be in an attribute's tag, keyword, name or value; `from` is where the page
begins. A page has at most ROWS attributes, so it stays small however many there are. The script filters a
page that holds them all by itself, and asks for others as one types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup, escape

from archive.dicom.attribute_text import marked, split_words
from archive.dicom.attribute_tree import Tree, attribute_tree, steps
from archive.dicom.dictionary import uid_name
from archive.dicomweb.media_types import JSON, XML
from archive.errors import InvalidRequest
from archive.model.level import Place
from archive.services.instance_attributes import LARGEST
from archive.services.study_summary import PAGE
from archive.web.context import place, principal, services
from archive.web.pages import links

ROWS = 2000


def add(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/studies/<study>/series/<series>/instances/<instance>", "attributes", attributes)
    blueprint.add_app_template_filter(highlighted, "highlighted")


def attributes(**_: str) -> Response:
    """Show the attributes of an instance; raise NotFound or Gone."""
    where, who = place(), principal()
    text = request.args.get("q", "").strip()
    beside = services().study_summary.neighbours(who, where)
    found = services().instance_attributes.read(who, where)
    words = split_words(text)
    tree = attribute_tree(found.dataset, found.sizes, words=words, first=_first(), limit=ROWS)
    body = render_template(
        "attributes.html",
        place=where,
        beside=beside,
        tree=tree,
        steps=steps,
        whole=found.whole,
        complete=tree.complete and found.whole,
        largest=LARGEST,
        text=text,
        words=words,
        previous=_beside(where, beside.previous_uid),
        next=_beside(where, beside.next_uid),
        after=tree.last if tree.last < tree.listed else None,
        before=max(0, tree.first - ROWS) if tree.first else None,
        syntax=found.instance.transfer_syntax_uid,
        syntax_name=uid_name(found.instance.transfer_syntax_uid),
        json_type=JSON,
        xml_type=XML,
        links=links,
        series_page=(beside.position - 1) // PAGE + 1,
        counted=counted(tree, text),
    )
    return Response(body, mimetype="text/html")


def _first() -> int:
    text = request.args.get("from", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InvalidRequest("from is a whole number", where="from")
    return int(text)


def _beside(where: Place, uid: str | None) -> Place | None:
    return None if uid is None else replace(where, sop_uid=uid)


def counted(tree: Tree, text: str) -> str:
    """Return how many attributes a search found, or there are."""
    if text:
        return f"{tree.found:,} of {tree.total:,} attributes"
    return "1 attribute" if tree.total == 1 else f"{tree.total:,} attributes"


def highlighted(text: str, words: Iterable[str]) -> Markup:
    """Return a text as HTML, what the words are of it marked."""
    pieces = marked(text, tuple(words))
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if hit else escape(piece) for piece, hit in pieces
    )
