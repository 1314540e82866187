"""One walk over a data set, without recursion and in fixed memory, for every uncompressed transfer syntax.

Owns where elements, sequences and items begin and end, and what is tolerated of writers who break PS3.5
clause 7. Long values are stepped over, never read. What values mean is left to archive/dicom/values.py; what
is made of the events, to the JSON writer and the converter.

An event is a tuple (kind, tag, vr, offset, length, value, big_endian). `offset` and `length` are those of the
value (UNDEFINED where the file says so); `value` is None where it was stepped over; `vr` is "" for ends and
items, whose tag is that of their sequence. ENCAPSULATED spans the items, without the sequence delimiter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archive.dicom.fragments import Fragments, scan_fragments
from archive.dicom.headers import (
    BINARY_VRS,
    EXPLICIT,
    GROUP_ELEMENT,
    IMPLICIT,
    KNOWN_VRS,
    PIXEL_TAGS,
    PLAIN,
    SHORT_VRS,
    UNDEFINED,
    WORD_SIZE,
    Header,
    Level,
    is_explicit,
    parse_header,
    remember,
    vr_by_dictionary,
)
from archive.dicom.source import Source
from archive.errors import NotDicom

ELEMENT, SEQUENCE, SEQUENCE_END, ITEM, ITEM_END, ENCAPSULATED = range(6)
Event = tuple[int, int, str, int, int, bytes | None, bool]
_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_WINDOW = 65_536
_MAX_NOTES = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What a data set may ask of its reader; `depth` is what ordinary JSON parsers still nest."""

    depth: int = 256
    elements: int = 20_000_000


class Unreadable(NotDicom):
    """The walk cannot go on.

    `sequence` is the value offset of the innermost sequence whose stated length shows where to go on all the
    same, if the sequence is taken as opaque bytes; None where there is none.
    """

    sequence: int | None = None


class Walk:
    """The events of one data set, in file order; iterate once.

    `inline` is the longest text or numbers whose bytes come with the event, `inline_binary` the longest OB,
    OW, OF, OD, OL, OV or UN. `opaque` are offsets of sequences to take as UN (see `find_opaque`). After an
    ENCAPSULATED event `fragments` says where its items are. `notes` are sentences without values. Raise
    Unreadable, or NotDicom where a limit is passed.
    """

    def __init__(
        self,
        source: Source,
        offset: int,
        *,
        implicit: bool,
        big_endian: bool = False,
        inline: int = 65_520,
        inline_binary: int = 65_520,
        opaque: frozenset[int] = frozenset(),
        limits: Limits | None = None,
    ) -> None:
        self.fragments: Fragments | None = None
        self.notes: list[str] = []
        self._source = source
        self._size = source.size
        self._inline = min(inline, _WINDOW - 16)
        self._inline_binary = min(inline_binary, _WINDOW - 16)
        self._opaque = opaque
        self._limits = limits or Limits()
        self._count = 0
        self._past_pixels = False
        self._pos = offset
        root = Level(0, offset, self._size, None, is_sequence=False, undefined=False)
        root.implicit, root.big = implicit, big_endian
        self._stack = [root]

    def __iter__(self) -> Iterator[Event]:  # noqa: PLR0912, PLR0915 the hot loop: a call costs what parsing does
        stack, plain, short, source = self._stack, PLAIN, SHORT_VRS, self._source
        pos, count = self._pos, 0
        buf, base = source.read_at(pos, _WINDOW), pos
        self._sniff(stack[0], buf, 0)
        while stack:
            level = stack[-1]
            limit = base + len(buf)
            if level.is_sequence:
                if pos + 20 > limit and limit < self._size:
                    buf, base = source.read_at(pos, _WINDOW), pos
                self._pos = pos
                event = self._in_sequence(level, buf, pos - base)
                pos = self._pos
                yield event
                continue
            implicit, big, stop = level.implicit, level.big, level.end
            unpack = (IMPLICIT if implicit else EXPLICIT)[big].unpack_from
            safe, edge = min(limit, stop), min(limit - 12, stop - 8)
            while pos < stop:
                if pos > edge:
                    self._pos, self._count = pos, count
                    if pos + 12 > limit and limit < self._size:
                        buf, base = self._refill(pos)
                        limit = base + len(buf)
                        safe, edge = min(limit, stop), min(limit - 12, stop - 8)
                    if pos + 8 > stop:
                        self._leftover(level)
                        pos = self._pos
                        break
                count += 1
                vr: str | None
                if implicit:
                    group, element, length = unpack(buf, pos - base)
                    tag = group << 16 | element
                    vr = plain.get(tag)
                    if length > 1024 and not self._wanted(vr, length):
                        vr = None
                else:
                    group, element, code, length = unpack(buf, pos - base)
                    tag = group << 16 | element
                    vr = short.get(code)
                start = pos + 8
                end = start + length
                if (
                    vr is None
                    or end > stop
                    or (group & 1 and element < 0x100)
                    or group == 0xFFFE
                    or tag == 0x00280103
                ):
                    self._pos, self._count = pos, count
                    special = self._special(level, tag, buf, pos - base)
                    pos = self._pos
                    if special is not None:
                        yield special
                    if not stack or stack[-1] is not level:
                        break
                    continue
                if end > safe:
                    buf, base = source.read_at(pos, _WINDOW + 16), pos
                    limit = base + len(buf)
                    safe, edge = min(limit, stop), min(limit - 12, stop - 8)
                yield (ELEMENT, tag, vr, start, length, buf[start - base : end - base], big)
                pos = end
            if pos >= stop and stack and stack[-1] is level:
                stack.pop()
                if stack:
                    if level.undefined:
                        self.note(level.tag, "has an item without delimiter")
                    yield (ITEM_END, level.tag, "", pos, 0, None, big)

    def note(self, tag: int, text: str) -> None:
        """Keep a sentence about an attribute; the first hundred are enough."""
        sentence = f"{tag:08X} {text}"
        if len(self.notes) < _MAX_NOTES and sentence not in self.notes:
            self.notes.append(sentence)

    # The loop leaves what is rare to the methods below. They are given the window and the place of a header
    # in it, and set self._pos to where the walk goes on.

    def _refill(self, pos: int) -> tuple[bytes, int]:
        if self._count > self._limits.elements:
            raise NotDicom(f"the data set has more than {self._limits.elements} elements, which is the limit")
        return self._source.read_at(pos, _WINDOW), pos

    def _wanted(self, vr: str | None, length: int) -> bool:
        return length <= (self._inline_binary if vr in BINARY_VRS else self._inline)

    def _unreadable(self, tag: int, text: str) -> Unreadable:
        error = Unreadable(f"attribute {tag:08X} {text}", attribute=f"{tag:08X}" if tag else None)
        for level in reversed(self._stack):
            if level.is_sequence and not level.undefined:
                error.sequence = level.start
                break
        return error

    def _sniff(self, level: Level, buf: bytes, i: int) -> None:
        explicit = is_explicit(level, buf, i)
        if explicit is not None:
            level.implicit = not explicit
            found, expected = ("Explicit", "Implicit") if explicit else ("Implicit", "Explicit")
            if level.tag:
                self.note(level.tag, f"has an item in {found} VR where {expected} VR was expected")
            else:
                self.notes.append(
                    f"the data set is in {found} VR, though its transfer syntax is {expected} VR"
                )

    def _special(self, level: Level, tag: int, buf: bytes, i: int) -> Event | None:  # noqa: PLR0911 one a case
        """Take an element that the loop does not: a delimiter, a sequence, private, long, or broken."""
        pos = self._pos
        if tag >> 16 == 0xFFFE:
            return self._delimiter(level, tag, buf, i)
        if not tag and len(self._stack) == 1 and not any(buf[i : i + 8]):
            self._stop("the data set is followed by zeros")
            return None
        header = parse_header(level, buf, i, pos, self._size)
        if header is None:
            return self._broken(level, tag, "has no value representation that can be understood", known=False)
        vr, start, length, _ = header
        if length == UNDEFINED:
            if tag in PIXEL_TAGS or vr in ("OB", "OW"):
                return self._encapsulated(level, tag, vr, start)
            return self._open_sequence(level, tag, header)
        end = start + length
        if end > self._size:
            known = vr_by_dictionary(level, tag) != "UN" or tag > 0x7FE00010
            return self._broken(level, tag, f"lacks {end - self._size} bytes of its value", known=known)
        if end > level.end:
            if level.doubtful or any(each.is_sequence and not each.undefined for each in self._stack):
                raise self._unreadable(tag, "is longer than what holds it")
            self.note(tag, "is longer than what holds it")
        return self._whole(level, tag, header)

    def _whole(self, level: Level, tag: int, header: Header) -> Event:
        """Take an element whose value is all there."""
        vr, start, length, _ = header
        if vr == "UN" or (vr == "SQ" and length):
            resolved = self._resolved(level, tag, vr, start, length)
            if resolved == "SQ":
                return self._open_sequence(level, tag, header)
            vr, big = resolved, level.big and vr != "UN"  # nobody swaps what nobody knows (PS3.5 6.2.2)
        elif vr == "SQ":
            return self._open_sequence(level, tag, header)
        else:
            big = level.big
        value = self._source.read_at(start, length) if self._wanted(vr, length) else None
        remember(level, tag, value)
        self._past_pixels |= tag in PIXEL_TAGS and len(self._stack) == 1
        self._pos = start + length
        return (ELEMENT, tag, vr, start, length, value, big)

    def _resolved(self, level: Level, tag: int, vr: str, start: int, length: int) -> str:
        """Return the VR of an UN or SQ by dictionary and bytes: SQ only where they begin with an item."""
        if start in self._opaque:
            self.note(tag, "is no readable sequence and is kept as bytes")
            return "UN"
        if length >= 8:
            head = self._source.read_at(start, 4)
            group, element = GROUP_ELEMENT[level.big and vr == "SQ"].unpack(head)
            if group == 0xFFFE and element in (0xE000, 0xE00D, 0xE0DD):
                return "SQ" if vr == "SQ" or element == 0xE000 else "UN"
        known = vr_by_dictionary(level, tag)
        if vr == "SQ" or known == "SQ":
            return "SQ" if not length else self._no_sequence(tag)
        return "UN" if length % WORD_SIZE.get(known, 1) else known

    def _no_sequence(self, tag: int) -> str:
        self.note(tag, "is no readable sequence and is kept as bytes")
        return "UN"

    def _open_sequence(self, level: Level, tag: int, header: Header) -> Event:
        if len(self._stack) >= 2 * self._limits.depth:
            raise NotDicom(
                f"sequences are nested more than {self._limits.depth} deep, which is the limit",
                attribute=f"{tag:08X}",
            )
        vr, start, length, implicit = header
        undefined = length == UNDEFINED
        end = level.end if undefined else start + length
        sequence = Level(tag, start, end, level, is_sequence=True, undefined=undefined)
        sequence.implicit = implicit or vr == "UN"  # CP-246, PS3.5 6.2.2 Note 4
        sequence.big = level.big and vr != "UN"
        sequence.doubtful = level.doubtful or (vr == "UN" and not undefined)
        self._stack.append(sequence)
        self._pos = start
        return (SEQUENCE, tag, "SQ", start, length, None, level.big)

    def _in_sequence(self, level: Level, buf: bytes, i: int) -> Event:
        """Take the next item of a sequence, or its end; step over delimiters that belong to nothing."""
        while True:
            pos = self._pos
            if pos + 8 > level.end or len(buf) - i < 8:
                if level.undefined:
                    self.note(level.tag, "has no sequence delimiter")
                elif pos < level.end:
                    self.note(level.tag, "has bytes after its last item")
                return self._close_sequence(level, max(pos, level.end))
            group, element, length = IMPLICIT[level.big].unpack_from(buf, i)
            tag = group << 16 | element
            if tag == _ITEM:
                return self._open_item(level, length, buf, i)
            if tag == _SEQUENCE_DELIMITER and level.undefined:
                return self._close_sequence(level, pos + 8)
            if tag not in (_ITEM_DELIMITER, _SEQUENCE_DELIMITER) or level.doubtful:
                break
            self.note(level.tag, "has a delimiter where none belongs")
            self._pos = pos + 8
            buf, i = self._source.read_at(self._pos, 20), 0
        if not level.undefined or level.doubtful or parse_header(level, buf, i, pos, self._size) is None:
            raise self._unreadable(level.tag, "holds what is not an item")
        self.note(level.tag, "has no sequence delimiter")
        return self._close_sequence(level, pos)

    def _close_sequence(self, level: Level, pos: int) -> Event:
        self._stack.pop()
        self._pos = pos
        return (SEQUENCE_END, level.tag, "", pos, 0, None, level.big)

    def _open_item(self, sequence: Level, length: int, buf: bytes, i: int) -> Event:
        start = self._pos + 8
        undefined = length == UNDEFINED
        end = sequence.end if undefined else start + length
        if end > self._size:
            raise self._unreadable(sequence.tag, f"lacks {end - self._size} bytes of an item")
        if end > sequence.end and not undefined:
            if sequence.doubtful:
                raise self._unreadable(sequence.tag, "has an item longer than itself")
            self.note(sequence.tag, "has an item longer than itself")
        item = Level(sequence.tag, start, end, sequence, is_sequence=False, undefined=undefined)
        if not item.implicit or buf[i + 12 : i + 14] in KNOWN_VRS:
            self._sniff(item, buf, i + 8)
        self._stack.append(item)
        self._pos = start
        return (ITEM, sequence.tag, "", start, length, None, item.big)

    def _delimiter(self, level: Level, tag: int, buf: bytes, i: int) -> Event | None:
        """Take a delimiter in a data set: its own end, that of the sequence around it, or nobody's."""
        if tag == _ITEM_DELIMITER and level.undefined:
            self._stack.pop()
            self._pos += 8
            return (ITEM_END, level.tag, "", self._pos, 0, None, level.big)
        if tag == _SEQUENCE_DELIMITER and level.undefined:
            self.note(level.tag, "has an item without delimiter")
            self._stack.pop()
            return (ITEM_END, level.tag, "", self._pos, 0, None, level.big)
        if tag not in (_ITEM_DELIMITER, _SEQUENCE_DELIMITER) or level.doubtful:
            return self._broken(level, tag, "stands where an element belongs", known=False)
        self.notes.append(f"{level.tag or tag:08X} has a delimiter where none belongs")
        self._pos += 8
        return None

    def _encapsulated(self, level: Level, tag: int, vr: str, start: int) -> Event:
        fragments = scan_fragments(self._source, start)
        if fragments.missing:
            raise self._unreadable(tag, f"lacks {fragments.missing} bytes of its last fragment")
        self.fragments = fragments
        for note in fragments.notes:
            self.note(tag, note)
        self._past_pixels |= tag in PIXEL_TAGS and len(self._stack) == 1
        self._pos = fragments.after
        vr = "OB" if vr in ("UN", "OW") else vr
        return (ENCAPSULATED, tag, vr, start, fragments.end - start, None, False)

    def _leftover(self, level: Level) -> None:
        """Step over fewer bytes than a header has, at the end of a data set."""
        left = level.end - self._pos
        at_top = len(self._stack) == 1
        rest = self._source.read_at(self._pos, left)
        if level.end == self._size and any(rest) and not (at_top and self._past_pixels):
            raise self._unreadable(level.tag, "is where the file ends in the middle of an element's header")
        self.note(level.tag, f"has {left} bytes at its end that are no element")
        self._pos = level.end

    def _broken(self, level: Level, tag: int, text: str, *, known: bool) -> Event | None:
        """Stop cleanly at garbage behind the pixel data; refuse everything else."""
        if len(self._stack) == 1 and self._past_pixels and not (known and tag > 0x7FE00010):
            self._stop("the data set is followed by bytes that are no elements")
            return None
        raise self._unreadable(tag, text)

    def _stop(self, text: str) -> None:
        self.notes.append(text)
        self._pos = self._size
