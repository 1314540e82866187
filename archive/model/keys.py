"""Object keys: the layout of the bucket, drawn once.

    <organisation>/<StudyUID>/<SeriesUID>/<SOPUID>/<ULID>-<sha256>.dcm        the bytes as received
    <organisation>/<StudyUID>/<SeriesUID>/<SOPUID>/<ULID>-<sha256>.inflated   a Deflated instance, inflated
    <organisation>/<StudyUID>/<SeriesUID>/<SOPUID>/<ULID>-<sha256>.metadata   its DICOM JSON, when large
    <organisation>/<StudyUID>[/<SeriesUID>[/<SOPUID>]]/<ULID>.deleted         markers: the keys that a
    <organisation>/<StudyUID>/<SeriesUID>/<SOPUID>/<ULID>.replaced            request took out of the index

A person can read a bucket, the bytes prove themselves, and no key is used twice: the ULID is new for every
attempt to store. No key is the beginning of another's folder.
"""

from __future__ import annotations

import re

from ulid import ULID

from archive.model.instance import Identity
from archive.model.level import Place
from archive.model.uid import is_uid

_ORGANISATION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def instance_stem(organisation: str, identity: Identity, sha256: str) -> str:
    """Return a new stem for an instance; the bytes are at `stem + ".dcm"`."""
    folder = _folder(organisation, identity.place)
    return f"{folder}/{ULID()}-{sha256}"


def marker_key(organisation: str, place: Place, kind: str) -> str:
    """Return a new key for a marker (`kind` is "deleted" or "replaced") at a place."""
    return f"{_folder(organisation, place)}/{ULID()}.{kind}"


def derived_key(object_key: str, kind: str) -> str:
    """Return the key of a derived object ("inflated" or "metadata") of the instance at `object_key`."""
    return f"{object_key.removesuffix('.dcm')}.{kind}"


def _folder(organisation: str, place: Place) -> str:
    if not _ORGANISATION.fullmatch(organisation):
        raise ValueError(f"not the short name of an organisation: {organisation!r}")
    uids = [uid for uid in (place.study_uid, place.series_uid, place.sop_uid) if uid is not None]
    for uid in uids:
        if not is_uid(uid):
            raise ValueError(f"not a UID: {uid!r}")
    return "/".join((organisation, *uids))
