"""the tables of TopChef 0.2

They are what its SQLAlchemy 1.1 made, faults included, so that a database which is in use can be
adopted: topchef-db stamp 0001. Nothing has a name but what the database gave it. Flags and states
have CHECK constraints where a database has no type for them. On PostgreSQL a JSON document is
stored as a JSON string that holds the document once more; on MySQL and MariaDB it is MEDIUMTEXT,
which is what a server that is not strict made of VARCHAR(100000).

Revision ID: 0001
Revises: -
Create Date: 2026-11-23 09:12:40
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "job_sets",
        sa.Column(
            "job_set_id",
            sa.CHAR(length=32).with_variant(sa.Uuid(), "postgresql"),
            nullable=False,
        ),
        sa.Column("description", sa.String(length=140), nullable=False),
        sa.PrimaryKeyConstraint("job_set_id"),
    )
    op.create_table(
        "services",
        sa.Column(
            "service_id",
            sa.CHAR(length=32).with_variant(sa.Uuid(), "postgresql"),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=False),
        sa.Column("last_checked_in", sa.DateTime(), nullable=False),
        sa.Column("heartbeat_timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("is_service_available", sa.Boolean(create_constraint=True), nullable=False),
        sa.Column(
            "job_registration_schema",
            sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column(
            "job_result_schema",
            sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("service_id"),
    )
    op.create_table(
        "jobs",
        sa.Column(
            "job_id",
            sa.CHAR(length=32).with_variant(sa.Uuid(), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "service_id",
            sa.CHAR(length=32).with_variant(sa.Uuid(), "postgresql"),
            nullable=False,
        ),
        sa.Column("date_submitted", sa.DateTime(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "REGISTERED",
                "COMPLETED",
                "WORKING",
                "ERROR",
                name="jobstatus",
                create_constraint=True,
            ),
            nullable=True,
        ),
        sa.Column(
            "parameters",
            sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column(
            "results",
            sa.VARCHAR(length=100000)
            .with_variant(postgresql.JSON(), "postgresql")
            .with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"),
            nullable=True,
        ),
        sa.Column(
            "job_set_id",
            sa.CHAR(length=32).with_variant(sa.Uuid(), "postgresql"),
            nullable=True,
        ),
        # --- by hand: in this order, as MySQL numbers the names that it gives to keys ---
        sa.ForeignKeyConstraint(["service_id"], ["services.service_id"]),
        sa.ForeignKeyConstraint(["job_set_id"], ["job_sets.job_set_id"]),
        # --- end ---
        sa.PrimaryKeyConstraint("job_id"),
    )


def downgrade() -> None:
    op.drop_table("jobs")
    op.drop_table("services")
    op.drop_table("job_sets")
    # --- by hand: PostgreSQL keeps the type of a column that is gone ---
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TYPE jobstatus")
    # --- end ---
