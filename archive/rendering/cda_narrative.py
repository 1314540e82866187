"""The narrative block of a CDA section as HTML, by a list of what may be there (CDA R2, 4.3.5).

Only elements and attributes of the tables below come through; of everything else only the text does. Links
become text with their address beside it, pictures come from the document itself or not at all.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from markupsafe import Markup, escape

_DEEPEST = 64  # elements that are open at a time; what is deeper gives its text
_SAME = ("br", "col", "colgroup", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr")
_ELEMENTS = {name: name for name in _SAME} | {
    "paragraph": "p",
    "item": "li",
    "list": "ul",
    "content": "span",
    "footnote": "small",
    "linkHtml": "span",
}
_VOID = frozenset({"br", "col"})
_STYLES = {"Bold": "strong", "Italics": "em", "Emphasis": "em", "Underline": "u"}
_REVISED = {"insert": "ins", "delete": "del"}
_LIST_CAPTION = Markup('<li class="caption" value="0">')  # HTML has none; the first item stays number 1
_SPANS = ("colspan", "rowspan")
_SPAN = re.compile(r"[1-9][0-9]{0,2}")
_PICTURES = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}


class Pictures:
    """The pictures that a section carries for its text (observationMedia), by their IDs."""

    def __init__(self, section: Element) -> None:
        self._values: dict[str, Element] = {}
        for media in section.iter():
            if local(media) == "observationMedia" and media.get("ID"):
                for value in media:
                    if local(value) == "value":
                        self._values[media.get("ID", "")] = value

    def address(self, identifier: str) -> str | None:
        """Return a picture as a data address, None where there is none of a kind that is shown."""
        value = self._values.get(identifier)
        if value is None or value.get("representation") != "B64":
            return None
        kind, written = value.get("mediaType", ""), "".join((value.text or "").split())
        try:
            begins = b64decode(written[:16], validate=True)
            b64decode(written, validate=True)
        except (Base64Error, ValueError):
            return None  # the page says that the picture cannot be shown
        begin = _PICTURES.get(kind)
        return f"data:{kind};base64,{written}" if begin and begins.startswith(begin) else None


def local(element: Element) -> str:
    """Return the name of an element without its namespace; "" for comments and processing instructions."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def narrative(block: Element, pictures: Pictures) -> Iterator[Markup]:
    """Give the HTML of a narrative block, piece by piece, without recursion."""
    depth = 0
    stack: list[tuple[Element | Markup, Element | None]] = [(block, None)]
    while stack:
        part, parent = stack.pop()
        if isinstance(part, Markup):
            depth -= part.startswith("</")
            yield part
            continue
        opening, closing = _tags(part, parent, pictures) if depth < _DEEPEST else (Markup(""), Markup(""))
        yield opening
        if parent is not None and part.tail:
            stack.append((escape(part.tail), parent))
        if closing:
            depth += 1
            stack.append((closing, part))
        stack.extend((child, part) for child in reversed(part))
        if isinstance(part.tag, str) and part.text:
            yield escape(part.text)


def _tags(element: Element, parent: Element | None, pictures: Pictures) -> tuple[Markup, Markup]:
    """Return what opens and what closes an element in HTML; empty where it gives only its text."""
    source = local(element)
    if source == "renderMultiMedia":
        return _picture(element, pictures), Markup("")
    if source == "caption":
        source_of_parent = local(parent) if parent is not None else ""
        if source_of_parent == "list":
            return _LIST_CAPTION, Markup("</li>")
        name = "caption" if source_of_parent == "table" else "strong"
    else:
        name = _name(element, source)
    if not name or parent is None:
        return Markup(""), Markup("")
    if name in _VOID:
        return Markup("<{}>").format(name), Markup("")
    spans = ((key, element.get(key, "")) for key in _SPANS if name in {"td", "th"})
    written = Markup("").join(
        Markup(' {}="{}"').format(key, value) for key, value in spans if _SPAN.fullmatch(value)
    )
    beside = Markup(" <span>[{}]</span>").format(element.get("href")) if element.get("href") else Markup("")
    return Markup("<{}{}>").format(name, written), _closing(
        name, beside if source == "linkHtml" else Markup("")
    )


def _closing(name: str, beside: Markup) -> Markup:
    # `narrative` counts what begins with an end tag, so what stands beside a link comes after its element.
    return Markup("</{}>{}").format(name, beside)


def _name(element: Element, source: str) -> str:
    """Return the element of HTML, after list type, style codes and revision marks; "" for none."""
    if source == "list":
        return "ol" if element.get("listType") == "ordered" else "ul"
    if source == "content":
        styles = (element.get("styleCode") or "").split()
        named = next((_STYLES[each] for each in styles if each in _STYLES), "span")
        return _REVISED.get(element.get("revised") or "", named)
    return _ELEMENTS.get(source, "")


def _picture(element: Element, pictures: Pictures) -> Markup:
    shown = (pictures.address(each) for each in (element.get("referencedObject") or "").split())
    return Markup("").join(
        Markup('<img src="{}" alt="Picture in the document">').format(address)
        if address
        else Markup("<em>[a picture that is not in the document]</em>")
        for address in shown
    )
