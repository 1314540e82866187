"""STOW bodies of metadata and bulk data parts: JSON or XML first, then bytes by Content-Location (10.5.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from archive.dicom.xml import xml_to_dataset
from archive.dicomweb.headers import MediaType
from archive.dicomweb.media_types import JSON, OCTET_STREAM, XML
from archive.dicomweb.multipart import Data, Event, PartBegin, PartEnd
from archive.dicomweb.store import BodyKind
from archive.errors import InvalidRequest
from archive.services.store_metadata import SeparateParts
from archive.services.store_session import StoreSession


def take_separate_parts(session: StoreSession, kind: BodyKind, events: Iterable[Event], base: str) -> None:
    """Read the parts, then build and add every instance that the metadata describe."""
    expected = JSON if kind is BodyKind.JSON_MULTIPART else XML
    with SeparateParts(session, base) as parts:
        metadata = list(_read(parts, expected, events))
        if not metadata:
            raise InvalidRequest(f"no part of the body is {expected}", where="body")
        for text in metadata:
            for dataset in _datasets(expected, text):
                parts.build(dataset)


def _read(parts: SeparateParts, expected: str, events: Iterable[Event]) -> Iterator[bytes]:
    """Give the metadata texts; bulk data parts are staged on the way."""
    text: bytearray | None = None
    staged = None
    for event in events:
        if isinstance(event, PartBegin):
            media = _media_type(event)
            if media.name == expected:
                text, staged = bytearray(), None
            else:
                location = event.headers.get("content-location", "")
                text, staged = None, parts.stage(location, media.name, media.get("transfer-syntax"))
        elif isinstance(event, Data):
            if text is not None:
                parts.count_metadata(len(event.data))
                text += event.data
            elif staged is not None:
                staged.write(event.data)
        elif isinstance(event, PartEnd) and text is not None:
            yield bytes(text)


def _media_type(part: PartBegin) -> MediaType:
    try:
        return MediaType.parse(part.headers.get("content-type", OCTET_STREAM))
    except InvalidRequest:
        raise InvalidRequest("a part's Content-Type is not a media type", where="Content-Type") from None


def _datasets(media_type: str, text: bytes) -> list[dict[str, Any]]:
    if media_type == XML:
        return [xml_to_dataset(text)]
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the metadata are not JSON: {error}", where="body") from error
    datasets = found if isinstance(found, list) else [found]
    if not datasets or not all(isinstance(dataset, dict) for dataset in datasets):
        raise InvalidRequest("the metadata are not an array of data sets (PS3.18 F.2)", where="body")
    return datasets
