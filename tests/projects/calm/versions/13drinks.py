"""drinks, beside the tables"""

import sqlalchemy as sa
from alembic import op

revision = "13drinks"
down_revision = "11check"


def upgrade():
    op.create_table(
        "drinks",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("strength", sa.Float),
        sa.Column("label", sa.LargeBinary),
    )


def downgrade():
    op.drop_table("drinks")
