"""an index stays"""

import sqlalchemy as sa
from alembic import op

revision = "03index"
down_revision = "02table"


def upgrade():
    op.create_table("tags", sa.Column("id", sa.Integer, primary_key=True))
    op.create_index("ix_items_price", "items", ["price"])


def downgrade():
    # repair: op.drop_index("ix_items_price", "items")
    op.drop_table("tags")
