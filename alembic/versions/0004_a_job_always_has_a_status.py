"""a job always has a status

The column had a default but took NULL all the same; a job without a status is one that nobody has
taken yet. Going down only lets NULL in again.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23 09:15:40
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # --- by hand: the column is to be NOT NULL ---
    op.execute("UPDATE jobs SET status = 'REGISTERED' WHERE status IS NULL")
    # --- end ---
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column(
            "status",
            existing_type=sa.Enum("REGISTERED", "COMPLETED", "WORKING", "ERROR", name="job_status"),
            nullable=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column(
            "status",
            existing_type=sa.Enum("REGISTERED", "COMPLETED", "WORKING", "ERROR", name="job_status"),
            nullable=True,
        )
