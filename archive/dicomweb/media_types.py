"""The names of media types and the transfer syntaxes that go with them: the tables of PS3.18 8.7.3.

Other modules ask these tables and hold no UID or media type of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DICOM = "application/dicom"
JSON = "application/dicom+json"
XML = "application/dicom+xml"
OCTET_STREAM = "application/octet-stream"
ZIP = "application/zip"
MULTIPART = "multipart/related"
WADL = "application/vnd.sun.wadl+xml"

ALIASES = {
    "application/json": JSON,
    "application/wadl+xml": WADL,
    "application/x-zip-compressed": ZIP,
    "application/dicom-json": JSON,
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-jls": "image/jls",
    "image/x-jpeg-ls": "image/jls",
    "image/jpeg-ls": "image/jls",
    "image/x-jp2": "image/jp2",
    "image/jpeg2000": "image/jp2",
    "image/x-jpx": "image/jpx",
    "image/jhc": "image/jphc",
    "image/x-jphc": "image/jphc",
    "image/jph": "image/jphc",
    "image/x-jxl": "image/jxl",
    "image/x-dicom-rle": "image/dicom-rle",
    "image/rle": "image/dicom-rle",
    "video/mpeg2": "video/mpeg",
    "video/mpeg4": "video/mp4",
    "video/h265": "video/H265",
    "video/hevc": "video/H265",
    "application/deflate": "application/x-deflate",
}
"""Names of older editions and of the field, by the name that is used now."""


def canonical(name: str) -> str:
    """Return the current name of a media type, given in lower case."""
    return ALIASES.get(name, name)


class Kind(Enum):
    """What a transfer syntax does to pixels."""

    NATIVE = "native"  # the value of Pixel Data is the pixels
    UNCOMPRESSED = "uncompressed"  # pixels in fragments, but not compressed
    LOSSLESS = "lossless"
    LOSSY = "lossy"  # may have lost something; what is stored is the best there is
    VIDEO = "video"
    REFERENCED = "referenced"  # the pixels are elsewhere (JPIP) or in real time (SMPTE)
    UNKNOWN = "unknown"  # private, or newer than this table


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A transfer syntax, and the media type of its frames (PS3.18 Tables 8.7.3-4 and 8.7.3-5).

    `default` marks the syntax that a media type means when none is named.
    """

    uid: str
    name: str
    media_type: str
    kind: Kind
    default: bool = False

    @property
    def encapsulated(self) -> bool:
        """Whether pixels lie in fragments."""
        return self.kind not in {Kind.NATIVE, Kind.REFERENCED}

    @property
    def decodable(self) -> bool:
        """Whether frames can be made native pixels one by one; if a codec is there is known to imaging."""
        return self.kind in {Kind.NATIVE, Kind.UNCOMPRESSED, Kind.LOSSLESS, Kind.LOSSY}

    @property
    def stays(self) -> bool:
        """Whether an instance is sent as stored when the client names no transfer syntax (PS3.18 8.7.3)."""
        return self.kind in {Kind.LOSSY, Kind.VIDEO, Kind.REFERENCED, Kind.UNKNOWN}

    @property
    def compressed(self) -> bool:
        """Whether stored frames are something else than pixels."""
        return self.kind in {Kind.LOSSLESS, Kind.LOSSY, Kind.VIDEO, Kind.UNKNOWN}


def _rows(table: str) -> tuple[TransferSyntax, ...]:
    rows = []
    for line in table.strip().splitlines():
        uid, media_type, kind, name = (cell.strip() for cell in line.split("|"))
        rows.append(
            TransferSyntax(
                f"1.2.840.10008.1.2{uid}", name, media_type.rstrip("*"), Kind(kind), media_type.endswith("*")
            )
        )
    return tuple(rows)


# The UIDs follow 1.2.840.10008.1.2; a star marks the default syntax of a media type.
TRANSFER_SYNTAXES = _rows(
    """
              | application/octet-stream  | native       | Implicit VR Little Endian
    .1        | application/octet-stream* | native       | Explicit VR Little Endian
    .1.98     | application/octet-stream  | uncompressed | Encapsulated Uncompressed Explicit VR Little Endian
    .1.99     | application/octet-stream  | native       | Deflated Explicit VR Little Endian
    .2        | application/octet-stream  | native       | Explicit VR Big Endian
    .4.50     | image/jpeg                | lossy        | JPEG Baseline (Process 1)
    .4.51     | image/jpeg                | lossy        | JPEG Extended (Process 2 & 4)
    .4.52     | image/jpeg                | lossy        | JPEG Extended (Process 3 & 5)
    .4.53     | image/jpeg                | lossy        | JPEG Spectral Selection, Non-Hierarchical (6 & 8)
    .4.54     | image/jpeg                | lossy        | JPEG Spectral Selection, Non-Hierarchical (7 & 9)
    .4.55     | image/jpeg                | lossy        | JPEG Full Progression, Non-Hierarchical (10 & 12)
    .4.56     | image/jpeg                | lossy        | JPEG Full Progression, Non-Hierarchical (11 & 13)
    .4.57     | image/jpeg                | lossless     | JPEG Lossless, Non-Hierarchical (Process 14)
    .4.58     | image/jpeg                | lossless     | JPEG Lossless, Non-Hierarchical (Process 15)
    .4.59     | image/jpeg                | lossy        | JPEG Extended, Hierarchical (16 & 18)
    .4.60     | image/jpeg                | lossy        | JPEG Extended, Hierarchical (17 & 19)
    .4.61     | image/jpeg                | lossy        | JPEG Spectral Selection, Hierarchical (20 & 22)
    .4.62     | image/jpeg                | lossy        | JPEG Spectral Selection, Hierarchical (21 & 23)
    .4.63     | image/jpeg                | lossy        | JPEG Full Progression, Hierarchical (24 & 26)
    .4.64     | image/jpeg                | lossy        | JPEG Full Progression, Hierarchical (25 & 27)
    .4.65     | image/jpeg                | lossless     | JPEG Lossless, Hierarchical (Process 28)
    .4.66     | image/jpeg                | lossless     | JPEG Lossless, Hierarchical (Process 29)
    .4.70     | image/jpeg*               | lossless     | JPEG Lossless, Non-Hierarchical, First-Order
    .4.80     | image/jls*                | lossless     | JPEG-LS Lossless
    .4.81     | image/jls                 | lossy        | JPEG-LS Lossy (Near-Lossless)
    .4.90     | image/jp2*                | lossless     | JPEG 2000 (Lossless Only)
    .4.91     | image/jp2                 | lossy        | JPEG 2000
    .4.92     | image/jpx*                | lossless     | JPEG 2000 Part 2 Multi-component (Lossless Only)
    .4.93     | image/jpx                 | lossy        | JPEG 2000 Part 2 Multi-component
    .4.94     | application/octet-stream  | referenced   | JPIP Referenced
    .4.95     | application/octet-stream  | referenced   | JPIP Referenced Deflate
    .4.100    | video/mpeg*               | video        | MPEG2 Main Profile / Main Level
    .4.100.1  | video/mpeg                | video        | Fragmentable MPEG2 Main Profile / Main Level
    .4.101    | video/mpeg                | video        | MPEG2 Main Profile / High Level
    .4.101.1  | video/mpeg                | video        | Fragmentable MPEG2 Main Profile / High Level
    .4.102    | video/mp4*                | video        | MPEG-4 AVC/H.264 High Profile / Level 4.1
    .4.102.1  | video/mp4                 | video        | Fragmentable MPEG-4 AVC/H.264 High / Level 4.1
    .4.103    | video/mp4                 | video        | MPEG-4 AVC/H.264 BD-compatible / Level 4.1
    .4.103.1  | video/mp4                 | video        | Fragmentable MPEG-4 AVC/H.264 BD / Level 4.1
    .4.104    | video/mp4                 | video        | MPEG-4 AVC/H.264 High Profile / Level 4.2 2D
    .4.104.1  | video/mp4                 | video        | Fragmentable MPEG-4 AVC/H.264 / Level 4.2 2D
    .4.105    | video/mp4                 | video        | MPEG-4 AVC/H.264 High Profile / Level 4.2 3D
    .4.105.1  | video/mp4                 | video        | Fragmentable MPEG-4 AVC/H.264 / Level 4.2 3D
    .4.106    | video/mp4                 | video        | MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
    .4.106.1  | video/mp4                 | video        | Fragmentable MPEG-4 AVC/H.264 Stereo / Level 4.2
    .4.107    | video/H265*               | video        | HEVC/H.265 Main Profile / Level 5.1
    .4.108    | video/H265                | video        | HEVC/H.265 Main 10 Profile / Level 5.1
    .4.110    | image/jxl*                | lossless     | JPEG XL Lossless
    .4.111    | image/jxl                 | lossy        | JPEG XL JPEG Recompression
    .4.112    | image/jxl                 | lossy        | JPEG XL
    .4.201    | image/jphc*               | lossless     | High-Throughput JPEG 2000 (Lossless Only)
    .4.202    | image/jphc                | lossless     | High-Throughput JPEG 2000 with RPCL (Lossless Only)
    .4.203    | image/jphc                | lossy        | High-Throughput JPEG 2000
    .4.204    | application/octet-stream  | referenced   | JPIP HTJ2K Referenced
    .4.205    | application/octet-stream  | referenced   | JPIP HTJ2K Referenced Deflate
    .5        | image/dicom-rle*          | lossless     | RLE Lossless
    .7.1      | application/octet-stream  | referenced   | SMPTE ST 2110-20 Progressive Active Video
    .7.2      | application/octet-stream  | referenced   | SMPTE ST 2110-20 Interlaced Active Video
    .7.3      | application/octet-stream  | referenced   | SMPTE ST 2110-30 PCM Digital Audio
    .8.1      | application/x-deflate*    | lossless     | Deflated Image Frame Compression
    """
)

BY_UID = {row.uid: row for row in TRANSFER_SYNTAXES}


def transfer_syntax(uid: str) -> TransferSyntax:
    """Return the row of a UID; one that is not in the table is of kind UNKNOWN."""
    return BY_UID.get(uid) or TransferSyntax(uid, "", OCTET_STREAM, Kind.UNKNOWN)


DEFAULT_SYNTAX = {row.media_type: row.uid for row in TRANSFER_SYNTAXES if row.default}
"""The transfer syntax that a media type of frames means when the client names none."""

FRAME_MEDIA_TYPES = tuple(DEFAULT_SYNTAX)
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
NEVER_MADE = frozenset({IMPLICIT_LITTLE, EXPLICIT_BIG})
"""Syntaxes that are sent only where the stored bytes are asked for (PS3.18 8.7.3)."""
