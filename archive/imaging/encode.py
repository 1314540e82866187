"""Which transfer syntaxes frames can be compressed to, asked before any bytes are read (PS3.5 8.2).

Owns which pixels each transfer syntax can hold and the attributes that change with the bytes, and loads no
codec. Leaves compressing to transcode.py, and what lossy compression says of itself in a data set to
archive/dicom/derivation.py. Everything but JPEG Baseline is exact, unused bits of a sample included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from archive.imaging.syntaxes import MAX_FRAME_LENGTH, can_decode, native_photometric
from archive.model.instance import Pixels

QUALITY = 90
"""Of JPEG Baseline, 1 to 100 as libjpeg counts: compression is hardly seen there."""

_GREY = frozenset(("MONOCHROME1", "MONOCHROME2"))
_COLOUR = frozenset(("RGB", "YBR_FULL", "YBR_FULL_422"))


@dataclass(frozen=True, slots=True)
class Encoder:
    """One transfer syntax, and which pixels it can hold (PS3.5 Tables 8.2.x-1)."""

    name: str
    allocated: frozenset[int] = frozenset((8, 16))
    stored: range = range(1, 17)
    signed: bool = True
    photometric: frozenset[str] = _GREY | _COLOUR | {"PALETTE COLOR"}
    widest_ybr: int = 16  # Bits Allocated of YBR_FULL
    rgb: str = "RGB"  # what RGB becomes in the codestream, and what YBR_FULL does
    ybr: str = "YBR_FULL"
    lossless: bool = True


def encodable(targets: Iterable[str], pixels: Pixels | None, transfer_syntax_uid: str) -> frozenset[str]:
    """Return those of some transfer syntaxes that frames, stored in the one given, can be compressed to.

    A data set without pixels fits all that there are: they differ in its pixel data only (PS3.5 A.4).
    """
    return frozenset(uid for uid in targets if refusal(uid, pixels, transfer_syntax_uid) is None)


def refusal(target: str, pixels: Pixels | None, transfer_syntax_uid: str) -> str | None:
    """Return why frames, stored in the transfer syntax given, cannot be compressed to `target`, else None.

    The text is for whoever asked. Only what the header says is looked at: a broken frame is found later.
    """
    encoder = ENCODERS.get(target)
    if encoder is None:
        return f"Filmroom does not compress to {target}"
    if pixels is None:
        return None
    if pixels.encapsulated and not can_decode(transfer_syntax_uid):
        return f"frames of transfer syntax {transfer_syntax_uid} cannot be decoded"
    if pixels.tag != "7FE00010":
        return f"{encoder.name} cannot hold floating point pixels"
    photometric = native_photometric(pixels, transfer_syntax_uid)
    return _too_much(pixels) or _misfit(encoder, pixels, photometric)


def _too_much(pixels: Pixels) -> str | None:
    length = pixels.rows * pixels.columns * pixels.samples_per_pixel * max(pixels.bits_allocated, 8) // 8
    if not length:
        return "Rows, Columns, Samples per Pixel or Bits Allocated is missing"
    return f"a frame has {length} bytes, more than {MAX_FRAME_LENGTH}" if length > MAX_FRAME_LENGTH else None


def _misfit(encoder: Encoder, pixels: Pixels, photometric: str) -> str | None:
    bits, stored = pixels.bits_allocated, pixels.bits_stored or pixels.bits_allocated
    samples = 3 if photometric in _COLOUR else 1
    if bits not in encoder.allocated or (photometric in _COLOUR - {"RGB"} and bits > encoder.widest_ybr):
        return f"{encoder.name} cannot hold pixels whose Bits Allocated is {bits}"
    if stored not in encoder.stored or stored > bits:
        return f"{encoder.name} cannot hold pixels whose Bits Stored is {stored}"
    if photometric not in encoder.photometric:
        return f"{encoder.name} cannot hold Photometric Interpretation {photometric or '(none)'}"
    if pixels.samples_per_pixel != samples:
        return f"{photometric} with {pixels.samples_per_pixel} Samples per Pixel cannot be compressed"
    if pixels.pixel_representation and not (encoder.signed and photometric in _GREY):
        return f"{encoder.name} cannot hold signed {photometric} pixels"
    return None


def encoded_attributes(pixels: Pixels, transfer_syntax_uid: str, target: str) -> Mapping[str, str | int]:
    """Return the attributes whose values differ once frames are compressed to `target`: new values by tag.

    Compressed colour has Planar Configuration 0 everywhere, in RLE as well: its segments are planes, but G.2
    Note 2 allows 0, and many IODs nothing else. Bits Allocated, Bits Stored and the sign stay.
    """
    encoder, photometric = ENCODERS[target], native_photometric(pixels, transfer_syntax_uid)
    after = {"RGB": encoder.rgb, "YBR_FULL": encoder.ybr, "YBR_FULL_422": encoder.ybr}.get(
        photometric, photometric
    )
    changed: dict[str, str | int] = {}
    if after != pixels.photometric_interpretation:
        changed["00280004"] = after
    if pixels.samples_per_pixel > 1:
        changed["00280006"] = 0
    return changed


_J = "1.2.840.10008.1.2.4."

ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        "1.2.840.10008.1.2.5": Encoder("RLE Lossless", widest_ybr=8),
        f"{_J}50": Encoder(
            "JPEG Baseline",
            allocated=frozenset((8,)),
            stored=range(8, 9),
            signed=False,
            photometric=_GREY | _COLOUR,
            rgb="YBR_FULL_422",
            ybr="YBR_FULL_422",
            lossless=False,
        ),
        f"{_J}70": Encoder("JPEG Lossless", photometric=_GREY | {"RGB", "PALETTE COLOR"}),
        f"{_J}80": Encoder("JPEG-LS Lossless", stored=range(2, 17), widest_ybr=8),
        f"{_J}90": Encoder("JPEG 2000 Lossless", allocated=frozenset((1, 8, 16)), rgb="YBR_RCT"),
        f"{_J}201": Encoder("HTJ2K Lossless", rgb="YBR_RCT"),
        f"{_J}202": Encoder("HTJ2K Lossless RPCL", rgb="YBR_RCT"),
    }
)
LOSSY = frozenset(uid for uid, encoder in ENCODERS.items() if not encoder.lossless)
