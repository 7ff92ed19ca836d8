"""readings"""

import sqlalchemy as sa
from alembic import op

revision = "a1a1"
down_revision = None


def upgrade():
    op.create_table(
        "readings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("value", sa.Integer),
    )


def downgrade():
    op.drop_table("readings")
