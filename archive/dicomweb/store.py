"""STOW-RS: what a request body may be, and the answer to it (PS3.18 10.5.2, 10.5.3 and Annex I).

The answer holds exactly the attributes of Table I.1-1, and the Failed Attributes Sequence where the attribute
at fault is known. Texts for people go into the Warning header (warnings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from archive.dicom.xml import dataset_to_xml
from archive.dicomweb.headers import MediaType
from archive.dicomweb.media_types import DICOM, JSON, MULTIPART, XML
from archive.dicomweb.uris import place_url
from archive.errors import InvalidRequest, UnsupportedMedia
from archive.model.level import Place
from archive.model.store import Failed, Outcome, Stored

RETRIEVE_URL = "00081190"
WARNING_REASON = "00081196"
FAILURE_REASON = "00081197"
FAILED_SOP_SEQUENCE = "00081198"
REFERENCED_SOP_SEQUENCE = "00081199"
OTHER_FAILURES_SEQUENCE = "0008119A"
REFERENCED_SOP_CLASS_UID = "00081150"
REFERENCED_SOP_INSTANCE_UID = "00081155"
FAILED_ATTRIBUTES_SEQUENCE = "00741048"
SELECTOR_ATTRIBUTE = "00720026"

_PIECE = 200  # items of a sequence written at once


class BodyKind(Enum):
    """The bodies that are taken."""

    DICOM_MULTIPART = f'{MULTIPART}; type="{DICOM}"'
    JSON_MULTIPART = f'{MULTIPART}; type="{JSON}"'
    XML_MULTIPART = f'{MULTIPART}; type="{XML}"'
    DICOM_SINGLE = DICOM


@dataclass(frozen=True, slots=True)
class StoreBody:
    """What Content-Type says of a body; the boundary is empty for a single part."""

    kind: BodyKind
    boundary: str = ""


_KINDS = {DICOM: BodyKind.DICOM_MULTIPART, JSON: BodyKind.JSON_MULTIPART, XML: BodyKind.XML_MULTIPART}


def parse_store_content_type(value: str) -> StoreBody:
    """Read the Content-Type of a store request.

    A multipart body that names no type is taken for DICOM. Raise UnsupportedMedia, or InvalidRequest if only
    the boundary is missing.
    """
    try:
        media = MediaType.parse(value)
    except InvalidRequest:
        raise _unsupported("Content-Type is missing or is no media type") from None
    if media.name == DICOM:
        return StoreBody(BodyKind.DICOM_SINGLE)
    kind = _KINDS.get(media.get("type") or DICOM)
    if media.name != MULTIPART or kind is None:
        raise _unsupported("a body of this Content-Type is not taken")
    boundary = media.get("boundary")
    if not boundary:
        raise InvalidRequest("Content-Type has no boundary parameter", where="boundary")
    return StoreBody(kind, boundary)


def refuse_content_encoding(value: str) -> None:
    """Raise UnsupportedMedia for a body that is compressed as a whole (RFC 9110 8.4)."""
    if value.strip().lower() not in {"", "identity"}:
        raise _unsupported("a body with Content-Encoding is not taken; send it as it is")


def _unsupported(message: str) -> UnsupportedMedia:
    return UnsupportedMedia(message, offered=tuple(kind.value for kind in BodyKind))


def status_of(outcomes: Sequence[Outcome]) -> int:
    """Return the HTTP status of an answer (PS3.18 Table 10.5.3-1).

    200 all stored, 202 some stored or stored with warnings, 409 none stored.
    """
    stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    if not stored:
        return 409
    whole = len(stored) == len(outcomes) and all(outcome.warning is None for outcome in stored)
    return 200 if whole else 202


def sentences(outcome: Outcome) -> tuple[str, ...]:
    """Return what the Warning header should say of an outcome."""
    if isinstance(outcome, Stored):
        return outcome.notes
    tag = (outcome.attribute or "").upper()
    return (outcome.message if tag in outcome.message.upper() else f"{outcome.message} ({tag})",)


def response_dataset(outcomes: Sequence[Outcome], base: str) -> dict[str, Any]:
    """Return the Store Instances Response Module in DICOM JSON; `base` is the address of /dicom-web."""
    dataset = _head(outcomes, base)
    for tag, items in _sequences(outcomes, base):
        found = list(items)
        if found:
            dataset[tag] = {"vr": "SQ", "Value": found}
    return dataset


def response_json(outcomes: Sequence[Outcome], base: str) -> Iterator[bytes]:
    """Yield the same as JSON text, in pieces, so that thousands of items take no memory of their own."""
    yield orjson.dumps(_head(outcomes, base))[:-1]
    for tag, items in _sequences(outcomes, base):
        text: list[bytes] = []
        opening = b',"%s":{"vr":"SQ","Value":[' % tag.encode("ascii")
        for item in items:
            text.append(opening + orjson.dumps(item))
            opening = b","
            if len(text) == _PIECE:
                yield b"".join(text)
                text = []
        if text or opening == b",":
            yield b"".join(text) + b"]}"
    yield b"}"


def response_xml(outcomes: Sequence[Outcome], base: str) -> Iterator[bytes]:
    """Yield the same as a Native DICOM Model."""
    yield dataset_to_xml(response_dataset(outcomes, base))


def _head(outcomes: Iterable[Outcome], base: str) -> dict[str, Any]:
    """Return the Retrieve URL of the study; it is empty if there is none, or are several."""
    studies = {outcome.study_uid for outcome in outcomes if isinstance(outcome, Stored)}
    if len(studies) != 1:
        return {RETRIEVE_URL: {"vr": "UR"}}
    return {RETRIEVE_URL: {"vr": "UR", "Value": [place_url(base, Place(studies.pop()))]}}


def _sequences(outcomes: Sequence[Outcome], base: str) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Yield the sequences of Table I.1-1 with their items, in the order of their tags."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    yield FAILED_SOP_SEQUENCE, (_failed(each) for each in failed if _is_named(each))
    yield REFERENCED_SOP_SEQUENCE, _referenced(outcomes, base)
    yield OTHER_FAILURES_SEQUENCE, (_failed(each) for each in failed if not _is_named(each))


def _is_named(failed: Failed) -> bool:
    return bool(failed.sop_uid or failed.sop_class_uid)


def _referenced(outcomes: Iterable[Outcome], base: str) -> Iterator[dict[str, Any]]:
    """Yield one item for each stored instance, however often the request held it."""
    seen: set[str] = set()
    for outcome in outcomes:
        if isinstance(outcome, Failed) or outcome.sop_uid in seen:
            continue
        seen.add(outcome.sop_uid)
        place = Place(outcome.study_uid, outcome.series_uid, outcome.sop_uid)
        item = _reference(outcome.sop_class_uid, outcome.sop_uid)
        item[RETRIEVE_URL] = {"vr": "UR", "Value": [place_url(base, place)]}
        if outcome.warning is not None:
            item[WARNING_REASON] = {"vr": "US", "Value": [int(outcome.warning)]}
        yield item


def _failed(failed: Failed) -> dict[str, Any]:
    item = _reference(failed.sop_class_uid, failed.sop_uid)
    item[FAILURE_REASON] = {"vr": "US", "Value": [int(failed.reason)]}
    if failed.attribute is not None:
        # An item is the Selector Attribute Macro, PS3.3 Table 10-20.
        selector = {SELECTOR_ATTRIBUTE: {"vr": "AT", "Value": [failed.attribute.upper()]}}
        item[FAILED_ATTRIBUTES_SEQUENCE] = {"vr": "SQ", "Value": [selector]}
    return item


def _reference(sop_class_uid: str | None, sop_uid: str | None) -> dict[str, Any]:
    """Return the SOP Instance Reference Macro with the UIDs that are known, bad ones as they were sent."""
    pairs = ((REFERENCED_SOP_CLASS_UID, sop_class_uid), (REFERENCED_SOP_INSTANCE_UID, sop_uid))
    return {
        tag: {"vr": "UI", "Value": [uid.encode("utf-8", "replace").decode("utf-8")]}
        for tag, uid in pairs
        if uid
    }
