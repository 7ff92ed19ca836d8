"""indexes on foreign keys

Without them, the jobs of a service are found by reading all jobs. MySQL and MariaDB have always had
them, under their own names until 0003.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-23 09:19:40
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    if op.get_context().dialect.name in ("sqlite", "postgresql"):
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.create_index("ix_jobs_job_set_id", ["job_set_id"], unique=False)
            batch_op.create_index("ix_jobs_service_id", ["service_id"], unique=False)


def downgrade() -> None:
    if op.get_context().dialect.name in ("sqlite", "postgresql"):
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.drop_index("ix_jobs_service_id")
            batch_op.drop_index("ix_jobs_job_set_id")
