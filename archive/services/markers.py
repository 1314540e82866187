"""Markers in the bucket: what was taken out of the index, so that a rebuilt index does not raise the dead."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from archive.index import retired
from archive.index.engine import Database
from archive.model.keys import marker_key
from archive.model.level import Place
from archive.model.principal import Principal
from storage.contract import ObjectStore
from storage.errors import StorageError

_log = logging.getLogger(__name__)


def write_deleted_marker(
    objects: ObjectStore, principal: Principal, place: Place, keys: Sequence[str]
) -> str:
    """Say durably that the objects at `keys`, all at a place, are deleted; return the marker's key."""
    return _write(objects, principal, place, "deleted", {"keys": list(keys)})


def mark_replaced(
    database: Database, objects: ObjectStore, who: str, *, limit: int, keys: Sequence[str] | None = None
) -> int:
    """Say durably of replaced objects (among `keys`, where given) by what; return how many were marked.

    The rows know which ones are not marked yet, so that what fails here, or is cut off, is made up for.
    """
    replaced = retired.unmarked(database, limit, keys)
    for each in replaced:
        content = {"keys": [each.object_key], "by": each.replaced_by}
        _write(objects, Principal(who, each.organisation), each.place, "replaced", content)
    if replaced:
        marked = [each.object_key for each in replaced]
        database.write(lambda connection: retired.set_marked(connection, marked))
    return len(replaced)


def take_back_marker(objects: ObjectStore, marker: str) -> None:
    """Remove the marker of something that did not happen, as far as the store answers."""
    try:
        objects.delete(marker)
    except StorageError as error:
        _log.error("left a marker of what did not happen: %s (%s); remove it", marker, error)


def _write(
    objects: ObjectStore, principal: Principal, place: Place, kind: str, content: dict[str, Any]
) -> str:
    record = {"kind": kind, "who": principal.name, "when": datetime.now(UTC).isoformat(), **content}
    body = orjson.dumps(record)
    key = marker_key(principal.organisation, place, kind)
    objects.put(key, io.BytesIO(body), len(body), hashlib.sha256(body).hexdigest())
    return key
