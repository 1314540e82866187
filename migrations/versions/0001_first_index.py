"""The first index: studies, series, instances, and the tables that go with them."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

log = logging.getLogger(__name__)

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Text = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")
Moment = sa.DateTime(timezone=True)
GROWING = {"autovacuum_vacuum_insert_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02}
COUNTING = {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.05}
TRIGRAMS = {"gin_pending_list_limit": 256}


def upgrade() -> None:
    """Make every table, and the organisation that everything belongs to until there are others."""
    _studies()
    _series()
    _text_indexes()
    _instances()
    _deletions()
    _store_reports()
    _search_attributes()
    op.execute("INSERT INTO organisations (id, name) VALUES (1, 'default')")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('organisations', 'id'), 1)")


def _studies() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
        sa.UniqueConstraint("name", name="uq_organisations_name"),
    )
    op.create_table(
        "studies",
        sa.Column("id", BigId, nullable=False),
        sa.Column(
            "organisation_id",
            BigId,
            sa.ForeignKey("organisations.id", name="fk_studies_organisation_id"),
            nullable=False,
        ),
        sa.Column("study_uid", Text, nullable=False),
        sa.Column("study_date", Text, nullable=False, server_default=""),
        sa.Column("study_time", Text, nullable=False, server_default=""),
        sa.Column("accession_number", Text, nullable=False, server_default=""),
        sa.Column("study_id", Text, nullable=False, server_default=""),
        sa.Column("patient_id", Text, nullable=False, server_default=""),
        sa.Column("issuer_of_patient_id", Text, nullable=False, server_default=""),
        sa.Column("patient_birth_date", Text, nullable=False, server_default=""),
        sa.Column("patient_sex", Text, nullable=False, server_default=""),
        sa.Column("patient_name", Text, nullable=False, server_default=""),
        sa.Column("patient_name_ideographic", Text, nullable=False, server_default=""),
        sa.Column("patient_name_phonetic", Text, nullable=False, server_default=""),
        sa.Column("patient_name_words", Text, nullable=False, server_default=""),
        sa.Column("patient_name_order", Text, nullable=False, server_default=""),
        sa.Column("referring_physician_name", Text, nullable=False, server_default=""),
        sa.Column("referring_physician_name_ideographic", Text, nullable=False, server_default=""),
        sa.Column("referring_physician_name_phonetic", Text, nullable=False, server_default=""),
        sa.Column("referring_physician_name_words", Text, nullable=False, server_default=""),
        sa.Column("study_description", Text, nullable=False, server_default=""),
        sa.Column("patient_conflict", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("organisation_id", "study_uid", name="uq_studies_organisation_id_study_uid"),
        postgresql_with=GROWING,
        sqlite_autoincrement=True,
    )
    newest: list[Any] = [sa.desc("study_date"), sa.desc("study_time"), "study_uid"]
    op.create_index(
        "ix_studies_newest",
        "studies",
        ["organisation_id", *newest],
        postgresql_include=("id", *STUDY_NAMES, "patient_id", "accession_number"),
    )
    for column in ("patient_name_order", "patient_id", "accession_number", "study_description"):
        op.create_index(f"ix_studies_{column}", "studies", ["organisation_id", column, *newest])
    op.create_index("ix_studies_patient_name", "studies", ["organisation_id", "patient_name"])
    op.create_index("ix_studies_created_at", "studies", ["organisation_id", "created_at"])
    for column in ("patient_name_ideographic", "patient_name_phonetic"):
        filled = sa.text(f"{column} <> ''")
        op.create_index(
            f"ix_studies_{column}",
            "studies",
            ["organisation_id", column],
            postgresql_where=filled,
            sqlite_where=filled,
        )
    op.create_table(
        "study_state",
        sa.Column(
            "study_id",
            BigId,
            sa.ForeignKey("studies.id", ondelete="CASCADE", name="fk_study_state_study_id"),
            nullable=False,
        ),
        sa.Column("series", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("instances", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("study_id", name="pk_study_state"),
        postgresql_with=COUNTING,
    )
    op.create_table(
        "study_patients",
        sa.Column(
            "study_id",
            BigId,
            sa.ForeignKey("studies.id", ondelete="CASCADE", name="fk_study_patients_study_id"),
            nullable=False,
        ),
        sa.Column("patient_id", Text, nullable=False),
        sa.Column("issuer_of_patient_id", Text, nullable=False),
        sa.PrimaryKeyConstraint("study_id", "patient_id", "issuer_of_patient_id", name="pk_study_patients"),
    )
    op.create_index("ix_study_patients_patient_id", "study_patients", ["patient_id"])


def _series() -> None:
    op.create_table(
        "series",
        sa.Column("id", BigId, nullable=False),
        sa.Column("study_id", BigId, sa.ForeignKey("studies.id", name="fk_series_study_id"), nullable=False),
        sa.Column("series_uid", Text, nullable=False),
        sa.Column("series_number", sa.BigInteger, nullable=True),
        sa.Column("modality", Text, nullable=False, server_default=""),
        sa.Column("body_part_examined", Text, nullable=False, server_default=""),
        sa.Column("series_description", Text, nullable=False, server_default=""),
        sa.Column("pps_start_date", Text, nullable=False, server_default=""),
        sa.Column("pps_start_time", Text, nullable=False, server_default=""),
        sa.Column("request_ids", Text, nullable=False, server_default=""),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("study_id", "series_uid", name="uq_series_study_id_series_uid"),
        postgresql_with=GROWING,
        sqlite_autoincrement=True,
    )
    op.create_index("ix_series_modality", "series", ["modality", "study_id"])
    op.create_index("ix_series_series_uid", "series", ["series_uid"])
    op.create_table(
        "series_state",
        sa.Column(
            "series_id",
            BigId,
            sa.ForeignKey("series.id", ondelete="CASCADE", name="fk_series_state_series_id"),
            nullable=False,
        ),
        sa.Column("instances", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("series_id", name="pk_series_state"),
        postgresql_with=COUNTING,
    )


STUDY_NAMES = (
    "patient_name",
    "patient_name_ideographic",
    "patient_name_phonetic",
    "patient_name_words",
)
STUDY_TEXTS = (
    *STUDY_NAMES,
    "patient_id",
    "accession_number",
    "study_description",
    "study_id",
    "referring_physician_name",
    "referring_physician_name_ideographic",
    "referring_physician_name_phonetic",
    "referring_physician_name_words",
)
SERIES_TEXTS = ("series_description", "request_ids")


def _text_indexes() -> None:
    """Make the indexes for parts of text: trigrams, where the server has them and lets us."""
    if op.get_bind().dialect.name == "sqlite":
        order: list[Any] = [sa.desc("study_date"), sa.desc("study_time"), "study_uid"]
        op.create_index(
            "ix_studies_texts", "studies", ["organisation_id", *order, *STUDY_TEXTS, "patient_name_order"]
        )
        op.create_index(
            "ix_series_request_ids", "series", ["request_ids"], sqlite_where=sa.text("request_ids <> ''")
        )
    elif _trigrams():
        for table, columns in (("studies", STUDY_TEXTS), ("series", SERIES_TEXTS)):
            op.create_index(
                f"ix_{table}_trigrams",
                table,
                list(columns),
                postgresql_using="gin",
                postgresql_ops=dict.fromkeys(columns, "gin_trgm_ops"),
                postgresql_with=TRIGRAMS,
            )


def _trigrams() -> bool:
    try:
        with op.get_bind().begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except sa.exc.DBAPIError as error:
        log.warning("pg_trgm cannot be had, so searches inside names will be slower: %s", error.orig)
        return False
    return True


def _instances() -> None:
    op.create_table(
        "instances",
        sa.Column("id", BigId, nullable=False),
        sa.Column(
            "organisation_id",
            BigId,
            sa.ForeignKey("organisations.id", name="fk_instances_organisation_id"),
            nullable=False,
        ),
        sa.Column(
            "study_id", BigId, sa.ForeignKey("studies.id", name="fk_instances_study_id"), nullable=False
        ),
        sa.Column(
            "series_id", BigId, sa.ForeignKey("series.id", name="fk_instances_series_id"), nullable=False
        ),
        sa.Column("sop_uid", Text, nullable=False),
        sa.Column("sop_class_uid", Text, nullable=False),
        sa.Column("instance_number", sa.BigInteger, nullable=True),
        sa.Column("transfer_syntax_uid", Text, nullable=False),
        sa.Column("object_key", Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", Text, nullable=False),
        sa.Column("dataset_offset", sa.BigInteger, nullable=False),
        sa.Column("inflated", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("pixels", sa.LargeBinary, nullable=True),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sa.Column("stored_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
        sa.UniqueConstraint("organisation_id", "sop_uid", name="uq_instances_organisation_id_sop_uid"),
        postgresql_with=GROWING,
        sqlite_autoincrement=True,
    )
    op.create_index("ix_instances_series_id", "instances", ["series_id", "instance_number", "sop_uid"])
    op.create_index("ix_instances_sop_class_uid", "instances", ["sop_class_uid", "study_id"])
    op.create_index("ix_instances_study_id", "instances", ["study_id"])
    op.create_table(
        "instance_metadata",
        sa.Column(
            "instance_id",
            BigId,
            sa.ForeignKey("instances.id", ondelete="CASCADE", name="fk_instance_metadata_instance_id"),
            nullable=False,
        ),
        sa.Column("segments", sa.LargeBinary, nullable=True),
        sa.Column("reader_version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name="pk_instance_metadata"),
    )
    op.create_table(
        "instance_bulk",
        sa.Column(
            "instance_id",
            BigId,
            sa.ForeignKey("instances.id", ondelete="CASCADE", name="fk_instance_bulk_instance_id"),
            nullable=False,
        ),
        sa.Column("ranges", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name="pk_instance_bulk"),
    )
    op.create_table(
        "frame_blocks",
        sa.Column(
            "instance_id",
            BigId,
            sa.ForeignKey("instances.id", ondelete="CASCADE", name="fk_frame_blocks_instance_id"),
            nullable=False,
        ),
        sa.Column("first_frame", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("ranges", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "first_frame", name="pk_frame_blocks"),
    )


def _deletions() -> None:
    op.create_table(
        "retired_objects",
        sa.Column("object_key", Text, nullable=False),
        sa.Column(
            "organisation_id",
            BigId,
            sa.ForeignKey("organisations.id", name="fk_retired_objects_organisation_id"),
            nullable=False,
        ),
        sa.Column("study_uid", Text, nullable=False),
        sa.Column("series_uid", Text, nullable=False),
        sa.Column("sop_uid", Text, nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.Column("replaced_by", Text, nullable=False, server_default=""),
        sa.Column("marked", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("retired_at", Moment, nullable=False),
        sa.Column("remove_after", Moment, nullable=False),
        sa.PrimaryKeyConstraint("object_key", name="pk_retired_objects"),
    )
    op.create_index("ix_retired_objects_remove_after", "retired_objects", ["remove_after"])
    op.create_index("ix_retired_objects_marked", "retired_objects", ["marked"])
    op.create_table(
        "tombstones",
        sa.Column(
            "organisation_id",
            BigId,
            sa.ForeignKey("organisations.id", name="fk_tombstones_organisation_id"),
            nullable=False,
        ),
        sa.Column("study_uid", Text, nullable=False),
        sa.Column("series_uid", Text, nullable=False, server_default=""),
        sa.Column("sop_uid", Text, nullable=False, server_default=""),
        sa.Column("deleted_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint(
            "organisation_id", "study_uid", "series_uid", "sop_uid", name="pk_tombstones"
        ),
    )


def _store_reports() -> None:
    op.create_table(
        "store_reports",
        sa.Column(
            "organisation_id",
            BigId,
            sa.ForeignKey("organisations.id", name="fk_store_reports_organisation_id"),
            nullable=False,
        ),
        sa.Column("request_id", Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("report", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "request_id", name="pk_store_reports"),
    )
    op.create_index("ix_store_reports_created_at", "store_reports", ["created_at"])


def _search_attributes() -> None:
    op.create_table(
        "search_attributes",
        sa.Column("id", BigId, nullable=False),
        sa.Column("path", Text, nullable=False),
        sa.Column("vr", Text, nullable=False),
        sa.Column("ready", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_search_attributes"),
        sa.UniqueConstraint("path", name="uq_search_attributes_path"),
    )
    op.create_table(
        "search_values",
        sa.Column(
            "attribute_id",
            BigId,
            sa.ForeignKey("search_attributes.id", ondelete="CASCADE", name="fk_search_values_attribute_id"),
            nullable=False,
        ),
        sa.Column(
            "instance_id",
            BigId,
            sa.ForeignKey("instances.id", ondelete="CASCADE", name="fk_search_values_instance_id"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "attribute_id", "position", name="pk_search_values"),
    )
    op.create_index("ix_search_values_value", "search_values", ["attribute_id", "value"])
