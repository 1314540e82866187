"""Is an answer right? Functions that make checks; a check returns what is wrong in a few words, or "".

They hold every server to the values that were stored, and ask of none for what the standard leaves open:
order of matches, attributes beyond those asked for, headers of parts, padding of a fragment.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from PIL import Image

from bench.dicomweb.client import Answer, Check

_STUDY, _SERIES, _SOP = "0020000D", "0020000E", "00080018"


def stored(count: int) -> Check:
    """Check that all instances of a request were stored: PS3.18 table 10.5.3-1."""

    def check(answer: Answer) -> str:
        said = json.loads(answer.body)
        got = len(said.get("00081199", {}).get("Value", []))
        return "" if got == count else f"stored {got} of {count}"

    return check


def studies(expected: Collection[str], limit: int) -> Check:
    """Check that a search finds the studies with these UIDs, `limit` of them where there are more."""
    return _matches(_STUDY, expected, limit)


def series(expected: Collection[str]) -> Check:
    """Check that a search finds these series and no others."""
    return _matches(_SERIES, expected, len(expected))


def instances(expected: Collection[str]) -> Check:
    """Check that a search, or the metadata, holds these instances and no others."""
    return _matches(_SOP, expected, len(expected))


def page(count: int) -> Check:
    """Check that a page holds so many studies, no study twice."""

    def check(answer: Answer) -> str:
        found = _uids(answer, _STUDY)
        if len(set(found)) != len(found):
            return "a study twice on a page"
        return "" if len(found) == count else f"{len(found)} matches, not {count}"

    return check


def _matches(tag: str, expected: Collection[str], limit: int) -> Check:
    wanted = frozenset(expected)
    count = min(limit, len(wanted))

    def check(answer: Answer) -> str:
        found = _uids(answer, tag)
        if len(found) != count:
            return f"{len(found)} matches, not {count}"
        return "" if len(set(found) & wanted) == count else "other matches"

    return check


def _uids(answer: Answer, tag: str) -> list[str]:
    return [str(each[tag]["Value"][0]) for each in _json(answer)]


def _json(answer: Answer) -> Any:
    body = answer.body
    if answer.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body) if body else []


def files(expected: Callable[[], Sequence[bytes]]) -> Check:
    """Check that the parts are these files, byte for byte, in any order."""

    def check(answer: Answer) -> str:
        found, wanted = parts(answer), expected()
        if len(found) != len(wanted):
            return f"{len(found)} parts, not {len(wanted)}"
        return "" if sorted(found) == sorted(wanted) else "other bytes than were stored"

    return check


def length(least: int) -> Check:
    """Check of an answer that was not kept: long enough, and closed as multipart bodies are."""

    def check(answer: Answer) -> str:
        if not answer.body.rstrip().endswith(b"--"):
            return "no closing delimiter"
        return "" if answer.length >= least else f"{answer.length} bytes, not {least}"

    return check


def frames(expected: Sequence[bytes]) -> Check:
    """Check that the parts are these frames in this order; a compressed one may be padded."""

    def check(answer: Answer) -> str:
        found = parts(answer)
        if len(found) != len(expected):
            return f"{len(found)} frames, not {len(expected)}"
        same = all(_same(got, want) for got, want in zip(found, expected, strict=True))
        return "" if same else "other bytes than were stored"

    return check


def _same(got: bytes, want: bytes) -> bool:
    return got == want or (
        got.startswith(want) and not got[len(want) :].strip(b"\0") and len(got) - len(want) < 2
    )


def picture(kind: str, size: tuple[int, int]) -> Check:
    """Check that this is an image of a kind (JPEG, PNG) and size, and not of one grey throughout."""

    def check(answer: Answer) -> str:
        try:
            image = Image.open(io.BytesIO(answer.body))
            image.load()
        except (OSError, Image.DecompressionBombError):
            return "not an image"
        if (image.format, image.size) != (kind, size):
            return f"{image.format} of {image.size[0]} x {image.size[1]}"
        low, high = image.convert("L").getextrema()
        return "" if low != high else "an empty picture"

    return check


def parts(answer: Answer) -> list[bytes]:
    """Return the bodies of the parts of a multipart answer; raise ValueError where it is none."""
    found = re.search(r'boundary="?([^";]+)', answer.headers["Content-Type"])
    if found is None:
        raise ValueError("no boundary")
    pieces = answer.body.split(b"--" + found[1].encode())
    if not pieces[-1].startswith(b"--"):
        raise ValueError("no closing delimiter")
    return [piece.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for piece in pieces[1:-1]]
