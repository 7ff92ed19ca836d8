"""jobs follow what they belong to

A service's jobs are deleted with it, as the old code did it row by row, and a job outlives its set.
Only now, as the last change to a table: SQLite copies a table to change it, and deleting the old
services would delete their jobs where foreign keys are enforced.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23 09:20:40
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.drop_constraint("fk_jobs_job_set_id", type_="foreignkey")
        batch_op.drop_constraint("fk_jobs_service_id", type_="foreignkey")
        batch_op.create_foreign_key(
            "fk_jobs_job_set_id",
            "job_sets",
            ["job_set_id"],
            ["job_set_id"],
            ondelete="SET NULL",
        )
        batch_op.create_foreign_key(
            "fk_jobs_service_id",
            "services",
            ["service_id"],
            ["service_id"],
            ondelete="CASCADE",
        )


def downgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.drop_constraint("fk_jobs_job_set_id", type_="foreignkey")
        batch_op.drop_constraint("fk_jobs_service_id", type_="foreignkey")
        batch_op.create_foreign_key(
            "fk_jobs_job_set_id", "job_sets", ["job_set_id"], ["job_set_id"]
        )
        batch_op.create_foreign_key(
            "fk_jobs_service_id", "services", ["service_id"], ["service_id"]
        )
