"""Rows of many studies, written straight into the index: what a hospital's archive holds after some years.

No objects stand behind them and no rows of instances: searches for studies look at neither.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from archive.index import folding, schema
from archive.index.engine import Database
from archive.model.attributes import SERIES_ATTRIBUTES, STUDY_ATTRIBUTES

_BATCH = 2_000
_FAMILIES = """
    Smith Jones Müller Nguyen García Rossi Kowalski Andersson Demir Papadopoulos Novák Silva Dubois Ivanova
    Tanaka Kim Okafor Hamilton Miller Milani O'Connor Van_den_Berg Schmidt Fernández Nowak Jansen Larsen
    """.split()  # noqa: SIM905 a list of them reads worse
_GIVEN = """
    Anna John María Hans Yuki Ngozi Emil Milena Olga Pierre Giulia Lars Elif Tomáš Inês Chloé Ivan Min
    """.split()  # noqa: SIM905 as above
_STUDIES = (
    ("CT", "CT Head without contrast"),
    ("CT", "CT Abdomen/Pelvis with IV contrast"),
    ("CT", "CT Chest low dose"),
    ("MR", "MRI Brain with and without contrast"),
    ("MR", "MRI Knee left"),
    ("DX", "Chest PA and lateral"),
    ("DX", "Hand right 2 views"),
    ("US", "US Abdomen complete"),
    ("MG", "Screening mammography bilateral"),
    ("NM", "Bone scan whole body"),
    ("XA", "Coronary angiography"),
)  # fmt: skip
_WEIGHTS = (14, 10, 8, 10, 5, 25, 8, 10, 6, 3, 1)
_FIRST = datetime(2018, 1, 1, 7, tzinfo=UTC)
_DAYS = 3000


def fill(database: Database, number: int) -> None:
    """Write `number` studies with one to three series each."""
    chance = random.Random(number)  # noqa: S311 the same crowd each time, no secret
    for start in range(0, number, _BATCH):
        studies = list(_studies(chance, start, min(start + _BATCH, number), number))
        with (
            database.engine.connect().execution_options(filmroom_write=True) as connection,
            connection.begin(),
        ):
            connection.execute(sa.insert(schema.studies), [row for row, _ in studies])
            first = studies[0][0]["id"]
            state = [
                {
                    "study_id": first + i,
                    "series": len(many),
                    "instances": 40 * len(many),
                    "bytes": 21e6,
                    "revision": 1,
                }
                for i, (_, many) in enumerate(studies)
            ]
            connection.execute(sa.insert(schema.study_state), state)
            rows = [series for _, many in studies for series in many]
            connection.execute(sa.insert(schema.series), rows)


def _studies(
    chance: random.Random, start: int, end: int, number: int
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    for n in range(start, end):
        when = _FIRST + timedelta(days=_DAYS * n / number, minutes=chance.randrange(600))
        patient = chance.randrange(number // 3 + 1)
        own = random.Random(patient)  # noqa: S311 the same patient has the same name
        name = f"{own.choice(_FAMILIES)}^{own.choice(_GIVEN)}^{chr(65 + own.randrange(26))}"
        modality, description = chance.choices(_STUDIES, _WEIGHTS)[0]
        attributes = {
            "00080020": f"{when:%Y%m%d}",
            "00080030": f"{when:%H%M%S}",
            "00080050": f"RIS{n:08}" if n % 10 else "",
            "00080090": {"Alphabetic": f"{chance.choice(_FAMILIES)}^{chance.choice(_GIVEN)}"},
            "00081030": description,
            "00100010": {"Alphabetic": name},
            "00100020": f"{1_000_000 + patient * 7}",
            "00100030": f"{1930 + own.randrange(90)}{own.randrange(1, 13):02}{own.randrange(1, 29):02}",
            "00100040": own.choice("FM"),
            "0020000D": f"1.2.826.0.1.3680043.8.498.{n + 10**24}",
            "00200010": str(n),
            "00321060": description.upper(),
        }
        study = _row(attributes, {a.tag: a.vr for a in STUDY_ATTRIBUTES})
        row = {
            "id": n + 1,
            "organisation_id": 1,
            "study_uid": attributes["0020000D"],
            "attributes": orjson.dumps(study),
            "created_at": when,
            **folding.study_columns(study),
        }
        series = [
            _series(n, m, "SR" if m == 2 else modality, description)
            for m in range(chance.choice((1, 1, 2, 3)))
        ]
        yield row, series


def _series(study: int, number: int, modality: str, description: str) -> dict[str, Any]:
    uid = f"1.2.826.0.1.3680043.8.498.{study + 10**24}.{number}"
    attributes = {
        "00080060": modality,
        "0008103E": f"{description} {number}",
        "0020000E": uid,
        "00200011": number,
    }
    series = _row(attributes, {a.tag: a.vr for a in SERIES_ATTRIBUTES})
    return {
        "study_id": study + 1,
        "series_uid": uid,
        "attributes": orjson.dumps(series),
        **folding.series_columns(series),
    }


def _row(attributes: dict[str, Any], vrs: dict[str, str]) -> dict[str, Any]:
    return {
        tag: {"vr": vrs[tag], "Value": [value]} if value not in ("",) else {"vr": vrs[tag]}
        for tag, value in attributes.items()
    }
