"""What of a stored instance is sent: its transfer syntax, and the media type of its frames (PS3.18 8.7.3).

Whether a codec exists is the caller's knowledge: `targets` are the transfer syntaxes that it can compress an
instance to. Among what is liked alike, nothing is compressed anew that may go compressed as it is stored, and
nothing lossy is made where something lossless may go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from archive.dicomweb.media_types import (
    BY_UID,
    DEFAULT_SYNTAX,
    EXPLICIT_LITTLE,
    NEVER_MADE,
    OCTET_STREAM,
    Kind,
    TransferSyntax,
    transfer_syntax,
)
from archive.dicomweb.negotiation import AS_STORED, UNNAMED, Container, FrameChoice, fits

MAX_NATIVE = 2**32 - 2  # the longest value of Pixel Data in Explicit VR Little Endian (PS3.5 7.1.1)


def match_instance(
    syntaxes: Sequence[str], stored: str, *, native_length: int = 0, targets: Collection[str] = ()
) -> str | None:
    """Return the transfer syntax, of several liked alike, in which a stored instance is sent.

    The stored one means byte for byte. Where none is named, it is Explicit VR Little Endian, but lossy and
    video data stay, as does what is too long for that (PS3.18 8.7.3); `native_length` is the length of the
    pixels in bytes. None: not acceptable.
    """
    row = transfer_syntax(stored)
    can_decode = row.decodable and native_length <= MAX_NATIVE
    as_stored = row.compressed and not {AS_STORED, stored}.isdisjoint(syntaxes)
    for made in _rounds(targets, as_stored=as_stored):
        for uid in syntaxes:
            if uid in {AS_STORED, stored}:
                return stored
            if uid == UNNAMED:
                return EXPLICIT_LITTLE if can_decode and not row.stays else stored
            if row.decodable and (uid in made or (uid == EXPLICIT_LITTLE and can_decode)):
                return uid
    return None


def _rounds(targets: Collection[str], *, as_stored: bool) -> Iterator[frozenset[str]]:
    """Give the syntaxes that may be made: none where something goes as stored, else lossy ones at last."""
    every = frozenset() if as_stored else frozenset(targets)
    yield frozenset(uid for uid in every if transfer_syntax(uid).kind is not Kind.LOSSY)
    yield every


@dataclass(frozen=True, slots=True)
class FrameMatch:
    """How the frames of one instance are sent. Explicit VR Little Endian means native pixels."""

    container: Container
    media_type: str
    transfer_syntax: str


def match_frames(
    choices: Sequence[FrameChoice], stored: str, *, targets: Collection[str] = ()
) -> FrameMatch | None:
    """Return how frames stored in a transfer syntax are sent, None if in no acceptable form.

    Native pixels are always little endian and called Explicit VR Little Endian (PS3.18 8.7.3.3.1), whatever
    native syntax they are stored in.
    """
    row = transfer_syntax(stored)
    for _, alike in groupby(choices, key=lambda choice: choice.tier):
        tier = tuple(alike)
        unmade = (_match(choice, row, frozenset()) for choice in tier)
        as_stored = row.compressed and any(each and each.transfer_syntax == row.uid for each in unmade)
        for made in _rounds(targets, as_stored=as_stored):
            for choice in tier:
                found = _match(choice, row, made)
                if found:
                    return found
    return None


def _match(choice: FrameChoice, row: TransferSyntax, targets: Collection[str]) -> FrameMatch | None:
    unnamed = choice.syntax in {AS_STORED, UNNAMED}
    found = (_match_unnamed if unnamed else _match_named)(choice, row, targets)
    return FrameMatch(choice.container, *found) if found else None


def _match_unnamed(
    choice: FrameChoice, row: TransferSyntax, targets: Collection[str]
) -> tuple[str, str] | None:
    exact_octets = choice.pattern == OCTET_STREAM
    if row.compressed and exact_octets and choice.syntax == AS_STORED:
        return OCTET_STREAM, row.uid
    if row.compressed and not exact_octets and fits(choice.pattern, row.media_type):
        return row.media_type, row.uid
    if not row.decodable:
        return None
    if fits(choice.pattern, OCTET_STREAM):
        return OCTET_STREAM, EXPLICIT_LITTLE
    target = DEFAULT_SYNTAX.get(choice.pattern) if choice.syntax == UNNAMED else None
    return (choice.pattern, target) if target is not None and target in targets else None


def _match_named(
    choice: FrameChoice, row: TransferSyntax, targets: Collection[str]
) -> tuple[str, str] | None:
    uid = choice.syntax
    known = BY_UID.get(uid)
    media_type = OCTET_STREAM if choice.pattern == OCTET_STREAM or known is None else known.media_type
    if uid in NEVER_MADE or not fits(choice.pattern, media_type):
        return None
    as_stored = uid == row.uid and row.compressed
    made = row.decodable and (uid == EXPLICIT_LITTLE or uid in targets)
    return (media_type, uid) if as_stored or made else None


def named_by(choices: Sequence[FrameChoice]) -> tuple[str, ...]:
    """Return the transfer syntaxes that a client wants frames in, by UID or as what a media type means."""
    named = (
        DEFAULT_SYNTAX.get(choice.pattern) if choice.syntax == UNNAMED else choice.syntax
        for choice in choices
    )
    return tuple(dict.fromkeys(uid for uid in named if uid is not None and uid != AS_STORED))
