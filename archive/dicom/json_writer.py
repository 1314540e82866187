"""A data set's events to DICOM JSON, bulk value ranges and what the index wants, in one pass.

Bulk values are referred to: BULK stands in the text for their address, because the UIDs in it may come later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from archive.dicom import walk
from archive.dicom.charset import Encodings, encodings_of
from archive.dicom.fragments import Fragments
from archive.dicom.headers import BINARY_VRS, PIXEL_TAGS
from archive.dicom.json_text import JsonText
from archive.dicom.values import WRITERS, value_json
from archive.model.attributes import BY_TAG
from archive.model.instance import BulkValue, Element

BULK = b"\1"
"""Stands in the text for the address of the instance's bulk values: JSON holds no such byte."""

_CHARSET = 0x00080005
_INDEXED = frozenset(int(tag, 16) for tag in BY_TAG)
_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
_IMAGE_GROUP = 0x0028
_DROPPED_GROUPS = frozenset({0x0000, 0x0002, 0x0004, 0xFFFE})
_SPECIAL = PIXEL_TAGS | _OFFSET_TABLES | {_CHARSET}
_FIRST, _LAST = 0x00080000, 0xFFFDFFFF  # tags outside belong to groups that are looked at one by one


@dataclass(slots=True)
class Found:
    """What a pass over the data set found beside its text."""

    text: JsonText
    attributes: dict[str, Element] = field(default_factory=dict)
    bulk_values: list[BulkValue] = field(default_factory=list)
    image: dict[int, bytes] = field(default_factory=dict)  # values of group 0028, by tag
    big_endian: bool = False
    pixels: tuple[int, str, int, int, bool] | None = None  # tag, VR, offset, length, encapsulated
    offset_tables: dict[int, tuple[int, int]] = field(default_factory=dict)  # extended ones: offset, length
    notes: list[str] = field(default_factory=list)


_heads: dict[tuple[int, str], bytes] = {}
"""How members begin, by tag and VR: most instances have the same ones."""
_MOST_HEADS = 20_000


def _head(tag: int, vr: str) -> bytes:
    head = b'"%08X":{"vr":"%s"' % (tag, vr.encode())
    if len(_heads) < _MOST_HEADS:
        _heads[tag, vr] = head
    return head


_Members = dict[tuple[int, str, bytes, bool], bytes]
_written: dict[Encodings, _Members] = {}
"""Members as they were written before, by tag, VR, value and byte order: slices of a series differ in few.

For each repertoire, of short values of which there was nothing to say.
"""
_MOST_REPERTOIRES, _MOST_MEMBERS, _LONGEST_VALUE = 16, 4096, 64


def _written_in(encodings: Encodings) -> _Members:
    if len(_written) > _MOST_REPERTOIRES:
        _written.clear()
    return _written.setdefault(encodings, {})


class _DataSet:
    """An item that is open: its members, and the repertoire that holds in it."""

    __slots__ = ("encodings", "members", "ordered", "path", "written")

    def __init__(self, path: str, encodings: Encodings) -> None:
        self.path = path
        self.encodings = encodings
        self.written = _written_in(encodings)
        self.members: list[tuple[int, bytes]] = []
        self.ordered = True

    def text(self) -> bytes:
        members = self.members
        if not self.ordered:
            members = sorted(dict(members).items())
        return b"{%s}" % b",".join([member for _, member in members])


class _Sequence:
    """A sequence that is open: its items' texts, unless they are sent on at once."""

    __slots__ = ("count", "items", "tag")

    def __init__(self, tag: int) -> None:
        self.tag = tag
        self.count = 0
        self.items: list[bytes] = []


class JsonWriter:
    """Writes one data set. `bulk_threshold` is the longest binary value that stands in the text."""

    def __init__(self, events: walk.Walk, bulk_threshold: int) -> None:
        self._walk = events
        self._threshold = bulk_threshold
        self._tag = 0
        self._noted = False
        self._indexed: list[bytes] = []
        self.found = Found(JsonText())

    def run(self) -> Found:
        """Go through the events; raise what the walk raises, with `found` telling of what came before."""
        try:
            self._go_through()
        finally:
            self.found.notes += self._walk.notes
            self.found.attributes = orjson.loads(b"{%s}" % b",".join(self._indexed))
        return self.found

    def _go_through(self) -> None:
        data_sets, sequences = [_DataSet("", ())], list[_Sequence]()
        data_set = data_sets[0]
        threshold, member, special = self._threshold, self.found.text.member, _SPECIAL
        for event in self._walk:
            kind, tag, vr, _, length, value, big = event
            if kind == walk.ELEMENT:
                # The many come first; what is left out, referred to or looked at goes another way.
                if (
                    value is None
                    or tag in special
                    or not _FIRST <= tag <= _LAST
                    or not tag & 0xFFFF
                    or (length > threshold and vr in BINARY_VRS)
                ):
                    self._special(data_set, event)
                    continue
                text = data_set.written.get((tag, vr, value, big)) or self._text(data_set, event, value)
                if data_set.path:
                    self._member(data_set, tag, text)
                    continue
                member(tag, text)
                if tag in _INDEXED:
                    self._indexed.append(text)
                if tag >> 16 == _IMAGE_GROUP:
                    self.found.image[tag] = value
                    self.found.big_endian = big
            else:
                self._nested(data_sets, sequences, event)
                data_set = data_sets[-1]

    def _text(self, data_set: _DataSet, event: walk.Event, value: bytes) -> bytes:
        """Write a member, and keep it for the next instance."""
        _, tag, vr, _, _, _, big = event
        self._tag = tag
        self._noted = False
        content = WRITERS[vr](vr, value, data_set.encodings, big, self._note) if value else b""
        text = (_heads.get((tag, vr)) or _head(tag, vr)) + content + b"}"
        if len(value) <= _LONGEST_VALUE and not self._noted:
            if len(data_set.written) >= _MOST_MEMBERS:
                data_set.written.clear()
            data_set.written[tag, vr, value, big] = text
        return text

    def _nested(self, data_sets: list[_DataSet], sequences: list[_Sequence], event: walk.Event) -> None:
        """Take what is no plain element: sequences and items, opened and closed, and encapsulated pixels."""
        kind = event[0]
        if kind == walk.SEQUENCE:
            self._open(data_sets, sequences, event[1])
        elif kind == walk.ITEM:
            sequence, outer = sequences[-1], data_sets[-1]
            sequence.count += 1
            path = f"{outer.path}{sequence.tag:08X}/{sequence.count}/"
            data_sets.append(_DataSet(path, outer.encodings))
        elif kind == walk.ITEM_END:
            self._close_item(data_sets.pop(), sequences[-1], at_top=len(data_sets) == 1)
        elif kind == walk.SEQUENCE_END:
            self._close(data_sets[-1], sequences.pop(), at_top=len(data_sets) == 1)
        else:
            self._encapsulated(data_sets[-1], event)

    def _note(self, text: str) -> None:
        self._noted = True
        sentence = f"{self._tag:08X} {text}"
        if len(self.found.notes) < 100 and sentence not in self.found.notes:
            self.found.notes.append(sentence)

    def _special(self, data_set: _DataSet, event: walk.Event) -> None:
        """Take an element that is none of the many."""
        _, tag, vr, start, length, value, big = event
        if tag >> 16 in _DROPPED_GROUPS or not tag & 0xFFFF:
            return  # no part of a data set, or a retired group length
        inline = value is not None and not (length > self._threshold and vr in BINARY_VRS)
        if not data_set.path and tag in PIXEL_TAGS:
            self.found.pixels = (tag, vr, start, length, False)
        elif not data_set.path and tag in _OFFSET_TABLES:
            self.found.offset_tables[tag] = (start, length)
        if tag == _CHARSET:
            data_set.encodings = encodings_of(value or b"")
            data_set.written = _written_in(data_set.encodings)
        if value is not None and inline and tag not in PIXEL_TAGS:
            self._tag = tag
            content = value_json(vr, value, data_set.encodings, big, self._note)
        else:
            content = self._refer(BulkValue(f"{data_set.path}{tag:08X}", vr, start, length, big))
        text = _head(tag, vr) + content + b"}"
        if data_set.path:
            self._member(data_set, tag, text)
        else:
            self.found.text.member(tag, text)

    def _refer(self, value: BulkValue) -> bytes:
        self.found.bulk_values.append(value)
        return b',"BulkDataURI":"%s%s"' % (BULK, value.path.encode())

    def _member(self, data_set: _DataSet, tag: int, text: bytes) -> None:
        members = data_set.members
        if members and tag <= members[-1][0]:
            data_set.ordered = False
        members.append((tag, text))

    def _open(self, data_sets: list[_DataSet], sequences: list[_Sequence], tag: int) -> None:
        sequences.append(_Sequence(tag))
        if not data_sets[-1].path:
            self.found.text.begin(tag)
            self.found.text.add(b'"%08X":{"vr":"SQ"' % tag)

    def _close_item(self, item: _DataSet, sequence: _Sequence, *, at_top: bool) -> None:
        text = item.text()
        if not at_top:
            sequence.items.append(text)
            return
        # Items of an outermost sequence are sent on: there may be a hundred thousand.
        self.found.text.add(b"," + text if sequence.count > 1 else b',"Value":[' + text)
        if sequence.tag in _INDEXED and sequence.count <= _MOST_ITEMS:
            sequence.items.append(text)

    def _close(self, data_set: _DataSet, sequence: _Sequence, *, at_top: bool) -> None:
        value = b',"Value":[%s]' % b",".join(sequence.items) if sequence.items else b""
        if not at_top:
            self._member(data_set, sequence.tag, b'"%08X":{"vr":"SQ"%s}' % (sequence.tag, value))
            return
        self.found.text.add(b"]}" if sequence.count else b"}")
        if sequence.tag in _INDEXED:
            # References mean nothing outside of the instance's own text.
            member = b'"%08X":{"vr":"SQ"%s}' % (sequence.tag, value)
            self._indexed.append(member.replace(BULK, b""))

    def _encapsulated(self, data_set: _DataSet, event: walk.Event) -> None:
        _, tag, vr, start, length, _, _ = event
        value = BulkValue(f"{data_set.path}{tag:08X}", vr, start, -1)
        fragments = self._walk.fragments
        if data_set.path and fragments is not None:
            value = BulkValue(value.path, vr, *_span(fragments, start, length))
        content = self._refer(value)
        text = b'"%08X":{"vr":"%s"%s}' % (tag, vr.encode(), content)
        if data_set.path:
            self._member(data_set, tag, text)
            return
        self.found.text.member(tag, text)
        self.found.pixels = (tag, vr, start, length, True)


_MOST_ITEMS = 100  # of an indexed sequence that the index keeps


def _span(fragments: Fragments, start: int, length: int) -> tuple[int, int]:
    """Return the range of a small image inside a sequence: its one fragment's value, else all its items."""
    if len(fragments.offsets) == 1:
        return fragments.offsets[0] + 8, fragments.lengths[0]
    return start, length
