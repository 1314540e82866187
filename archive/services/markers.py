"""Markers in the bucket: what was taken out of the index, so that a rebuilt index does not raise the dead."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from archive.model.instance import Identity
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


def write_replaced_marker(
    objects: ObjectStore, principal: Principal, identity: Identity, *, old_key: str, new_key: str
) -> None:
    """Say durably that the object at `old_key` was replaced by the one at `new_key`."""
    place = Place(identity.study_uid, identity.series_uid, identity.sop_uid)
    _write(objects, principal, place, "replaced", {"keys": [old_key], "by": new_key})


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
