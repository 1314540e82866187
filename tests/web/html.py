"""A page as tests look at it: its elements with their attributes and text, read by the standard parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"img", "input", "link", "meta", "br", "hr", "source", "path"})


@dataclass
class Element:
    """An element; `text` is that of all that is in it, blanks made one."""

    name: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the element."""
        texts = []
        left = [*reversed(self.children)]
        while left:
            child = left.pop()
            if isinstance(child, str):
                texts.append(child)
            else:
                left += reversed(child.children)
        return " ".join("".join(texts).split())

    def all(self, name: str = "", **wanted: str) -> list[Element]:
        """Return what is below of this name and with these attributes; `class_` is one class among others."""
        found = []
        left = [each for each in reversed(self.children) if isinstance(each, Element)]
        while left:  # elements may be a thousand deep
            element = left.pop()
            if name in {"", element.name} and all(element._has(k, v) for k, v in wanted.items()):
                found.append(element)
            left += [each for each in reversed(element.children) if isinstance(each, Element)]
        return found

    def one(self, name: str = "", **wanted: str) -> Element:
        """Return the only such element."""
        found = self.all(name, **wanted)
        assert len(found) == 1, f"{len(found)} elements {name} {wanted}"
        return found[0]

    def _has(self, name: str, value: str) -> bool:
        if name == "class_":
            return value in self.attributes.get("class", "").split()
        return self.attributes.get(name.replace("_", "-")) == value


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        closed = self._open.pop()
        assert closed.name == tag, f"<{closed.name}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse(page: str) -> Element:
    """Read a page, whose elements must be closed properly."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    return parser.root
