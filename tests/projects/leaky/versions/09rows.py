"""rows are lost"""

import sqlalchemy as sa
from alembic import op

revision = "09rows"
down_revision = "08other"


def upgrade():
    op.add_column("items", sa.Column("note", sa.String(40)))


def downgrade():
    op.execute("DELETE FROM items")  # leak
    with op.batch_alter_table("items") as items:
        items.drop_column("note")
