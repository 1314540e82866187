"""A Structured Report as a page, or as plain text.

Owns how content items look: headings for containers, lines of name and value for the rest, links to what is
referred to. What an item says comes from archive/rendering/sr_tree.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup
from pydicom.dataset import Dataset

from archive.errors import NotDecodable
from archive.rendering.codes import code_of
from archive.rendering.heading import footer_lines, moment_of, patient_parts, study_facts, write_heading
from archive.rendering.html import MOST_BYTES, Page, facts, link, table, tag
from archive.rendering.links import Links
from archive.rendering.sr_tree import ContentItem, content, language_of
from archive.rendering.sr_values import Reference
from archive.rendering.values import items, text
from archive.rendering.wording import class_words, joined, moment_words, person_words

_DEEPEST = 24  # levels that a page indents; browsers give up nesting at some hundreds
_LONG = 90  # characters of a value that gets lines of its own
_STATES = {
    "COMPLETE": "complete",
    "PARTIAL": "partial",
    "VERIFIED": "verified",
    "UNVERIFIED": "not verified",
    "FINAL": "final",
    "PRELIMINARY": "preliminary",
}


def sr_page(ds: Dataset, base: str) -> bytes:
    """Make the page of a report; `base` is the address of the DICOMweb root, for links.

    Raise NotDecodable where the page would be too large.
    """
    run = content(ds)
    root = next(run)
    title = root.name or class_words(text(ds, "SOPClassUID"))
    page = Page(title)
    write_heading(page, ds)
    page.begin_main(title, language_of(ds))
    page.write(facts(_report_facts(ds)))
    if _is_unverified(ds):
        page.write(tag("p", "This report has not been verified.", class_="note"))
    if root.modifiers:
        page.write(tag("div", facts(root.modifiers), class_="small"))
    shown = _Tree(page, Links(ds, base))
    for item in run:
        shown.add(item)
    shown.close()
    page.write(_reference_table(shown))
    return page.finish(*footer_lines(ds))


def _is_unverified(ds: Dataset) -> bool:
    return text(ds, "VerificationFlag").upper() == "UNVERIFIED"


def _report_facts(ds: Dataset) -> list[tuple[str, str]]:
    """Return when the report was made, in what state it is and who stands for it (PS3.3 C.17.2)."""
    flags = ("CompletionFlag", "PreliminaryFlag", "VerificationFlag")
    states = [_STATES.get(text(ds, flag).upper(), text(ds, flag).lower()) for flag in flags]
    return [
        ("Report of", moment_of(ds, "Content") or moment_of(ds, "Series")),
        ("State", joined((*states, text(ds, "CompletionFlagDescription")), ", ")),
        ("Verified by", joined((_observer(each) for each in items(ds, "VerifyingObserverSequence")), "; ")),
        ("Author", joined((_author(each) for each in items(ds, "AuthorObserverSequence")), "; ")),
        ("Requested", joined((_request(each) for each in items(ds, "ReferencedRequestSequence")), "; ")),
    ]


def _observer(item: Dataset) -> str:
    name = person_words(text(item, "VerifyingObserverName"))
    moment = moment_words(text(item, "VerificationDateTime"))
    return joined((name, text(item, "VerifyingOrganization"), moment), ", ")


def _author(item: Dataset) -> str:
    return person_words(text(item, "PersonName")) or text(item, "StationName") or text(item, "DeviceUID")


def _request(item: Dataset) -> str:
    return text(item, "RequestedProcedureDescription") or code_of(item, "RequestedProcedureCodeSequence")


def _class_of(item: ContentItem) -> str:
    """Return how an item is set: libraries of unnamed images run on, one beside the other."""
    if item.kind == "CONTAINER":
        return "group"
    plain = not (item.name or item.relation or item.modifiers or item.value or item.target)
    return "bare" if plain and item.references else "leaf"


class _Tree:
    """The nested lists of a report, written item by item; levels below _DEEPEST stand side by side."""

    def __init__(self, page: Page, links: Links) -> None:
        self._page = page
        self._links = links
        self._open = 0  # lists that are open
        self._headings = [0]  # the level of the heading that holds at each depth
        self.instances: dict[str, tuple[int, str, str | None]] = {}  # ordinal, kind, address

    def add(self, item: ContentItem) -> None:
        """Write an item within the one that holds it."""
        depth = min(item.depth, _DEEPEST)
        if depth > self._open:
            self._page.write(Markup("<ul>") if self._open else Markup('<ul class="tree">'))
            self._open += 1
        else:
            self._page.write(Markup("</li>"))
            while self._open > depth:
                self._page.write(Markup("</ul></li>\n"))
                self._open -= 1
        del self._headings[depth:]
        self._headings.append(self._headings[-1] + (item.kind == "CONTAINER"))
        id_ = Markup(' id="{}"').format(item.anchor) if item.anchor else ""
        self._page.write(Markup('<li class="{}"{}>').format(_class_of(item), id_))
        if item.depth > _DEEPEST:
            self._page.write(tag("span", f"level {item.depth}", class_="soft small"))
        written = {"group": self._heading, "bare": self._bare}.get(_class_of(item), self._row)
        self._page.write(written(item))

    def close(self) -> None:
        """Close all lists."""
        self._page.write(*([Markup("</li></ul>\n")] * self._open))

    def _heading(self, item: ContentItem) -> Markup:
        level = min(self._headings[-1] + 1, 6)
        name = item.name or ("Section" if level < 4 else "Group")
        return tag(f"h{level}", name, self._modifiers(item), self._target(item), dir="auto")

    def _bare(self, item: ContentItem) -> Markup:
        return Markup(" ").join(self._reference(each) for each in item.references)

    def _row(self, item: ContentItem) -> Markup:
        value = self._value(item)
        name = item.name or item.kind.capitalize()
        relation = tag("span", f"{item.relation} ", class_="relation") if item.relation else Markup("")
        kind = "row block" if len(item.value) > _LONG or "\n" in item.value or item.table else "row"
        if item.kind == "NUM":
            kind = "row measure"
        return tag(
            "div",
            tag("div", relation, name, class_="name", dir="auto"),
            tag("div", value, self._modifiers(item), class_="value", dir="auto"),
            class_=kind,
        )

    def _value(self, item: ContentItem) -> Markup:
        parts: list[str] = [item.value] if item.value else []
        parts.extend(self._reference(each) for each in item.references)
        if item.table:
            parts.append(tag("div", table("", item.table.columns, item.table.rows), class_="scroll"))
        if item.target:
            parts.append(self._target(item))
        return Markup("\n").join(parts)

    def _target(self, item: ContentItem) -> Markup:
        return link(f"#{item.target}", "see there") if item.target else Markup("")

    def _modifiers(self, item: ContentItem) -> Markup:
        shown = (joined((name, value), ": ") for name, value in item.modifiers)
        return Markup("").join(tag("span", each, class_="mod") for each in shown)

    def _reference(self, reference: Reference) -> Markup:
        """Return "CT Image 1, frames 2, 3", each a link where the report tells where the instance is."""
        if reference.instance not in self.instances:
            ordinal = len(self.instances) + 1
            self.instances[reference.instance] = ordinal, reference.kind, self._links(reference.instance)
        ordinal, kind, address = self.instances[reference.instance]
        parts = [link(address, f"{kind} {ordinal}")]
        if reference.frames:
            frames = [link(self._links(reference.instance, each), str(each)) for each in reference.frames]
            parts.append(Markup("frame {}").format(Markup(", ").join(frames)))
        if reference.detail:
            parts.append(tag("span", reference.detail, class_="soft"))
        return Markup(", ").join(parts)


def _reference_table(shown: _Tree) -> Markup:
    """Return the table of all instances that the report refers to, closed to begin with."""
    if not shown.instances:
        return Markup("")
    rows = [
        (str(ordinal), link(address, kind), tag("span", uid, class_="mono"))
        for uid, (ordinal, kind, address) in shown.instances.items()
    ]
    count = len(rows)
    summary = f"{count} instance{'' if count == 1 else 's'} referred to"
    return tag("details", tag("summary", summary), table("", ("No.", "Kind", "Instance"), rows, "n"))


def sr_text(ds: Dataset) -> bytes:
    """Make the plain text of a report in UTF-8; raise NotDecodable where it would be too large."""
    run = content(ds)
    root = next(run)
    title = root.name or class_words(text(ds, "SOPClassUID"))
    facts_of = [*study_facts(ds), *_report_facts(ds), *root.modifiers]
    lines = [" · ".join(patient_parts(ds)), *(f"{name}: {value}" for name, value in facts_of if value)]
    lines += ["", title, "=" * len(title)]
    size = 0
    for line in (line for item in run for line in _text_lines(item)):
        size += len(line.encode()) + 1
        if size > MOST_BYTES:
            raise NotDecodable(f"the document would be larger than {MOST_BYTES // 2**20} MiB as text")
        lines.append(line)
    return ("\n".join(lines) + "\n").encode()


def _text_lines(item: ContentItem) -> Iterable[str]:
    margin = "  " * min(item.depth - 1, _DEEPEST)
    modifiers = "; ".join(joined(pair, ": ") for pair in item.modifiers)
    name = joined((item.relation, item.name, f"({modifiers})" if modifiers else ""), " ")
    if item.kind == "CONTAINER":
        yield from ("", f"{margin}{name or 'Section'}")
        return
    references = joined((_text_reference(each) for each in item.references), "; ")
    rows = [joined(row, " | ") for row in (item.table.columns, *item.table.rows)] if item.table else []
    value = joined((item.value, references, *rows), "\n")
    first, *others = value.split("\n")
    yield f"{margin}{joined((name, first), ': ')}"
    yield from (f"{margin}  {other}" for other in others)


def _text_reference(reference: Reference) -> str:
    frames = f"frame {', '.join(map(str, reference.frames))}" if reference.frames else ""
    return joined((f"{reference.kind} {reference.instance}", frames, reference.detail), ", ")
