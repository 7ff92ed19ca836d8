"""no checks on flags and states

PostgreSQL never had them, because it has types for both, and MySQL knows them only since 8.0.16.
The models check what is stored, on all databases alike. Alembic compares no CHECK constraints, so
all of this is written by hand.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23 09:13:40
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    dialect = op.get_context().dialect
    # A mysql:// URL may lead to MariaDB, which the dialect knows once it is connected.
    backend = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    # --- by hand: SQLite's CHECK on a flag has no name; the table is copied without it ---
    if backend == "sqlite":
        with op.batch_alter_table("services", recreate="always", copy_from=_services()):
            pass
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.drop_constraint("jobstatus", type_="check")
    # --- by hand: a database that was made by an old server does not have it ---
    if backend == "mariadb":
        op.execute("ALTER TABLE services DROP CONSTRAINT IF EXISTS CONSTRAINT_1")
    if backend == "mysql":
        op.execute(
            "SET @topchef_statement = (SELECT IF(COUNT(*) = 0, 'DO 0',"
            " 'ALTER TABLE services DROP CHECK services_chk_1')"
            " FROM information_schema.table_constraints"
            " WHERE constraint_schema = DATABASE() AND table_name = 'services'"
            " AND constraint_name = 'services_chk_1')"
        )
        op.execute("PREPARE topchef_statement FROM @topchef_statement")
        op.execute("EXECUTE topchef_statement")
        op.execute("DEALLOCATE PREPARE topchef_statement")
    # --- end ---


def downgrade() -> None:
    dialect = op.get_context().dialect
    # A mysql:// URL may lead to MariaDB, which the dialect knows once it is connected.
    backend = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    # --- by hand: under the names that SQLAlchemy and the servers gave ---
    if backend == "sqlite":
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.create_check_constraint(
                "jobstatus", "status IN ('REGISTERED', 'COMPLETED', 'WORKING', 'ERROR')"
            )
        check = sa.CheckConstraint("is_service_available IN (0, 1)")
        with op.batch_alter_table("services", recreate="always", copy_from=_services(check)):
            pass
    if backend == "mariadb":
        op.create_check_constraint("CONSTRAINT_1", "services", "is_service_available IN (0, 1)")
    if backend == "mysql":
        op.create_check_constraint("services_chk_1", "services", "is_service_available IN (0, 1)")
    # --- end ---


# --- by hand: the table as SQLite has it ---
def _services(*checks: sa.CheckConstraint) -> sa.Table:
    return sa.Table(
        "services",
        sa.MetaData(),
        sa.Column("service_id", sa.CHAR(length=32), primary_key=True),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=False),
        sa.Column("last_checked_in", sa.DateTime(), nullable=False),
        sa.Column("heartbeat_timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("is_service_available", sa.Boolean(), nullable=False),
        sa.Column("job_registration_schema", sa.VARCHAR(length=100000), nullable=False),
        sa.Column("job_result_schema", sa.VARCHAR(length=100000), nullable=False),
        *checks,
    )


# --- end ---
