"""a column stays"""

import sqlalchemy as sa
from alembic import op

revision = "04column"
down_revision = "03index"


def upgrade():
    op.add_column("shops", sa.Column("city", sa.String(40)))
    op.add_column("shops", sa.Column("street", sa.String(40)))


def downgrade():
    with op.batch_alter_table("shops") as shops:
        shops.drop_column("street")
        # repair: shops.drop_column("city")
