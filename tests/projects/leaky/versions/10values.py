"""values are lost"""

import sqlalchemy as sa
from alembic import op

revision = "10values"
down_revision = "09rows"


def upgrade():
    op.add_column("items", sa.Column("weight", sa.Integer))


def downgrade():
    op.execute("UPDATE items SET price = 0")  # leak
    with op.batch_alter_table("items") as items:
        items.drop_column("weight")
