"""A clinical document (HL7 CDA, release 2) inside an instance, as a page.

Owns its header and the order of its sections. The text of a section is made by
archive/rendering/cda_narrative.py. Entities and external references are refused, nothing is fetched, and
neither style sheets nor scripts that the document names are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from markupsafe import Markup
from pydicom.dataset import Dataset

from archive.errors import NotDecodable
from archive.rendering.cda_narrative import Pictures, local, narrative
from archive.rendering.encapsulated_documents import encapsulated_document
from archive.rendering.heading import footer_lines, write_heading
from archive.rendering.html import Page, facts, tag
from archive.rendering.values import text
from archive.rendering.wording import joined, moment_words

_BODY = "EncapsulatedDocument (0042,0011)"


def cda_document(ds: Dataset) -> bytes:
    """Return the XML as it is stored, in its own encoding."""
    return encapsulated_document(ds).rstrip(b"\0")


def cda_page(ds: Dataset) -> bytes:
    """Make the page of a clinical document.

    Raise NotDecodable where it is no well-formed XML, declares entities, or would be too large.
    """
    root = _parsed(cda_document(ds))
    title = _text(_find(root, "title")) or _words(_find(root, "code")) or text(ds, "DocumentTitle")
    page = Page(title or "Clinical document")
    write_heading(page, ds)
    page.begin_main(title or "Clinical document", _attribute(_find(root, "languageCode"), "code"))
    page.write(facts(_header(root)))
    _write_body(page, root)
    return page.finish(*footer_lines(ds))


def _parsed(document: bytes) -> Element:
    try:
        root: Element = fromstring(document, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise NotDecodable(f"{_BODY} declares entities or external references, which are refused") from error
    except (ParseError, ValueError, LookupError) as error:  # the others: encodings that nobody knows
        raise NotDecodable(f"{_BODY} is no well-formed XML") from error
    return root


def _children(element: Element | None, name: str) -> Iterator[Element]:
    return (child for child in (() if element is None else element) if local(child) == name)


def _find(element: Element | None, path: str) -> Element | None:
    """Return the first element at a path of local names."""
    for name in path.split("/"):
        element = next(_children(element, name), None)
    return element


def _text(element: Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _attribute(element: Element | None, name: str) -> str:
    return element.get(name, "") if element is not None else ""


def _words(coded: Element | None) -> str:
    return _attribute(coded, "displayName") or _attribute(coded, "code")


def _name(holder: Element | None) -> str:
    """Return the name of a person as "Family, Prefix Given", of an organisation as it is."""
    name = _find(holder, "name")
    if name is None:
        return ""
    parts = {part: joined((_text(each) for each in _children(name, part)), " ") for part in _NAME_PARTS}
    if not any(parts.values()):
        return _text(name)
    given = joined((parts["prefix"], parts["given"]), " ")
    return joined((parts["family"], given, parts["suffix"]), ", ")


_NAME_PARTS = ("prefix", "given", "family", "suffix")


def _header(root: Element) -> list[tuple[str, str]]:
    """Return who and when the document is about, as it says itself."""
    role = _find(root, "recordTarget/patientRole")
    patient = _find(role, "patient")
    ids = joined((_attribute(each, "extension") for each in _children(role, "id")), ", ")
    return [
        ("Patient in the document", _name(patient)),
        ("ID", ids),
        ("Born", moment_words(_attribute(_find(patient, "birthTime"), "value"))),
        ("Sex", _words(_find(patient, "administrativeGenderCode"))),
        ("Document of", moment_words(_attribute(_find(root, "effectiveTime"), "value"))),
        ("Author", joined((_author(each) for each in _children(root, "author")), "; ")),
        ("Signed by", _signer(root)),
        ("Custodian", _name(_find(root, "custodian/assignedCustodian/representedCustodianOrganization"))),
    ]


def _author(author: Element) -> str:
    assigned = _find(author, "assignedAuthor")
    device = _find(assigned, "assignedAuthoringDevice/softwareName")
    name = _name(_find(assigned, "assignedPerson")) or _text(device)
    return joined((name, _name(_find(assigned, "representedOrganization"))), ", ")


def _signer(root: Element) -> str:
    signer = _find(root, "legalAuthenticator")
    name = _name(_find(signer, "assignedEntity/assignedPerson"))
    return joined((name, moment_words(_attribute(_find(signer, "time"), "value"))), ", ")


def _write_body(page: Page, root: Element) -> None:
    other = _find(root, "component/nonXMLBody/text")
    if other is not None:
        kind = _attribute(other, "mediaType") or "unknown kind"
        page.write(
            tag("p", f"The body of this document is a file of {kind}, which is not shown.", class_="note")
        )
    stack = [(section, 2) for section in reversed(list(_sections(_find(root, "component/structuredBody"))))]
    if not stack and other is None:
        page.write(tag("p", "This document has no sections.", class_="note"))
    while stack:
        section, level = stack.pop()
        _write_section(page, section, level)
        stack.extend((inner, min(level + 1, 6)) for inner in reversed(list(_sections(section))))


def _sections(holder: Element | None) -> Iterator[Element]:
    for component in _children(holder, "component"):
        yield from _children(component, "section")


def _write_section(page: Page, section: Element, level: int) -> None:
    title = _text(_find(section, "title")) or _words(_find(section, "code"))
    if title:
        page.write(tag(f"h{level}", title, dir="auto"))
    body = _find(section, "text")
    if body is not None:
        page.write(Markup('<div class="narrative" dir="auto">'))
        page.write(*narrative(body, Pictures(section)))
        page.write(Markup("</div>\n"))
