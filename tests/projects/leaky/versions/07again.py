"""the second upgrade fails"""

import sqlalchemy as sa
from alembic import op

revision = "07again"
down_revision = "06changed"


def upgrade():
    shops = sa.table("shops", sa.column("id", sa.Integer), sa.column("name", sa.String))
    op.bulk_insert(shops, [{"id": 1000, "name": "ours"}])


def downgrade():
    op.execute("UPDATE shops SET name = 'gone' WHERE id = 1000")  # leak
    # repair: op.execute("DELETE FROM shops WHERE id = 1000")
