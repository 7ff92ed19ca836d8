"""names for constraints and keys

A constraint without a name can be dropped by no revision, and names that the servers gave differ
from one to the next. The models have a rule for them; here what exists takes those names, and
PostgreSQL's type of a job's status takes its own.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23 09:14:40
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# --- by hand: the models' rule, which names what SQLite left without a name ---
NAMES = {"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_N_name)s"}
# --- by hand: what PostgreSQL called them ---
POSTGRESQL = (
    ("services", "services_pkey", "pk_services"),
    ("job_sets", "job_sets_pkey", "pk_job_sets"),
    ("jobs", "jobs_pkey", "pk_jobs"),
    ("jobs", "jobs_service_id_fkey", "fk_jobs_service_id"),
    ("jobs", "jobs_job_set_id_fkey", "fk_jobs_job_set_id"),
)
# --- end ---


def upgrade() -> None:
    dialect = op.get_context().dialect
    # A mysql:// URL may lead to MariaDB, which the dialect knows once it is connected.
    backend = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    # --- by hand: the same constraints are kept, where a database can rename them ---
    if backend == "sqlite":
        for table in ("services", "job_sets", "jobs"):
            with op.batch_alter_table(table, recreate="always", naming_convention=NAMES):
                pass
    if backend == "postgresql":
        op.execute("ALTER TYPE jobstatus RENAME TO job_status")
        for table, old, new in POSTGRESQL:
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
    # --- by hand: first the keys that the servers made, or they would follow the constraints ---
    if backend in ("mariadb", "mysql"):
        op.execute("ALTER TABLE jobs RENAME INDEX service_id TO ix_jobs_service_id")
        op.execute("ALTER TABLE jobs RENAME INDEX job_set_id TO ix_jobs_job_set_id")
    # --- end ---
    if backend in ("mariadb", "mysql"):
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.drop_constraint("jobs_ibfk_1", type_="foreignkey")
            batch_op.drop_constraint("jobs_ibfk_2", type_="foreignkey")
            batch_op.create_foreign_key(
                "fk_jobs_service_id", "services", ["service_id"], ["service_id"]
            )
            batch_op.create_foreign_key(
                "fk_jobs_job_set_id", "job_sets", ["job_set_id"], ["job_set_id"]
            )


def downgrade() -> None:
    dialect = op.get_context().dialect
    # A mysql:// URL may lead to MariaDB, which the dialect knows once it is connected.
    backend = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    if backend in ("mariadb", "mysql"):
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.drop_constraint("fk_jobs_service_id", type_="foreignkey")
            batch_op.drop_constraint("fk_jobs_job_set_id", type_="foreignkey")
            batch_op.create_foreign_key("jobs_ibfk_1", "services", ["service_id"], ["service_id"])
            batch_op.create_foreign_key("jobs_ibfk_2", "job_sets", ["job_set_id"], ["job_set_id"])
    # --- by hand: the way back ---
    if backend in ("mariadb", "mysql"):
        op.execute("ALTER TABLE jobs RENAME INDEX ix_jobs_job_set_id TO job_set_id")
        op.execute("ALTER TABLE jobs RENAME INDEX ix_jobs_service_id TO service_id")
    if backend == "postgresql":
        for table, old, new in POSTGRESQL:
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {new} TO {old}")
        op.execute("ALTER TYPE job_status RENAME TO jobstatus")
    if backend == "sqlite":
        for table in _without_names():
            with op.batch_alter_table(table.name, recreate="always", copy_from=table):
                pass
    # --- end ---


# --- by hand: SQLite gives a constraint no name only where a table is made anew ---
def _without_names() -> list[sa.Table]:
    metadata = sa.MetaData()
    services = sa.Table(
        "services",
        metadata,
        sa.Column("service_id", sa.CHAR(length=32), primary_key=True),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=False),
        sa.Column("last_checked_in", sa.DateTime(), nullable=False),
        sa.Column("heartbeat_timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("is_service_available", sa.Boolean(), nullable=False),
        sa.Column("job_registration_schema", sa.VARCHAR(length=100000), nullable=False),
        sa.Column("job_result_schema", sa.VARCHAR(length=100000), nullable=False),
    )
    job_sets = sa.Table(
        "job_sets",
        metadata,
        sa.Column("job_set_id", sa.CHAR(length=32), primary_key=True),
        sa.Column("description", sa.String(length=140), nullable=False),
    )
    jobs = sa.Table(
        "jobs",
        metadata,
        sa.Column("job_id", sa.CHAR(length=32), primary_key=True),
        sa.Column("service_id", sa.CHAR(length=32), nullable=False),
        sa.Column("date_submitted", sa.DateTime(), nullable=False),
        sa.Column("status", sa.VARCHAR(length=10)),
        sa.Column("parameters", sa.VARCHAR(length=100000), nullable=False),
        sa.Column("results", sa.VARCHAR(length=100000)),
        sa.Column("job_set_id", sa.CHAR(length=32)),
        sa.ForeignKeyConstraint(["service_id"], ["services.service_id"]),
        sa.ForeignKeyConstraint(["job_set_id"], ["job_sets.job_set_id"]),
    )
    return [jobs, job_sets, services]


# --- end ---
