"""The syntax of header values: quoted strings, lists, parameters, media types and media ranges.

It reads what clients send rather than what the grammar allows: bare slashes in parameter values, any case,
any order, any blanks, and a whole quoted media type with its parameters. What the values mean is decided
in negotiation.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from archive.dicomweb.media_types import canonical
from archive.errors import InvalidRequest, NotAcceptable

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SPACE_FOR_PLUS = re.compile(r"(application/dicom) (?=json|xml)")


def split_quoted(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside quoted strings; pieces are stripped, empty ones left out."""
    pieces: list[str] = []
    piece: list[str] = []
    quoted = escaped = False
    for char in text:
        if char == separator and not quoted:
            pieces.append("".join(piece).strip())
            piece = []
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and quoted and not escaped
        piece.append(char)
    pieces.append("".join(piece).strip())
    return [each for each in pieces if each]


def unquote(text: str) -> str:
    """Return the value of a quoted string (RFC 9110 5.6.4); anything else is returned stripped."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1]).strip()
    return text.strip('"')


def quote(text: str) -> str:
    """Return the text as a quoted string that is safe in a header: no controls, nothing beyond ASCII."""
    plain = re.sub(r"[\x00-\x1f\x7f]+", " ", text).encode("ascii", "replace").decode("ascii")
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type with its parameters; names are lower case, old DICOM names are made the current ones."""

    type: str
    subtype: str
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> MediaType:
        """Read a media type or range; raise InvalidRequest if no type/subtype can be made out."""
        pieces = split_quoted(unquote(text) if text.strip().startswith('"') else text, ";")
        kind, slash, subtype = (pieces[0] if pieces else "").partition("/")
        kind, subtype = kind.strip().lower(), subtype.strip().lower()
        if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
            raise InvalidRequest("not a media type; one looks like application/dicom", where="media type")
        kind, subtype = canonical(f"{kind}/{subtype}").split("/")
        return cls(kind, subtype, _parameters(pieces[1:]))

    @property
    def name(self) -> str:
        """The media type without its parameters."""
        return f"{self.type}/{self.subtype}"

    def get(self, name: str) -> str | None:
        """Return the first value of a parameter, or None."""
        return next((value for key, value in self.parameters if key == name), None)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of a parameter, in order."""
        return tuple(value for key, value in self.parameters if key == name)

    def __str__(self) -> str:
        texts = (
            f"; {key}={value if _TOKEN.fullmatch(value) else quote(value)}" for key, value in self.parameters
        )
        return self.name + "".join(texts)


def _parameters(pieces: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read name=value pieces; parameters inside a quoted `type` count as the outer ones do."""
    found: list[tuple[str, str]] = []
    inner: list[str] = []
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if not equals:
            continue
        name, value = name.strip().lower(), unquote(value)
        if name == "type":
            value, *inner = split_quoted(value, ";") or [""]
            value = canonical(value.lower())
        found.append((name, value))
    known = {name for name, _ in found}
    return (*found, *(pair for pair in (_parameters(inner) if inner else ()) if pair[0] not in known))


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One member of an Accept list: what is accepted, and how much it is liked (0 is refused)."""

    media: MediaType
    q: float = 1.0


ANYTHING = MediaRange(MediaType("*", "*"))


def parse_accept(headers: Sequence[str], query: Sequence[str] = ()) -> tuple[MediaRange, ...]:
    """Return what the client accepts, in the order of the header lines.

    The query parameter `accept` wins over the headers (PS3.18 8.3.3.1). Neither: everything. A member that
    cannot be read is skipped in a header, and InvalidRequest in the query parameter.
    """
    chosen = [value for value in query if value.strip()]
    if chosen:
        # An unescaped plus sign in a URL arrives as a space.
        chosen = [_SPACE_FOR_PLUS.sub(r"\1+", value) for value in chosen]
        return tuple(_range(member) for value in chosen for member in split_quoted(value, ","))
    return _parse_header(",".join(headers))


@lru_cache(maxsize=256)  # a client sends the same ones again and again; gunicorn bounds their length
def _parse_header(header: str) -> tuple[MediaRange, ...]:
    members = split_quoted(header, ",")
    if not members:
        return (ANYTHING,)
    ranges = []
    for member in members:
        try:
            ranges.append(_range(member))
        except InvalidRequest:
            continue
    return tuple(ranges)


def _range(member: str) -> MediaRange:
    try:
        media = MediaType.parse("*/*" + member[1:] if re.match(r"\*\s*(;|$)", member) else member)
    except InvalidRequest as error:
        raise InvalidRequest(str(error), where="accept") from None
    try:
        q = max(0.0, min(1.0, float(media.get("q") or 1)))  # this order makes 1 of NaN
    except ValueError:
        q = 1.0
    kept = tuple(pair for pair in media.parameters if pair[0] != "q")
    return MediaRange(replace(media, parameters=kept), q)


def is_utf8(charset: str) -> bool:
    """Tell whether a charset that a client names is satisfied by UTF-8."""
    return charset.strip().lower().replace("_", "-") in {"utf-8", "utf8", "*", "us-ascii", "ascii"}


def require_utf8(headers: Sequence[str], query: Sequence[str] = ()) -> None:
    """Raise NotAcceptable unless Accept-Charset, or the parameter that wins over it, allows UTF-8.

    PS3.18 8.3.3.2 and 8.4. Everything textual that is sent is UTF-8.
    """
    values = [value for value in query if value.strip()] or headers
    members = [member for value in values for member in split_quoted(value, ",")]
    liked = [member.split(";")[0] for member in members if not re.search(r";\s*q=0(\.0*)?\s*$", member)]
    if members and not any(is_utf8(charset) for charset in liked):
        raise NotAcceptable("texts are sent in UTF-8 only", offered=("charset=utf-8",))
