"""Read an instance once: index attributes, DICOM JSON, and the byte ranges of bulk values and frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from archive.dicom.charset import decode
from archive.dicom.file_meta import FileMeta, read_file_meta
from archive.dicom.frame_index import frame_blocks, frame_starts, is_video
from archive.dicom.inflate import inflated_form
from archive.dicom.json_writer import BULK, Found, JsonWriter
from archive.dicom.segments import SegmentWriter
from archive.dicom.source import Source, StreamSource
from archive.dicom.walk import Unreadable, Walk
from archive.errors import NotDicom
from archive.model.instance import FrameBlock, Identity, Pixels, Reading
from archive.model.store import FailureReason
from archive.model.uid import is_uid, trim_uid

READER_VERSION = 1
"""Stands beside kept metadata; a reader that makes other ones has another number."""

_IMPLICIT, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_MOST_OPAQUE = 16  # each of them means another pass
_MOST_FRAMES = 2**31 - 1

_IDENTITY = (
    ("0020000D", "StudyInstanceUID"),
    ("0020000E", "SeriesInstanceUID"),
    ("00080018", "SOPInstanceUID"),
    ("00080016", "SOPClassUID"),
)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a reading gives. `inflated` is a file that the caller closes, for Deflated instances only."""

    reading: Reading
    inflated: BinaryIO | None


def read_instance(source: Source, *, bulk_threshold: int, max_inflated: int) -> ReadResult:
    """Read the instance; raise NotDicom for what cannot be stored, with a failure reason of PS3.18 Annex I.

    Binary values longer than `bulk_threshold` bytes become references. A Deflated data set may inflate to
    `max_inflated` bytes; offsets are then those of its inflated form.
    """
    meta = read_file_meta(source)
    if meta.transfer_syntax_uid != _DEFLATED:
        return ReadResult(_read(source, meta, bulk_threshold), None)
    inflated = inflated_form(source, meta.end, max_inflated)
    try:
        return ReadResult(_read(StreamSource(inflated), meta, bulk_threshold), inflated)
    except BaseException:
        inflated.close()
        raise


def _read(source: Source, meta: FileMeta, bulk_threshold: int) -> Reading:
    found, walk = _walked(source, meta, bulk_threshold)
    try:
        identity = _identity(found)
        if meta.sop_instance_uid and meta.sop_instance_uid != identity.sop_uid:
            found.notes.append("00020003 differs from SOPInstanceUID, which counts")
        pixels = _pixels(found, meta.transfer_syntax_uid)
        _check_length(found, pixels)
        blocks = _blocks(found, pixels, walk, source, meta.transfer_syntax_uid)
        return Reading(
            identity=identity,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            dataset_offset=meta.end,
            attributes=found.attributes,
            metadata=_packed(found, identity),
            bulk_values=tuple(found.bulk_values),
            pixels=pixels,
            frame_blocks=blocks,
            warnings=tuple(found.notes),
        )
    finally:
        found.text.close()


def _walked(source: Source, meta: FileMeta, bulk_threshold: int) -> tuple[Found, Walk]:
    """Go through the data set; a sequence that is none is taken as bytes, and all is done again."""
    opaque: frozenset[int] = frozenset()
    while True:
        walk = Walk(
            source,
            meta.end,
            implicit=meta.transfer_syntax_uid == _IMPLICIT,
            big_endian=meta.transfer_syntax_uid == _BIG_ENDIAN,
            opaque=opaque,
        )
        writer = JsonWriter(walk, bulk_threshold)
        try:
            return writer.run(), walk
        except Unreadable as error:
            writer.found.text.close()
            if error.sequence is None or error.sequence in opaque or len(opaque) >= _MOST_OPAQUE:
                raise _named(error, writer.found) from error
            opaque |= {error.sequence}
        except NotDicom as error:
            writer.found.text.close()
            raise _named(error, writer.found) from error


def _named(error: NotDicom, found: Found) -> NotDicom:
    """Return the error with the UIDs that were read before it."""
    return NotDicom(
        str(error),
        reason=error.reason,
        attribute=error.attribute,
        sop_class_uid=_uid(found, "00080016"),
        sop_instance_uid=_uid(found, "00080018"),
    )


def _uid(found: Found, tag: str) -> str | None:
    values = found.attributes.get(tag, {}).get("Value") or [None]
    return trim_uid(values[0]) if isinstance(values[0], str) else None


def _identity(found: Found) -> Identity:
    for tag, keyword in _IDENTITY:
        uid = _uid(found, tag)
        if uid is None or not uid:
            raise _wrong(found, tag, f"{keyword} is missing or empty")
        if not is_uid(uid):
            raise _wrong(found, tag, f"{keyword} is not a UID: digits and single dots, 64 characters at most")
    study, series, sop, sop_class = (_uid(found, tag) or "" for tag, _ in _IDENTITY)
    return Identity(study, series, sop, sop_class)


def _wrong(found: Found, tag: str, message: str) -> NotDicom:
    return NotDicom(
        message,
        reason=FailureReason.DOES_NOT_MATCH_SOP_CLASS,
        attribute=tag,
        sop_class_uid=_uid(found, "00080016"),
        sop_instance_uid=_uid(found, "00080018"),
    )


def _packed(found: Found, identity: Identity) -> bytes:
    """Return the JSON packed, cut at the part of bulk values' addresses that depends on the request."""
    address = (
        f"/studies/{identity.study_uid}/series/{identity.series_uid}"
        f"/instances/{identity.sop_uid}/bulkdata/".encode()
    )
    writer = SegmentWriter()
    for block in found.text.blocks():
        first, *others = block.split(BULK)
        writer.write(first)
        for other in others:
            writer.cut()
            writer.write(address + other)
    return writer.finish()


def _pixels(found: Found, transfer_syntax_uid: str) -> Pixels | None:
    if found.pixels is None:
        return None
    tag, vr, offset, length, encapsulated = found.pixels
    return Pixels(
        tag=f"{tag:08X}",
        vr=vr,
        offset=offset,
        length=length,
        encapsulated=encapsulated,
        big_endian=found.big_endian and not encapsulated,
        frames=1 if is_video(transfer_syntax_uid) else _frames(found),
        rows=_short(found, 0x00280010),
        columns=_short(found, 0x00280011),
        samples_per_pixel=_short(found, 0x00280002) or 1,
        bits_allocated=_short(found, 0x00280100),
        bits_stored=_short(found, 0x00280101),
        pixel_representation=_short(found, 0x00280103),
        planar_configuration=_short(found, 0x00280006),
        photometric_interpretation=_text(found, 0x00280004),
    )


def _check_length(found: Found, pixels: Pixels | None) -> None:
    """Tell of native pixels that are fewer than the image description says (PS3.3 C.7.6.3)."""
    if pixels is None or pixels.encapsulated:
        return
    if pixels.length < (pixels.bits_per_frame * pixels.frames + 7) // 8:
        found.notes.append(f"{pixels.tag} is shorter than Rows, Columns and Number of Frames say")


def _short(found: Found, tag: int) -> int:
    """Return an unsigned short of the image description, 0 where there is none."""
    value = found.image.get(tag, b"")[:2]
    return int.from_bytes(value, "big" if found.big_endian else "little") if len(value) == 2 else 0


def _text(found: Found, tag: int) -> str:
    return decode(found.image.get(tag, b""), ()).strip(" \0")


def _frames(found: Found) -> int:
    """Return Number of Frames, 1 where it is absent or senseless."""
    text = _text(found, 0x00280008)
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 1
    return min(max(number, 1), _MOST_FRAMES)


def _blocks(
    found: Found, pixels: Pixels | None, walk: Walk, source: Source, transfer_syntax_uid: str
) -> tuple[FrameBlock, ...]:
    fragments = walk.fragments
    if pixels is None or not pixels.encapsulated or fragments is None:
        return ()
    extended = found.offset_tables.get(0x7FE00001)
    starts = frame_starts(fragments, pixels.frames, source, extended, transfer_syntax_uid)
    if starts is None:
        found.notes.append(f"{pixels.tag} has fragments that do not tell where each frame begins")
        return ()
    return tuple(frame_blocks(fragments, starts))
