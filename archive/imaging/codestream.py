"""What the header of a compressed frame says of itself, read before any codec allocates for it.

Owns the few fields that are compared with the data set: size, components, precision, sign and colour. It
decodes nothing. JPEG: ITU-T T.81 B.2; JPEG-LS: T.87 C; JPEG 2000: T.800 A.5; JPEG XL: ISO/IEC 18181-1 and -2.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Codestream:
    """The shape of one compressed frame. `precision` is 0 where the header was not read so far."""

    columns: int
    rows: int
    components: int
    precision: int
    signed: bool = False
    ycbcr: bool | None = None  # JPEG only: what its markers say of colour; None says nothing


class BadCodestreamError(ValueError):
    """The bytes have no such header; the text says what is missing."""


_NO_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_FRAME_HEADERS = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_RGB_IDS = (b"RGB", b"rgb")


def read_jpeg(data: bytes) -> Codestream:
    """Read a JPEG or JPEG-LS header up to its frame header."""
    if data[:2] != b"\xff\xd8":
        raise BadCodestreamError("it does not begin with a JPEG start of image")
    at = 2
    adobe: int | None = None
    jfif = False
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise BadCodestreamError(f"no JPEG marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF or marker in _NO_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : at + 2 + length]
        if marker in _FRAME_HEADERS:
            return _jpeg_frame(segment, adobe, jfif=jfif)
        if marker == 0xEE and segment[:5] == b"Adobe" and len(segment) >= 12:
            adobe = segment[11]
        jfif = jfif or (marker == 0xE0 and segment[:4] == b"JFIF")
        at += 2 + length
    raise BadCodestreamError("no JPEG frame header")


def _jpeg_frame(segment: bytes, adobe: int | None, *, jfif: bool) -> Codestream:
    if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
        raise BadCodestreamError("the JPEG frame header is cut off")
    components = segment[5]
    ycbcr: bool | None = None
    if bytes(segment[6 : 6 + 3 * components : 3]) in _RGB_IDS:
        ycbcr = False
    elif adobe is not None:
        ycbcr = adobe != 0
    elif jfif:
        ycbcr = True
    rows, columns = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    return Codestream(columns, rows, components, precision=segment[0], ycbcr=ycbcr)


def read_jpeg2000(data: bytes) -> Codestream:
    """Read the SIZ segment of a JPEG 2000 or HTJ2K codestream, bare or in JP2 boxes."""
    at = _jp2_codestream(data) if data[4:8] == b"jP  " else 0
    if data[at : at + 4] != b"\xff\x4f\xff\x51":
        raise BadCodestreamError("it does not begin with a JPEG 2000 start of codestream")
    if len(data) < at + 43:
        raise BadCodestreamError("the JPEG 2000 size segment is cut off")
    right, bottom, left, top = (int.from_bytes(data[at + i : at + i + 4], "big") for i in (8, 12, 16, 20))
    depth = data[at + 42]
    components = int.from_bytes(data[at + 40 : at + 42], "big")
    return Codestream(right - left, bottom - top, components, (depth & 0x7F) + 1, signed=bool(depth & 0x80))


def _jp2_codestream(data: bytes) -> int:
    for kind, start, _ in _boxes(data):
        if kind == b"jp2c":
            return start
    raise BadCodestreamError("the JP2 file holds no codestream")


def _boxes(data: bytes) -> list[tuple[bytes, int, int]]:
    found = []
    at = 0
    while at + 8 <= len(data):
        size, start = int.from_bytes(data[at : at + 4], "big"), at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = len(data) if size == 0 else at + size
        if stop < start:
            break
        found.append((data[at + 4 : at + 8], start, stop))
        at = stop
    return found


_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def read_jpegxl(data: bytes) -> Codestream:
    """Read the SizeHeader of a JPEG XL codestream, bare or in boxes; components and precision stay 0."""
    at = 0
    if data[4:8] == b"JXL ":
        starts = {kind: start for kind, start, _ in reversed(_boxes(data))}
        if b"jxlc" not in starts and b"jxlp" not in starts:
            raise BadCodestreamError("the JPEG XL container holds no codestream")
        at = starts[b"jxlc"] if b"jxlc" in starts else starts[b"jxlp"] + 4
    if data[at : at + 2] != b"\xff\x0a":
        raise BadCodestreamError("it does not begin with a JPEG XL codestream")
    bits = _Bits(int.from_bytes(data[at + 2 : at + 14], "little"))
    small = bits.take(1)
    rows = bits.small() if small else bits.large()
    ratio = bits.take(3)
    if ratio:
        wide, high = _RATIOS[ratio - 1]
        columns = rows * wide // high
    else:
        columns = bits.small() if small else bits.large()
    return Codestream(columns, rows, 0, 0)


class _Bits:
    """Bits of a JPEG XL header, the least significant first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken

    def small(self) -> int:
        return 8 * (self.take(5) + 1)

    def large(self) -> int:
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1
