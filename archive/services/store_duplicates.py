"""Tell whether an instance that arrives is one that is here already.

The same instance has the same transfer syntax and data set bytes; the preamble and group 0002 may differ,
because senders write their own name there (PS3.10 7.1). Equal files are found by their hash; the rest is
compared with the stored bytes, which is rare.
"""

from __future__ import annotations

from typing import Protocol

from archive.model.instance import StoredInstance
from archive.model.keys import derived_key
from archive.services.store_objects import Incoming
from storage.contract import ObjectStore
from storage.errors import ObjectNotFound

_BLOCK = 2**18


class Kept(Protocol):
    """What is known of an instance whose object is in the store."""

    @property
    def object_key(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...
    @property
    def dataset_offset(self) -> int: ...


def is_whole(objects: ObjectStore, stored: StoredInstance, incoming: Incoming) -> bool:
    """Tell whether the object of an instance is in the store with the length it had, and what is derived.

    `incoming` tells whether the metadata would be an object of their own.
    """
    derived = [stored.inflated_key] if stored.inflated_key is not None else []
    if incoming.metadata_apart:
        derived.append(derived_key(stored.object_key, "metadata"))
    try:
        for key in derived:
            objects.size(key)
        return objects.size(stored.object_key) == stored.size
    except ObjectNotFound:
        return False


def is_same(objects: ObjectStore, stored: Kept, incoming: Incoming) -> bool:
    """Tell whether the two have the same transfer syntax and data set bytes."""
    if stored.sha256 == incoming.staged.sha256:
        return True
    reading = incoming.reading
    length = stored.size - stored.dataset_offset
    if (
        stored.transfer_syntax_uid != reading.transfer_syntax_uid
        or length != incoming.staged.size - reading.dataset_offset
    ):
        return False
    position = reading.dataset_offset
    with objects.open(stored.object_key, stored.dataset_offset, length) as theirs:
        while block := theirs.read(_BLOCK):
            if incoming.staged.read_at(position, len(block)) != block:
                return False
            position += len(block)
    return True
