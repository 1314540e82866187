"""The Native DICOM Model (PS3.19 A.1), from data sets of the DICOM JSON model and back to them.

One data set at a time. Private attributes are written with their creator and without their block, and get a
block again when they are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from archive.dicom.dictionary import keyword_of_tag
from archive.errors import InvalidRequest, TooLarge

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
MAX_XML = 2**26
MAX_DEPTH = 256
MAX_GAP = 1000  # values that may be left out between two

_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_TAG = re.compile(r"[0-9A-F]{8}")
_VR = re.compile(r"[A-Z]{2}")
_INTEGERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_NUMBERS = _INTEGERS | {"DS", "FL", "FD"}
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)

DataSet = dict[str, Any]


def dataset_to_xml(dataset: Mapping[str, Any]) -> bytes:
    """Return one data set as an XML document in UTF-8; characters that XML cannot hold become U+FFFD."""
    return "".join((_HEAD, *_attributes(dataset), "</NativeDicomModel>\n")).encode("utf-8")


def _text(value: object) -> str:
    return escape(_ILLEGAL.sub("\ufffd", str(value)), {"\r": "&#13;"})


def _attribute(value: object) -> str:
    return quoteattr(_ILLEGAL.sub("\ufffd", str(value)))


def _attributes(dataset: Mapping[str, Any]) -> Iterator[str]:
    creators = _creators(dataset)
    for tag in sorted(dataset):
        element = dataset[tag]
        creator = creators.get(tag[:6]) if int(tag[3], 16) % 2 else None
        names = f' vr="{element["vr"]}"'
        if creator is not None:
            yield f'\n<DicomAttribute tag="{tag[:4]}00{tag[6:]}"{names} privateCreator={_attribute(creator)}>'
        else:
            keyword = keyword_of_tag(int(tag, 16))
            yield f'\n<DicomAttribute tag="{tag}"{names}' + (f' keyword="{keyword}">' if keyword else ">")
        yield from _content(element)
        yield "</DicomAttribute>"


def _creators(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return group and block of private attributes (PS3.5 7.8.1) → creator.

    One that holds several blocks of a group, against the rules, is left out: without blocks, its attributes
    could not be told apart.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for tag, element in dataset.items():
        values = element.get("Value")
        if (
            int(tag[3], 16) % 2
            and tag[4:6] == "00"
            and tag[6] != "0"
            and values
            and isinstance(values[0], str)
        ):
            found.setdefault((tag[:4], values[0]), []).append(tag[6:])
    return {group + blocks[0]: name for (group, name), blocks in found.items() if name and len(blocks) == 1}


def _content(element: Mapping[str, Any]) -> Iterator[str]:
    if "InlineBinary" in element:
        yield f"<InlineBinary>{_text(element['InlineBinary'])}</InlineBinary>"
    elif "BulkDataURI" in element:
        yield f"<BulkData uri={_attribute(element['BulkDataURI'])}/>"
    values = element.get("Value", ())
    for number, value in enumerate(values, 1):
        if element["vr"] == "SQ":
            yield f'<Item number="{number}">'
            yield from _attributes(value or {})
            yield "</Item>"
        elif not value and value != 0 and number < len(values):
            continue  # the next number tells that one is missing
        elif element["vr"] == "PN":
            yield from _person_name(number, value or {})
        else:
            yield f'<Value number="{number}">{"" if value is None else _text(value)}</Value>'


def _person_name(number: int, value: Mapping[str, str] | str) -> Iterator[str]:
    groups = {"Alphabetic": value} if isinstance(value, str) else value
    yield f'<PersonName number="{number}">'
    for group in _GROUPS:
        if groups.get(group):
            components = zip(_COMPONENTS, groups[group].split("^", len(_COMPONENTS) - 1), strict=False)
            texts = (f"<{name}>{_text(part)}</{name}>" for name, part in components if part)
            yield f"<{group}>{''.join(texts)}</{group}>"
    yield "</PersonName>"


def xml_to_dataset(source: bytes | BinaryIO, *, max_bytes: int = MAX_XML) -> DataSet:
    """Read one Native DICOM Model.

    No DTD and no entities are taken. Raise InvalidRequest that names the attribute at fault where one is, and
    TooLarge beyond `max_bytes`.
    """
    stream = BytesIO(source) if isinstance(source, bytes) else source
    reader = _Reader()
    parser = DefusedXMLParser(target=reader, forbid_dtd=True)
    left = max_bytes
    try:
        while chunk := stream.read(65_536):
            left -= len(chunk)
            if left < 0:
                raise TooLarge(f"the XML is longer than {max_bytes} bytes")
            parser.feed(chunk)
        dataset: DataSet = parser.close()
    except DefusedXmlException:
        raise InvalidRequest("XML with a DTD or entities is not taken", where="body") from None
    except (ParseError, LookupError, UnicodeError):
        raise InvalidRequest(
            "the XML is not well-formed or its encoding is not known", where="body"
        ) from None
    return dataset


class _Reader:
    """Build a data set from the events of an XML parser; it is the parser's target."""

    def __init__(self) -> None:
        self._datasets: list[DataSet] = []
        self._elements: list[tuple[str, str | None, DataSet]] = []  # tag, creator, element
        self._result: DataSet | None = None
        self._open: list[str] = []
        self._text: list[str] = []
        self._person: dict[str, list[str]] = {}
        self._private: list[dict[tuple[str, str], list[tuple[str, DataSet]]]] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the beginning of an XML element."""
        name = name.rpartition("}")[2]
        parent = self._open[-1] if self._open else ""
        if parent not in _PARENTS.get(name, ()):
            raise InvalidRequest("the XML is not a Native DICOM Model (PS3.19 A.1)", where=self._where())
        self._open.append(name)
        self._text.clear()
        if name in {"NativeDicomModel", "Item"}:
            if len(self._datasets) > MAX_DEPTH:
                raise InvalidRequest(f"sequences lie deeper than {MAX_DEPTH}", where=self._where())
            self._datasets.append({})
            self._private.append({})
        elif name == "DicomAttribute":
            self._begin(attributes)
        elif name == "BulkData":
            uri = attributes.get("uri") or "urn:uuid:" + attributes.get("uuid", "")
            self._elements[-1][2]["BulkDataURI"] = uri
        elif name in _GROUPS:
            self._person[name] = [""] * len(_COMPONENTS)
        if name in {"Item", "Value", "PersonName"}:
            self._make_room(name, attributes.get("number"))

    def data(self, text: str) -> None:
        """Take text; between XML elements it means nothing."""
        if self._open and self._open[-1] in _WITH_TEXT:
            self._text.append(text)

    def end(self, name: str) -> None:
        """Take the end of an XML element."""
        name = self._open.pop()
        if name in {"NativeDicomModel", "Item"}:
            dataset = self._close_dataset()
            if name == "Item":
                self._elements[-1][2]["Value"][-1] = dataset
            else:
                self._result = dataset
        elif name == "DicomAttribute":
            self._end_attribute()
        elif name == "Value":
            element = self._elements[-1][2]
            element["Value"][-1] = _value(element["vr"], "".join(self._text))
        elif name == "InlineBinary":
            self._elements[-1][2]["InlineBinary"] = "".join("".join(self._text).split())
        elif name in _COMPONENTS:
            self._person[self._open[-1]][_COMPONENTS.index(name)] = "".join(self._text)
        elif name == "PersonName":
            names = {group: "^".join(parts).rstrip("^") for group, parts in self._person.items()}
            self._elements[-1][2]["Value"][-1] = {
                group: text for group, text in names.items() if text
            } or None
            self._person = {}

    def close(self) -> DataSet:
        """Return the data set."""
        return self._result or {}

    def _where(self) -> str:
        return self._elements[-1][0] if self._elements else "body"

    def _begin(self, attributes: Mapping[str, str]) -> None:
        tag = attributes.get("tag", "").upper()
        if not _TAG.fullmatch(tag):
            raise InvalidRequest("a DicomAttribute has no tag of 8 hex digits", where="tag")
        vr = attributes.get("vr", "")
        if not _VR.fullmatch(vr):
            raise InvalidRequest(f"the DicomAttribute {tag} has no vr", where=tag)
        self._elements.append((tag, attributes.get("privateCreator"), {"vr": vr}))

    def _make_room(self, name: str, number: str | None) -> None:
        """Append to the values of the attribute up to `number`; those left out are null (PS3.18 F.2.5)."""
        element = self._elements[-1][2]
        if _HOLDS.get(element["vr"], "Value") != name:
            raise InvalidRequest(f"a {name} cannot stand in an attribute of this vr", where=self._where())
        values = element.setdefault("Value", [])
        place = len(values) + 1
        if number is not None:
            if not number.isdecimal() or not place <= int(number[:10]) <= place + MAX_GAP:
                raise InvalidRequest("the numbers of values do not follow each other", where=self._where())
            place = int(number)
        values.extend([None] * (place - len(values)))

    def _end_attribute(self) -> None:
        tag, creator, element = self._elements.pop()
        if element["vr"] == "SQ":
            if "Value" in element:
                element["Value"] = [item or {} for item in element["Value"]]
        elif all(value is None for value in element.get("Value", [None])):
            element.pop("Value", None)
        if creator and int(tag[3], 16) % 2:
            self._private[-1].setdefault((tag[:4], creator), []).append((tag, element))
        else:
            self._datasets[-1][tag] = element

    def _close_dataset(self) -> DataSet:
        """Give the private attributes of a data set their blocks, and return it in the order of tags."""
        dataset = self._datasets.pop()
        for (group, creator), found in self._private.pop().items():
            block = _block(dataset, group, creator, found[0][0][4:6])
            dataset[f"{group}00{block}"] = {"vr": "LO", "Value": [creator]}
            dataset.update((f"{group}{block}{tag[6:]}", element) for tag, element in found)
        return dict(sorted(dataset.items()))


def _block(dataset: DataSet, group: str, creator: str, hint: str) -> str:
    """Return the block of a creator in a group: the one it has, the one that a tag names, or a free one."""
    taken = {tag[6:]: dataset[tag].get("Value") for tag in dataset if tag[:6] == f"{group}00"}
    numbers = [f"{number:02X}" for number in range(0x10, 0x100)]
    owned = [number for number in numbers if taken.get(number) == [creator]]
    free = [number for number in numbers if number not in taken]
    if not owned and not free:
        raise InvalidRequest(f"group {group} has no block left for private attributes", where=group)
    return owned[0] if owned else hint if hint in free else free[0]


def _value(vr: str, text: str) -> str | int | float | None:
    """Return a value as JSON has it; numbers that a JSON number would change stay text (PS3.18 F.2.3)."""
    if not text:
        return None
    if vr not in _NUMBERS:
        return text
    bare = text.strip()
    if _WHOLE.fullmatch(bare) and abs(int(bare)) <= 2**53:
        return int(bare)
    if vr not in _INTEGERS and _DECIMAL.fullmatch(bare):
        number = float(bare)
        digits = len(re.sub(r"[^0-9]", "", bare.lower().partition("e")[0]).strip("0"))
        if abs(number) < float("inf") and (vr != "DS" or digits <= 15):
            return number
    return text


_PARENTS = {
    "NativeDicomModel": ("",),
    "DicomAttribute": ("NativeDicomModel", "Item"),
    **dict.fromkeys(("Item", "Value", "PersonName", "BulkData", "InlineBinary"), ("DicomAttribute",)),
    **dict.fromkeys(_GROUPS, ("PersonName",)),
    **dict.fromkeys(_COMPONENTS, _GROUPS),
}
_HOLDS = {"SQ": "Item", "PN": "PersonName"}
_WITH_TEXT = frozenset({"Value", "InlineBinary", *_COMPONENTS})
