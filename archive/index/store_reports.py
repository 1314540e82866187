"""What is to be told of a store request beyond what fits into a Warning header."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from archive.errors import NotFound
from archive.index.dialect import insert as insert_into
from archive.index.engine import Database
from archive.index.organisations import organisation_id
from archive.index.schema import store_reports
from archive.model.principal import Principal

Report = list[dict[str, str | int]]


def insert(connection: Connection, principal: Principal, request_id: str, report: Report) -> None:
    """Keep a report; nothing is kept where there is nothing to tell or nobody to ask."""
    if not report or not request_id:
        return
    statement = insert_into(connection, store_reports)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "request_id"], set_={"report": statement.excluded.report}
        ),
        {
            "request_id": request_id,
            "organisation_id": organisation_id(connection, principal.organisation),
            "created_at": datetime.now(UTC),
            "report": zlib.compress(orjson.dumps(report)),
        },
    )


def find(database: Database, principal: Principal, request_id: str) -> Report:
    """Return the report of a request; raise NotFound."""
    with database.read() as connection:
        packed = connection.scalar(
            sa.select(store_reports.c.report).where(
                store_reports.c.request_id == request_id,
                store_reports.c.organisation_id == organisation_id(connection, principal.organisation),
            )
        )
    if packed is None:
        raise NotFound(f"nothing is kept of request {request_id}")
    report: Report = orjson.loads(zlib.decompress(packed))
    return report


def forget(connection: Connection, older_than: timedelta) -> None:
    """Remove old reports."""
    connection.execute(
        sa.delete(store_reports).where(store_reports.c.created_at < datetime.now(UTC) - older_than)
    )
