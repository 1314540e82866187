"""The tables of the index. migrations/ builds the same; a test compares the two.

studies ─< series ─< instances ─< instance_metadata, instance_bulk, frame_blocks
   │          └ series_state          retired_objects (bytes no longer live), tombstones (410)
   ├ study_state                      store_reports
   └< study_patients                  search_attributes ─< search_values

Text is compared byte by byte on both back ends (collation C, BINARY). Columns that are sorted or matched are
never NULL: an absent value is the empty string. Wide rows are written once; what each request changes
(counts, revisions) stands in the narrow state tables.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Text = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")
Bytes = sa.LargeBinary()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _parent(name: str, parent: str) -> sa.Column[int]:
    # No cascade: taking away a study or a series that has instances must fail, never take them along.
    return sa.Column(name, BigId, sa.ForeignKey(f"{parent}.id"), nullable=False)


GROWING = {"autovacuum_vacuum_insert_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02}
"""For PostgreSQL, of tables that grow: rows just stored are looked for most, and until their pages are known
as visible to all, no index alone answers for them."""
COUNTING = {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.05}
"""Of tables whose rows change with every request: there is room for a new version beside the old one."""
TRIGRAMS = {"gin_pending_list_limit": 256}
"""kB of entries that wait to be sorted into an index of trigrams: every search reads through them, and the
store that finds the list full sorts them in. It is 4 MB by default."""

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
"""The columns of `studies` that are searched for parts of text."""


organisations = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("name", Text, nullable=False, unique=True),
)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("organisation_id", BigId, sa.ForeignKey("organisations.id"), nullable=False),
    sa.Column("study_uid", Text, nullable=False),
    _text("study_date"),  # YYYYMMDD, or empty
    _text("study_time"),  # HHMMSS.ffffff, or empty
    _text("accession_number"),
    _text("study_id"),
    _text("patient_id"),
    _text("issuer_of_patient_id"),
    _text("patient_birth_date"),
    _text("patient_sex"),
    # A name is kept folded for matching: one column a component group, and the words of all of them.
    _text("patient_name"),
    _text("patient_name_ideographic"),
    _text("patient_name_phonetic"),
    _text("patient_name_words"),
    _text("patient_name_order"),  # the beginning of the name as names are sorted
    _text("referring_physician_name"),
    _text("referring_physician_name_ideographic"),
    _text("referring_physician_name_phonetic"),
    _text("referring_physician_name_words"),
    _text("study_description"),  # folded
    sa.Column("patient_conflict", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("attributes", Bytes, nullable=False),  # DICOM JSON of the study level, UTF-8
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.UniqueConstraint("organisation_id", "study_uid"),
    # What many studies match is looked for in the order of results, and the index has all that takes.
    sa.Index(
        "ix_studies_newest",
        "organisation_id",
        sa.desc("study_date"),
        sa.desc("study_time"),
        "study_uid",
        postgresql_include=("id", *STUDY_NAMES, "patient_id", "accession_number"),
    ),
    # To match on, and to sort by: the newest come first among equal ones.
    *(
        sa.Index(
            f"ix_studies_{column}",
            "organisation_id",
            column,
            sa.desc("study_date"),
            sa.desc("study_time"),
            "study_uid",
        )
        for column in ("patient_name_order", "patient_id", "accession_number", "study_description")
    ),
    sa.Index("ix_studies_patient_name", "organisation_id", "patient_name"),
    sa.Index("ix_studies_created_at", "organisation_id", "created_at"),
    *(
        # Few names have these groups, so the indexes are small.
        sa.Index(
            f"ix_studies_patient_name_{group}",
            "organisation_id",
            f"patient_name_{group}",
            postgresql_where=sa.text(f"patient_name_{group} <> ''"),
            sqlite_where=sa.text(f"patient_name_{group} <> ''"),
        )
        for group in ("ideographic", "phonetic")
    ),
    # Parts of text: trigrams on PostgreSQL; on SQLite a narrow index read through in the order of results.
    sa.Index(
        "ix_studies_trigrams",
        *STUDY_TEXTS,
        postgresql_using="gin",
        postgresql_ops=dict.fromkeys(STUDY_TEXTS, "gin_trgm_ops"),
        postgresql_with=TRIGRAMS,
    ).ddl_if(dialect="postgresql"),
    sa.Index(
        "ix_studies_texts",
        "organisation_id",
        sa.desc("study_date"),
        sa.desc("study_time"),
        "study_uid",
        *STUDY_TEXTS,
        "patient_name_order",
    ).ddl_if(dialect="sqlite"),
    postgresql_with=GROWING,
    sqlite_autoincrement=True,  # a row id is never used again: lists of ids outlive transactions
)

study_state = sa.Table(
    "study_state",
    metadata,
    sa.Column("study_id", BigId, sa.ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    _number("series"),
    _number("instances"),
    _number("bytes"),  # of the live objects
    _number("revision"),
    postgresql_with=COUNTING,
)

study_patients = sa.Table(
    "study_patients",
    metadata,
    # Identities of a study beside the one in its row: a later instance named another patient (B007).
    sa.Column("study_id", BigId, sa.ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    sa.Column("patient_id", Text, nullable=False),
    sa.Column("issuer_of_patient_id", Text, nullable=False),
    sa.PrimaryKeyConstraint("study_id", "patient_id", "issuer_of_patient_id"),
    sa.Index("ix_study_patients_patient_id", "patient_id"),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    _parent("study_id", "studies"),
    sa.Column("series_uid", Text, nullable=False),
    sa.Column("series_number", sa.BigInteger),
    _text("modality"),
    _text("body_part_examined"),
    _text("series_description"),  # folded
    _text("pps_start_date"),
    _text("pps_start_time"),
    _text("request_ids"),  # archive/index/folding.py: the items of RequestAttributesSequence
    sa.Column("attributes", Bytes, nullable=False),  # DICOM JSON of the series level, UTF-8
    sa.UniqueConstraint("study_id", "series_uid"),
    sa.Index("ix_series_series_uid", "series_uid"),
    sa.Index("ix_series_modality", "modality", "study_id"),
    sa.Index(
        "ix_series_trigrams",
        "series_description",
        "request_ids",
        postgresql_using="gin",
        postgresql_ops={"series_description": "gin_trgm_ops", "request_ids": "gin_trgm_ops"},
        postgresql_with=TRIGRAMS,
    ).ddl_if(dialect="postgresql"),
    sa.Index(
        "ix_series_request_ids",
        "request_ids",
        sqlite_where=sa.text("request_ids <> ''"),
    ).ddl_if(dialect="sqlite"),
    postgresql_with=GROWING,
    sqlite_autoincrement=True,  # a row id is never used again: lists of ids outlive transactions
)

series_state = sa.Table(
    "series_state",
    metadata,
    sa.Column("series_id", BigId, sa.ForeignKey("series.id", ondelete="CASCADE"), primary_key=True),
    _number("instances"),
    _number("revision"),
    postgresql_with=COUNTING,
)

instances = sa.Table(
    "instances",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("organisation_id", BigId, sa.ForeignKey("organisations.id"), nullable=False),
    _parent("study_id", "studies"),
    _parent("series_id", "series"),
    sa.Column("sop_uid", Text, nullable=False),
    sa.Column("sop_class_uid", Text, nullable=False),
    sa.Column("instance_number", sa.BigInteger),
    sa.Column("transfer_syntax_uid", Text, nullable=False),
    # Different in each row, for it holds the UIDs; an index of it alone would be a tenth of the whole index.
    sa.Column("object_key", Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", Text, nullable=False),
    sa.Column("dataset_offset", sa.BigInteger, nullable=False),
    sa.Column("inflated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("pixels", Bytes),  # JSON of archive.model.instance.Pixels
    sa.Column("attributes", Bytes, nullable=False),  # DICOM JSON of the instance level, UTF-8
    sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
    sa.UniqueConstraint("organisation_id", "sop_uid"),
    sa.Index("ix_instances_series_id", "series_id", "instance_number", "sop_uid"),
    sa.Index("ix_instances_study_id", "study_id"),
    sa.Index("ix_instances_sop_class_uid", "sop_class_uid", "study_id"),
    postgresql_with=GROWING,
    sqlite_autoincrement=True,  # a row id is never used again: lists of ids outlive transactions
)


def _instance_key() -> sa.Column[int]:
    return sa.Column("instance_id", BigId, sa.ForeignKey("instances.id", ondelete="CASCADE"), nullable=False)


instance_metadata = sa.Table(
    "instance_metadata",
    metadata,
    _instance_key(),
    sa.Column("segments", Bytes),  # archive/dicom/segments.py; NULL: in the derived object
    sa.Column("reader_version", sa.Integer, nullable=False),
    sa.PrimaryKeyConstraint("instance_id"),
)

instance_bulk = sa.Table(
    "instance_bulk",
    metadata,
    _instance_key(),
    sa.Column("ranges", Bytes, nullable=False),  # deflated JSON of archive.model.instance.BulkValue
    sa.PrimaryKeyConstraint("instance_id"),
)

frame_blocks = sa.Table(
    "frame_blocks",
    metadata,
    _instance_key(),
    sa.Column("first_frame", sa.Integer, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("ranges", Bytes, nullable=False),  # archive.model.instance.FrameBlock
    sa.PrimaryKeyConstraint("instance_id", "first_frame"),
)

retired_objects = sa.Table(
    "retired_objects",
    metadata,
    # Bytes that are no longer live: deleted, or replaced by a newer version. Kept until `remove_after`.
    sa.Column("object_key", Text, primary_key=True),
    sa.Column("organisation_id", BigId, sa.ForeignKey("organisations.id"), nullable=False),
    sa.Column("study_uid", Text, nullable=False),
    sa.Column("series_uid", Text, nullable=False),
    sa.Column("sop_uid", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),  # deleted, replaced
    sa.Column("replaced_by", Text, nullable=False, server_default=""),  # key of the newer version
    # Whether the bucket says so too; bytes go after that only.
    sa.Column("marked", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("retired_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("remove_after", sa.DateTime(timezone=True), nullable=False),
    sa.Index("ix_retired_objects_remove_after", "remove_after"),
    sa.Index("ix_retired_objects_marked", "marked"),
)

tombstones = sa.Table(
    "tombstones",
    metadata,
    # What was deleted, at the level it was deleted at; lower UIDs are empty. No patient data.
    sa.Column("organisation_id", BigId, sa.ForeignKey("organisations.id"), nullable=False),
    sa.Column("study_uid", Text, nullable=False),
    sa.Column("series_uid", Text, nullable=False, server_default=""),
    sa.Column("sop_uid", Text, nullable=False, server_default=""),
    sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint("organisation_id", "study_uid", "series_uid", "sop_uid"),
)

store_reports = sa.Table(
    "store_reports",
    metadata,
    # All the warnings and failures of a store request; the Warning header holds the first ones only.
    sa.Column("organisation_id", BigId, sa.ForeignKey("organisations.id"), nullable=False),
    sa.Column("request_id", Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("report", Bytes, nullable=False),  # deflated JSON
    sa.PrimaryKeyConstraint("organisation_id", "request_id"),
    sa.Index("ix_store_reports_created_at", "created_at"),
)

search_attributes = sa.Table(
    "search_attributes",
    metadata,
    # Attributes that a site chose to index (`filmroom attributes add`). The path joins tags with dots.
    sa.Column("id", BigId, primary_key=True),
    sa.Column("path", Text, nullable=False, unique=True),
    sa.Column("vr", Text, nullable=False),
    sa.Column("ready", sa.Boolean, nullable=False, server_default=sa.false()),
)

search_values = sa.Table(
    "search_values",
    metadata,
    sa.Column(
        "attribute_id", BigId, sa.ForeignKey("search_attributes.id", ondelete="CASCADE"), nullable=False
    ),
    _instance_key(),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("value", Text, nullable=False),
    # The instance first, so that deleting one finds its values.
    sa.PrimaryKeyConstraint("instance_id", "attribute_id", "position"),
    sa.Index("ix_search_values_value", "attribute_id", "value"),
)
