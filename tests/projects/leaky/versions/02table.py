"""a table stays"""

import sqlalchemy as sa
from alembic import op

revision = "02table"
down_revision = "01base"


def upgrade():
    op.create_table("kept", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table("dropped", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("dropped")
    # repair: op.drop_table("kept")
