"""works on empty tables alone"""

import sqlalchemy as sa
from alembic import op

revision = "11filled"
down_revision = "10values"


def upgrade():
    op.add_column("items", sa.Column("kind", sa.Integer, nullable=False, server_default="7"))
    op.create_index("uq_items_kind", "items", ["kind"], unique=True)  # leak


def downgrade():
    with op.batch_alter_table("items") as items:
        items.drop_index("uq_items_kind")  # leak
        items.drop_column("kind")
