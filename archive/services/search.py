"""Search: find studies, series and instances, and answer with what PS3.18 10.6.3 asks for.

Owns the answer's attributes at each level, and the attributes that a site indexes of its own choice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from archive.dicomweb.attribute_names import path_of, vr_of
from archive.dicomweb.uris import place_url
from archive.errors import InvalidRequest
from archive.index import search_attributes
from archive.index.engine import Database
from archive.index.search import SearchPage, search
from archive.index.search_attributes import SearchAttribute
from archive.index.search_columns import COLUMNS
from archive.index.search_results import SOP_CLASSES_IN_STUDY, Result
from archive.model.attributes import INDEX_ATTRIBUTES
from archive.model.instance import Element
from archive.model.keys import derived_key
from archive.model.level import Level, Place
from archive.model.principal import Principal
from archive.model.query import Query
from archive.settings import Settings
from storage.contract import ObjectStore

_log = logging.getLogger(__name__)
_BATCH = 500


class SearchService:
    """Searches, and the attributes that a site indexes."""

    def __init__(self, database: Database, settings: Settings, store: ObjectStore) -> None:
        self._database = database
        self._settings = settings
        self._store = store
        self.attributes = AttributesService(database, self._read_metadata)

    def search(self, principal: Principal, query: Query) -> SearchPage:
        """Return a page of what the caller may see and the query asks for."""
        return search(
            self._database,
            principal,
            query,
            scan_limit=self._settings.scan_limit,
            read_metadata=self._read_metadata,
        )

    def fill_attributes(self) -> bool:
        """Index one batch of instances for an attribute that is not ready; return whether there was one."""
        return self.attributes.fill()

    def _read_metadata(self, object_key: str) -> bytes:
        return self._store.read(derived_key(object_key, "metadata"))


class AttributesService:
    """The attributes that a site indexes beside those of every archive."""

    def __init__(self, database: Database, read_metadata: Callable[[str], bytes]) -> None:
        self._database = database
        self._read_metadata = read_metadata
        self._last: dict[int, int] = {}  # attribute id: last instance filled; lost is begun again

    def list(self) -> tuple[SearchAttribute, ...]:
        """Return the attributes, in the order in which they were added."""
        with self._database.read() as connection:
            return search_attributes.known(connection)

    def add(self, name: str, vr: str | None = None) -> SearchAttribute:
        """Begin to index an attribute; a worker fills it in the background.

        `name` is a keyword, 8 hex digits, or a dotted path; `vr` is needed for private attributes that are
        names, dates or numbers. Raise InvalidRequest for what is none or needs no index, Conflict for what
        is indexed already.
        """
        path = path_of(name)
        if path is None:
            raise InvalidRequest(f"{name} is no attribute", where="attribute")
        if len(path) == 1 and path[0] in COLUMNS:
            raise InvalidRequest(f"{name} is indexed in every archive", where="attribute")
        chosen = (vr or vr_of(path[-1])).upper()
        if chosen in {"SQ", "OB", "OD", "OF", "OL", "OV", "OW"}:
            raise InvalidRequest(f"{name} has no values that can be matched", where="attribute")
        return search_attributes.add(self._database, path, chosen)

    def remove(self, name: str) -> None:
        """Stop indexing an attribute; raise NotFound where it is not indexed."""
        search_attributes.remove(self._database, path_of(name) or (name,))

    def fill(self) -> bool:
        """Index one batch of instances; return whether an attribute was not ready."""
        attribute = next((each for each in self.list() if not each.ready), None)
        if attribute is None:
            return False
        after = self._last.get(attribute.id, 0)
        last = search_attributes.fill(self._database, attribute, after, _BATCH, self._read_metadata)
        if last is None:
            self._last.pop(attribute.id, None)
            _log.info("attribute %s is indexed", ".".join(attribute.path))
        else:
            self._last[attribute.id] = last
        return True


def to_dicom_json(result: Result, query: Query, base_url: str) -> dict[str, Element]:
    """Return the answer for one result in the DICOM JSON model, its tags in ascending order.

    Its required attributes are there even when empty (PS3.18 Tables 10.6.3-3 to 10.6.3-5): those of the
    query's level, and of the levels above that the path does not name. Beside them stands what was matched
    on or included, as far as it is known.
    """
    levels = _levels(query)
    asked = {path[0] for path in (*query.include, *(key.path for key in query.keys))}
    own = result.study | result.series | result.instance
    answer: dict[str, Element] = {"00080005": _element("CS", ["ISO_IR 192"])}
    for attribute in INDEX_ATTRIBUTES:
        wanted = attribute.required or query.include_all
        if attribute.tag in _IF_PRESENT:
            wanted = wanted or "Value" in own.get(attribute.tag, {})
        shown = attribute.level <= query.level and (
            attribute.tag in asked or (attribute.level in levels and wanted)
        )
        if shown:
            answer[attribute.tag] = own.get(attribute.tag) or {"vr": attribute.vr}
    answer |= result.extra
    for tag, (level, vr, values) in _computed(result, base_url).items():
        if tag in asked or (level in levels and (tag not in _ON_REQUEST or query.include_all)):
            answer[tag] = _element(vr, values)
    answer |= _uids(result)
    return dict(sorted(answer.items()))


_TRANSFER_SYNTAX = "00083002"
# TimezoneOffsetFromUTC; NumberOfFrames, Rows, Columns and BitsAllocated of images
_IF_PRESENT = frozenset({"00080201", "00280008", "00280010", "00280011", "00280100"})
_ON_REQUEST = frozenset({SOP_CLASSES_IN_STUDY, _TRANSFER_SYNTAX})


def _levels(query: Query) -> set[Level]:
    """Return the levels whose required attributes an answer has."""
    named = {
        Level.STUDY: query.place.study_uid is not None,
        Level.SERIES: query.place.series_uid is not None,
    }
    return {level for level in Level if level is query.level or (level < query.level and not named[level])}


def _computed(result: Result, base_url: str) -> dict[str, tuple[Level, str, Iterable[Any]]]:
    """Return what the index computes, each with the level at which it is returned."""
    place = Place(result.study_uid, result.series_uid, result.sop_uid)
    level = place.level
    computed: dict[str, tuple[Level, str, Iterable[Any]]] = {
        "00080056": (level, "CS", ["ONLINE"]),
        "00080061": (Level.STUDY, "CS", result.modalities),
        "00081190": (level, "UR", [place_url(base_url, place)]),
        "00201206": (Level.STUDY, "IS", [result.study_series]),
        "00201208": (Level.STUDY, "IS", [result.study_instances]),
    }
    if result.sop_classes:
        computed[SOP_CLASSES_IN_STUDY] = (Level.STUDY, "UI", result.sop_classes)
    if level >= Level.SERIES:
        computed["00201209"] = (Level.SERIES, "IS", [result.series_instances])
    if result.transfer_syntax_uid:
        computed[_TRANSFER_SYNTAX] = (Level.INSTANCE, "UI", [result.transfer_syntax_uid])
    return computed


def _uids(result: Result) -> dict[str, Element]:
    uids = (
        ("0020000D", result.study_uid),
        ("0020000E", result.series_uid),
        ("00080018", result.sop_uid),
    )
    return {tag: _element("UI", [uid]) for tag, uid in uids if uid is not None}


def _element(vr: str, values: Iterable[Any]) -> Element:
    listed = list(values)
    return {"vr": vr, "Value": listed} if listed else {"vr": vr}
