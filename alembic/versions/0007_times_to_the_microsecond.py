"""times to the microsecond

PostgreSQL and SQLite have always kept them, MySQL and MariaDB keep whole seconds unless a column
says otherwise. The models write the present moment in UTC for each row. What the old code wrote is
in UTC as well, but many rows have the moment when its process was started; nothing tells which.

Going down rounds to whole seconds, which is all that the old columns hold.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23 09:18:40
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    if op.get_context().dialect.name in ("mariadb", "mysql"):
        with op.batch_alter_table("services") as batch_op:
            batch_op.alter_column(
                "last_checked_in",
                existing_type=mysql.DATETIME(),
                type_=mysql.DATETIME(fsp=6),
                existing_nullable=False,
            )
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.alter_column(
                "date_submitted",
                existing_type=mysql.DATETIME(),
                type_=mysql.DATETIME(fsp=6),
                existing_nullable=False,
            )


def downgrade() -> None:
    if op.get_context().dialect.name in ("mariadb", "mysql"):
        with op.batch_alter_table("services") as batch_op:
            batch_op.alter_column(
                "last_checked_in",
                existing_type=mysql.DATETIME(fsp=6),
                type_=mysql.DATETIME(),
                existing_nullable=False,
            )
        with op.batch_alter_table("jobs") as batch_op:
            batch_op.alter_column(
                "date_submitted",
                existing_type=mysql.DATETIME(fsp=6),
                type_=mysql.DATETIME(),
                existing_nullable=False,
            )
