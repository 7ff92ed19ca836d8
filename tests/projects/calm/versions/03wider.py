"""longer names, larger numbers"""

import sqlalchemy as sa
from alembic import op

revision = "03wider"
down_revision = "02lower"


def upgrade():
    with op.batch_alter_table("guests") as guests:
        guests.alter_column(
            "name", type_=sa.String(90), existing_type=sa.String(40), existing_nullable=False
        )
        guests.alter_column(
            "balance",
            type_=sa.Numeric(12, 2),
            existing_type=sa.Numeric(10, 2),
            existing_server_default="0",
        )
    with op.batch_alter_table("orders") as orders:
        orders.alter_column("total", type_=sa.BigInteger(), existing_type=sa.Integer())


def downgrade():
    with op.batch_alter_table("orders") as orders:
        orders.alter_column("total", type_=sa.Integer(), existing_type=sa.BigInteger())
    with op.batch_alter_table("guests") as guests:
        guests.alter_column(
            "balance",
            type_=sa.Numeric(10, 2),
            existing_type=sa.Numeric(12, 2),
            existing_server_default="0",
        )
        guests.alter_column(
            "name", type_=sa.String(40), existing_type=sa.String(90), existing_nullable=False
        )
