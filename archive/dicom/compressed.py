"""Compressed pixel data that a request sends as image or video parts (PS3.18 Tables 8.7.3-2 to 8.7.3-4).

Owns which transfer syntax such parts make, and the offset table of their frames. The bytes themselves are
written by archive/dicom/build.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

_P = "1.2.840.10008.1.2.4."
_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"}
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_SYNTAXES: Mapping[str, tuple[str, ...]] = {
    "image/jpeg": tuple(_P + tail for tail in ("50", "51", "53", "55", "57", "70")),
    "image/jls": (_P + "80", _P + "81"),
    "image/jp2": (_P + "90", _P + "91"),
    "image/jpx": (_P + "92", _P + "93"),
    "image/jphc": (_P + "201", _P + "202", _P + "203"),
    "image/jxl": (_P + "110", _P + "111", _P + "112"),
    "image/dicom-rle": ("1.2.840.10008.1.2.5",),
    "video/mpeg": (_P + "100", _P + "101", _P + "100.1", _P + "101.1"),
    "video/mp4": tuple(_P + t for t in ("102", "103", "104", "105", "106"))
    + tuple(_P + t for t in ("102.1", "103.1", "104.1", "105.1", "106.1")),
    "video/h265": (_P + "107", _P + "108"),
}
_ALIASES = {
    "image/x-jls": "image/jls",
    "image/x-jp2": "image/jp2",
    "image/jhc": "image/jphc",
    "image/x-dicom-rle": "image/dicom-rle",
}
_LOSSY_J2K = {_P + "90": _P + "91", _P + "201": _P + "203"}
_MAX_FRAGMENT = 0xFFFFFFFE


class Part(Protocol):
    """What is asked of a bulk data part."""

    @property
    def media_type(self) -> str: ...

    @property
    def transfer_syntax_uid(self) -> str | None: ...

    @property
    def open(self) -> Callable[[], Readable]: ...


class Readable(Protocol):
    """Bytes of a part."""

    def read(self, size: int, /) -> bytes: ...


def encapsulated_syntax(parts: Sequence[Part], in_metadata: str | None) -> str | None:
    """Return the transfer syntax of pixel data sent in parts, None where they are native little-endian bytes.

    The part's own parameter comes first, then the syntax that the metadata name if it suits the media type,
    then what the first part's header shows, then the media type's default. Raise ValueError where the parts
    disagree or cannot be.
    """
    told = {(part.media_type, part.transfer_syntax_uid) for part in parts}
    if len(told) > 1:
        raise ValueError("has bulk data of several media types or transfer syntaxes")
    media_type, parameter = told.pop()
    media_type = _ALIASES.get(media_type, media_type)
    if parameter == _BIG_ENDIAN:
        raise ValueError("has bulk data in Big Endian; PS3.18 sends them little endian")
    possible = _SYNTAXES.get(media_type)
    if possible is None:
        if media_type.startswith(("image/", "video/")):
            raise ValueError(f"has bulk data of media type {media_type}, which no transfer syntax holds")
        return None if parameter is None or parameter in _NATIVE else parameter
    if parameter is not None:
        if parameter not in possible:
            raise ValueError(f"has bulk data of media type {media_type} with transfer syntax {parameter}")
        return parameter
    if in_metadata in possible:
        return in_metadata
    return _seen(parts[0].open().read(65_536), media_type) or possible[0]


def _seen(data: bytes, media_type: str) -> str | None:
    """Tell by a frame's header: the defaults of PS3.18 are lossless, what clients send is often not."""
    if media_type in ("image/jp2", "image/jphc"):
        at = data.find(b"\xff\x52", 40)  # COD; its wavelet 0 is the lossy one
        lossless = _SYNTAXES[media_type][0]
        return _LOSSY_J2K[lossless] if at > 0 and data[at + 13 : at + 14] == b"\0" else lossless
    if media_type != "image/jpeg":
        return None
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        found = {0xC0: "50", 0xC1: "51", 0xC2: "55"}.get(marker)
        if found:
            return _P + found
        if marker == 0xC3:
            scan = data.find(b"\xff\xda", at)
            components = data[scan + 4] if 0 < scan < len(data) - 4 else 0
            selection = data[scan + 5 + 2 * components : scan + 6 + 2 * components]
            return _P + ("70" if selection == b"\1" else "57")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big") if marker != 0xFF else 1
    return None


class Frames:
    """Frames of one part and one fragment each; `number_of_frames` is what the metadata say."""

    def __init__(
        self, lengths: Sequence[int], number_of_frames: str | None, transfer_syntax_uid: str
    ) -> None:
        video = any(transfer_syntax_uid in _SYNTAXES[kind] for kind in _SYNTAXES if kind.startswith("video/"))
        expected = 1 if video or number_of_frames is None else number_of_frames
        if str(len(lengths)) != str(expected):
            raise ValueError(f"has bulk data in {len(lengths)} parts; one a frame was expected")
        if max(lengths) > _MAX_FRAGMENT:
            raise ValueError("has a frame longer than the 4 GiB of a fragment")
        self._lengths = lengths
        self._video = video

    def offset_table(self) -> bytes:
        """Return the item of the Basic Offset Table; empty for video and where an offset does not fit."""
        offsets = [0]
        for length in self._lengths[:-1]:
            offsets.append(offsets[-1] + 8 + length + length % 2)
        if self._video or offsets[-1] > 0xFFFFFFFF:
            offsets = []
        return struct.pack(f"<HHL{len(offsets)}L", 0xFFFE, 0xE000, 4 * len(offsets), *offsets)
