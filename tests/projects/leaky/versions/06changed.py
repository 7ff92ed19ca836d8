"""a column comes back longer"""

import sqlalchemy as sa
from alembic import op

revision = "06changed"
down_revision = "05enum"


def upgrade():
    with op.batch_alter_table("shops") as shops:
        shops.alter_column(
            "name",
            type_=sa.String(90),
            existing_type=sa.String(40),
            existing_nullable=False,
        )


def downgrade():
    with op.batch_alter_table("shops") as shops:
        shops.alter_column(
            "name",
            type_=sa.String(60),  # leak
            # repair: type_=sa.String(40),
            existing_type=sa.String(90),
            existing_nullable=False,
        )
