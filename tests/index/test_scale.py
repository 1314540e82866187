"""The program of `make scale` at a small size: it loads, asks, explains, stores and finds nothing wrong."""

from __future__ import annotations

import pytest

from bench import scale, scale_stores
from bench.scale_report import growth, report
from tests.services.postgresql import PostgreSQL

_STUDIES, _INSTANCES = 200, 1_500


def test_a_small_index_is_measured(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_stores, "REPEATED", 1)
    monkeypatch.setattr(scale, "WORKERS", 1)
    with scale.index(postgresql, _STUDIES, _INSTANCES, keep=False) as (url, size):
        scale.measure(postgresql, url, size, seconds=0.01)
    assert size.instances > _INSTANCES * 0.8
    assert [(each.what, each.wrong) for each in (*size.questions, *size.stores) if each.bad] == []
    assert not size.failed
    assert set(size.plans) == {each.what for each in size.questions}
    assert all("studies" in "".join(lines) for lines in size.plans.values())
    sizes = {each.what: each.bytes for each in size.sizes}
    assert sizes["uq_instances_organisation_id_sop_uid"] > 0
    text = report(size) + growth([size, size])
    assert "No large table is read from end to end." in text
    assert "8 clients" in text
