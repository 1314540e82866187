"""Search: find studies, series and instances, and index the attributes of a site's own choice.

What is answered of each is made in search_answers.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from archive.dicomweb.attribute_names import path_of, vr_of
from archive.errors import InvalidRequest
from archive.index import search_attributes
from archive.index.engine import Database
from archive.index.search import SearchPage, search
from archive.index.search_attributes import SearchAttribute
from archive.index.search_columns import COLUMNS
from archive.model.keys import derived_key
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
