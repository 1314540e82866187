"""The service over an index and an object store: metadata too long for the index is read from there."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import sqlalchemy as sa

from archive.dicomweb.search import parse_query
from archive.index import schema
from archive.index.engine import Database
from archive.model.keys import derived_key
from archive.model.level import Level, Place
from archive.model.principal import ANYONE
from archive.services.search import SearchService
from archive.services.search_answers import Answers
from archive.settings import Settings
from storage.open import open_store
from tests.search.corpus import fill, instance, pack


def test_metadata_in_a_derived_object(backend: Settings) -> None:
    database = Database(backend.database_url, pool=2, timeout=10)
    store = open_store(backend.storage_url, connections=2, timeout=10)
    corpus = [instance(n, SliceThickness=n, PatientID="A") for n in (1, 2)]
    fill(database, corpus)
    with database.engine.begin() as connection:
        rows = connection.execute(sa.select(schema.instances).order_by(schema.instances.c.sop_uid)).all()
        connection.execute(sa.update(schema.instance_metadata).values(segments=None))
    for row, each in zip(rows, corpus, strict=True):
        body = pack(each)
        digest = hashlib.sha256(body).hexdigest()
        store.put(derived_key(row.object_key, "metadata"), BytesIO(body), len(body), digest)
    service = SearchService(database, backend, store)

    def found(*parameters: tuple[str, str]) -> list[dict[str, Any]]:
        query = parse_query(Level.STUDY, Place(), parameters, default_limit=9, max_limit=9)
        page = service.search(ANYONE, query)
        return [Answers(query, "http://x").dataset(each) for each in page.results]

    thickness = ("SliceThickness", "2")
    (only,) = found(thickness)
    assert only["00180050"] == {"vr": "DS", "Value": [2]}
    service.attributes.add("SliceThickness")
    while service.fill_attributes():
        pass
    assert found(thickness) == [only]
    assert [each["00180050"]["Value"] for each in found(("includefield", "SliceThickness"))] == [[1], [2]]
    store.close()
    database.close()
