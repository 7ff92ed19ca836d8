"""UUIDs are UUIDs on MariaDB

MariaDB has a type for them from 10.7 on; PostgreSQL's was used from the beginning, and elsewhere
CHAR(32) stays what it is. Keys must have one type on both sides, so the foreign keys are taken away
and made again. A key that is no UUID, or one that MariaDB refuses (error 1292: its version is 8 or
higher and it is not of the variant of RFC 9562), stops the upgrade before anything is changed.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23 09:17:40
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# --- by hand: parents before children ---
KEYS = (
    ("services", "service_id"),
    ("job_sets", "job_set_id"),
    ("jobs", "job_id"),
    ("jobs", "service_id"),
    ("jobs", "job_set_id"),
)
# --- end ---


def upgrade() -> None:
    # --- by hand: only where the server has the type; a script is for a server that has it ---
    dialect = op.get_context().dialect
    version = getattr(dialect, "server_version_info", None)
    if not getattr(dialect, "is_mariadb", False) or (version and version < (10, 7)):
        return
    # Strict, for a server that is not would make nothing of what it cannot read.
    op.execute(
        "SET STATEMENT sql_mode = 'STRICT_ALL_TABLES' FOR"
        " CREATE TEMPORARY TABLE topchef_keys (topchef_key UUID) "
        + " UNION ALL ".join(f"SELECT {key} AS topchef_key FROM {table}" for table, key in KEYS)
    )
    op.execute("DROP TEMPORARY TABLE topchef_keys")
    op.drop_constraint("fk_jobs_service_id", "jobs", type_="foreignkey")
    op.drop_constraint("fk_jobs_job_set_id", "jobs", type_="foreignkey")
    # --- end ---
    with op.batch_alter_table("services") as batch_op:
        batch_op.alter_column(
            "service_id",
            existing_type=mysql.CHAR(length=32),
            type_=sa.UUID(),
            existing_nullable=False,
        )
    with op.batch_alter_table("job_sets") as batch_op:
        batch_op.alter_column(
            "job_set_id",
            existing_type=mysql.CHAR(length=32),
            type_=sa.UUID(),
            existing_nullable=False,
        )
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column(
            "job_id",
            existing_type=mysql.CHAR(length=32),
            type_=sa.UUID(),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "service_id",
            existing_type=mysql.CHAR(length=32),
            type_=sa.UUID(),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "job_set_id",
            existing_type=mysql.CHAR(length=32),
            type_=sa.UUID(),
            existing_nullable=True,
        )
    # --- by hand: back again ---
    op.create_foreign_key("fk_jobs_service_id", "jobs", "services", ["service_id"], ["service_id"])
    op.create_foreign_key("fk_jobs_job_set_id", "jobs", "job_sets", ["job_set_id"], ["job_set_id"])
    # --- end ---


def downgrade() -> None:
    # --- by hand: as in upgrade() ---
    dialect = op.get_context().dialect
    version = getattr(dialect, "server_version_info", None)
    if not getattr(dialect, "is_mariadb", False) or (version and version < (10, 7)):
        return
    op.drop_constraint("fk_jobs_service_id", "jobs", type_="foreignkey")
    op.drop_constraint("fk_jobs_job_set_id", "jobs", type_="foreignkey")
    # --- by hand: as text a UUID has hyphens, which do not fit into the 32 characters ---
    with op.batch_alter_table("services") as batch_op:
        batch_op.alter_column(
            "service_id",
            existing_type=sa.UUID(),
            type_=mysql.CHAR(length=36),
            existing_nullable=False,
        )
    with op.batch_alter_table("job_sets") as batch_op:
        batch_op.alter_column(
            "job_set_id",
            existing_type=sa.UUID(),
            type_=mysql.CHAR(length=36),
            existing_nullable=False,
        )
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column(
            "job_id",
            existing_type=sa.UUID(),
            type_=mysql.CHAR(length=36),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "service_id",
            existing_type=sa.UUID(),
            type_=mysql.CHAR(length=36),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "job_set_id",
            existing_type=sa.UUID(),
            type_=mysql.CHAR(length=36),
            existing_nullable=True,
        )
    for table, key in KEYS:
        op.execute(f"UPDATE {table} SET {key} = REPLACE({key}, '-', '')")
    # --- end ---
    with op.batch_alter_table("services") as batch_op:
        batch_op.alter_column(
            "service_id",
            existing_type=mysql.CHAR(length=36),
            type_=mysql.CHAR(length=32),
            existing_nullable=False,
        )
    with op.batch_alter_table("job_sets") as batch_op:
        batch_op.alter_column(
            "job_set_id",
            existing_type=mysql.CHAR(length=36),
            type_=mysql.CHAR(length=32),
            existing_nullable=False,
        )
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column(
            "job_id",
            existing_type=mysql.CHAR(length=36),
            type_=mysql.CHAR(length=32),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "service_id",
            existing_type=mysql.CHAR(length=36),
            type_=mysql.CHAR(length=32),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "job_set_id",
            existing_type=mysql.CHAR(length=36),
            type_=mysql.CHAR(length=32),
            existing_nullable=True,
        )
    # --- by hand: back again ---
    op.create_foreign_key("fk_jobs_service_id", "jobs", "services", ["service_id"], ["service_id"])
    op.create_foreign_key("fk_jobs_job_set_id", "jobs", "job_sets", ["job_set_id"], ["job_set_id"])
    # --- end ---
