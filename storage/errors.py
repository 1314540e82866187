"""What goes wrong with objects.

StorageError
├── ObjectNotFound       no object has this key
├── ObjectDamaged        the bytes that came are not the bytes that were asked for
├── BadKey               the key breaks the grammar of keys
├── StoreFull            the disk or the quota is used up
└── StoreUnavailable     the store does not answer, or refuses us; the same call may succeed later
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of every error of an object store."""


class ObjectNotFound(StorageError):
    """No object has this key."""


class ObjectDamaged(StorageError):
    """The bytes that came are not the bytes that were asked for: too few, too many, or a wrong checksum."""


class BadKey(StorageError):
    """The key breaks the grammar of keys."""


class StoreFull(StorageError):
    """The disk or the quota is used up."""


class StoreUnavailable(StorageError):
    """The store does not answer, or refuses our credentials; the same call may succeed later."""
